"""``debugprint``: a graph as text, an application a line, in Theano's format."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TextIO

from tracejit.printing.shown import Ids, Shown, letters, roots_of, shown, step_of
from tracejit.symbolic.graph import Apply, toposort


def debugprint(
    obj: Any,
    depth: int = -1,
    print_type: bool = False,
    file: TextIO | str | None = None,
    ids: str = "CHAR",
    stop_on_name: bool = False,
    done: dict[Any, str] | None = None,
) -> Any:
    """Print the graph of a variable, a list of them or a function: an application a line.

    Operands are indented below what uses them; what has been printed is only named again. `depth`
    limits the nesting, and `stop_on_name` shows nothing below what has a name. Of a function each
    application has its place in the order in which they are computed. Below are the steps of loops.
    `ids` is "CHAR", "int", "id" or "". With ``file="str"`` the text is returned instead.

    >>> import tracejit.tensor as T
    >>> x = T.dvector("x")
    >>> print(debugprint(T.exp(x) + x, file="str").replace(" ' ' ", ""))  # doctest: +ELLIPSIS
    Elemwise{add,no_inplace} [id A] ''...
     |Elemwise{exp,no_inplace} [id B] ''...
     | |x [id C]
     |x [id C]
    """
    known = Ids({} if done is None else done)
    roots = roots_of(obj)
    order: dict[Apply, int] = {}
    if hasattr(obj, "maker"):
        order = {node: k for k, node in enumerate(toposort(roots))}
    printer = _Printer(known, depth, print_type, ids, stop_on_name, order)
    for v in roots:
        printer.tree(shown(v))
    printer.inner_graphs()
    text = "\n".join(printer.lines)
    if file == "str":
        return text
    out: Any = sys.stdout if file is None or isinstance(file, str) else file
    print(text, file=out)
    return out


class _Printer:
    """The lines of a graph."""

    def __init__(
        self,
        ids: Ids,
        depth: int,
        print_type: bool,
        kind: str,
        stop_on_name: bool,
        order: Mapping[Apply, int],
    ) -> None:
        self.ids, self.depth, self.print_type, self.kind = ids, depth, print_type, kind
        self.stop_on_name, self.order = stop_on_name, order
        self.lines: list[str] = []
        self.printed: set[Any] = set()

    def tree(self, root: Shown, first: str = "", below: str = "") -> None:
        """A line and what is below it, however deep that is."""
        stack = [(root, first, below, 1)]
        while stack:
            line, prefix, inner, level = stack.pop()
            self._line(line, prefix)
            again = line.key in self.printed
            self.printed.add(line.key)
            named = self.stop_on_name and line.is_application and line.variable.name is not None
            if again or named or 0 <= self.depth <= level:
                continue
            operands = list(line.operands)
            last = len(operands) - 1
            stack += [
                (v, f"{inner} |", inner + ("  " if k == last else " |"), level + 1)
                for k, v in reversed(list(enumerate(operands)))
            ]

    def _line(self, line: Shown, prefix: str) -> None:
        v = line.variable
        kind = f" <{v.type}>" if self.print_type else ""
        label = self.ids.of(line.key, self.kind)
        if not line.is_application:
            self.lines.append(f"{prefix}{line.text} {label}{kind}".rstrip())
            return
        name = v.name or "" if line.key is v.owner else ""
        place = str(self.order.get(line.key, "")) if isinstance(line.key, Apply) else ""
        self.lines.append(f"{prefix}{line.text} {label}{kind} '{name}'   {place}")
        if isinstance(line.key, Apply) and step_of(line.key) is not None:
            self.ids.loops[line.key] = None

    def inner_graphs(self) -> None:
        """The steps of the loops that have been met, and of those in them."""
        done: set[Apply] = set()
        if self.ids.loops:
            self.lines += ["", "Inner graphs of the scan ops:", ""]
        while left := [node for node in self.ids.loops if node not in done]:
            node = left[0]
            done.add(node)
            step = step_of(node)
            assert step is not None
            self._line(shown(node.outputs[0]), "")
            for v in step.wanted():
                self.tree(shown(v), " >", "  ")
            self.lines.append("")


def min_informative_str(obj: Any, indent_level: int = 0) -> str:
    """The graph of a variable, a letter an expression, where only what is not named is told.

    >>> import tracejit.tensor as T
    >>> a, b = T.scalars("a", "b")
    >>> print(min_informative_str((a + b) * a))
    A. Elemwise{mul,no_inplace}
     B. Elemwise{add,no_inplace}
      C. a
      D. b
     C. a
    """
    known: dict[Any, str] = {}
    lines: list[str] = []
    stack = [(shown(obj), indent_level)]
    while stack:
        line, level = stack.pop()
        again = line.key in known
        tag = known.setdefault(line.key, letters(len(known)))
        short = not line.is_application or line.variable.name is not None
        text = str(line.variable) if short and line.key is not None else line.text
        lines.append(f"{' ' * level}{tag}. {text}")
        if not again and not (line.is_application and line.variable.name is not None):
            stack += [(v, level + 1) for v in reversed(list(line.operands))]
    return "\n".join(lines)


def var_descriptor(obj: Any) -> str:
    """A text that is equal for equal expressions: of `min_informative_str`, on one line.

    >>> import tracejit.tensor as T
    >>> a = T.scalar("a")
    >>> var_descriptor(a + a)
    'Elemwise{add,no_inplace}(a, a)'
    """
    texts: dict[Any, str] = {}
    stack = [(shown(obj), False)]
    while stack:
        line, ready = stack.pop()
        if line.key in texts:
            continue
        if not line.is_application:
            texts[line.key] = str(line.variable)
        elif ready:
            texts[line.key] = f"{line.text}({', '.join(texts[v.key] for v in line.operands)})"
        else:
            stack.append((line, True))
            stack += [(v, False) for v in line.operands]
    return texts[shown(obj).key]


__all__ = ["debugprint", "min_informative_str", "var_descriptor"]
