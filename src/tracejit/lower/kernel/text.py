"""The text of a kernel: a function of Python's, with the origin of each of its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tracejit.ir.node import Origin
from tracejit.lower.kernel.statements import (
    BARE,
    Assign,
    Binary,
    Block,
    Call,
    Constant,
    Do,
    Element,
    Expr,
    Factory,
    For,
    Forever,
    Group,
    If,
    Leave,
    Length,
    Output,
    Part,
    Return,
    Shared,
    Statement,
    Store,
    Transposed,
    Unary,
)

_INDENT = "    "
#: How tight what is written binds. Sums that are shifted are in parentheses, for people.
OR, AND, NOT, _COMPARISON, _SHIFT, _SUM, _PRODUCT, _ATOM = range(8)
BINDS = {
    "or": OR, "and": AND,
    "==": _COMPARISON, "!=": _COMPARISON, "<": _COMPARISON, "<=": _COMPARISON,
    ">": _COMPARISON, ">=": _COMPARISON,
    "<<": _SHIFT, ">>": _SHIFT, "+": _SUM, "-": _SUM,
    "*": _PRODUCT, "/": _PRODUCT, "//": _PRODUCT, "%": _PRODUCT,
}  # fmt: skip
#: Where an operand needs none: as tight as this on the left, and on the right.
_SIDES = {
    OR: (OR, AND), AND: (AND, NOT), _COMPARISON: (_SHIFT, _SHIFT),
    _SHIFT: (_SHIFT, _ATOM), _SUM: (_SUM, _PRODUCT), _PRODUCT: (_PRODUCT, _ATOM),
}  # fmt: skip


class Text:
    """Lines with their origins; which functions they call, how often; and their constants."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.origins: list[Origin | None] = []
        self.calls: Counter[str] = Counter()
        self.constants: set[Constant] = set()

    # Statements ------------------------------------------------------------------------------

    def block(self, block: Block, indent: str = _INDENT) -> None:
        """Add the lines of a block's statements."""
        for s in block.statements():
            if isinstance(s, Block):
                self._nested(s, indent)
            else:
                self.lines.append(indent + self._statement(s))
                self.origins.append(s.origin)

    def _nested(self, s: Block, indent: str) -> None:
        otherwise, word = None, "else"
        if isinstance(s, Shared):
            loop = f"{s.kind}({self._list(s.operands)})"
            head = f"for {s.index} in shared({loop}, {self.expression(s.work)}):"
            otherwise = s.then
            word = f"for {', '.join([s.index, *s.kept])} in kept({', '.join(s.kept.values())})"
        elif isinstance(s, For):
            head = f"for {s.index} in {s.kind}({self._list(s.operands)}):"
        elif isinstance(s, If):
            head, otherwise = f"if {self.expression(s.test)}:", s.otherwise
        else:
            assert isinstance(s, Forever)
            head = "while True:"
        self._line(indent + head)
        self.block(s, indent + _INDENT)
        if otherwise is not None and not otherwise.is_empty():
            self._line(f"{indent}{word}:")
            self.block(otherwise, indent + _INDENT)

    def _line(self, line: str) -> None:
        self.lines.append(line)
        self.origins.append(None)

    def _statement(self, s: Statement) -> str:
        if isinstance(s, Assign):
            return f"{s.name} = {self.expression(s.value)}"
        if isinstance(s, Store):
            return f"{self.expression(s.element)} = {self.expression(s.value)}"
        if isinstance(s, Do):
            return self.expression(s.call)
        if isinstance(s, Return):
            return f"return {self.expression(s.code)}"
        assert isinstance(s, Leave)
        return "break"

    # Expressions -----------------------------------------------------------------------------

    def expression(self, e: Expr) -> str:
        """The text of an expression."""
        if isinstance(e, str):
            return e
        write = _WRITE.get(type(e))
        return write(self, e) if write else str(e)

    def _list(self, several: Iterable[Expr]) -> str:
        return ", ".join(map(self.expression, several))

    def _tight(self, e: Expr, least: int) -> str:
        """The text of an operand, in parentheses where it binds less tight."""
        text = self.expression(e)
        binds = _ATOM
        if isinstance(e, Binary):
            binds = BINDS[e.sign]
        elif isinstance(e, Unary):
            binds = NOT if e.sign == "not" else _PRODUCT
        return f"({text})" if binds < least else text

    def _constant(self, e: Constant) -> str:
        self.constants.add(e)
        return constant_text(e.value, e.dtype)

    def _call(self, e: Call) -> str:
        self.calls[e.function] += 1
        return f"{e.function}({self._list(e.operands)})"

    def _unary(self, e: Unary) -> str:
        if e.sign == "not":
            return f"not {self._tight(e.operand, NOT)}"
        return f"-{self._tight(e.operand, _ATOM)}"

    def _binary(self, e: Binary) -> str:
        binds = BINDS[e.sign]
        left, right = _SIDES[binds]
        if binds == _SHIFT and not (isinstance(e.left, Binary) and BINDS[e.left.sign] == _SHIFT):
            left = _ATOM
        return f"{self._tight(e.left, left)} {e.sign} {self._tight(e.right, right)}"

    def _group(self, e: Group) -> str:
        return f"({self.expression(e.inner)})"

    def _element(self, e: Element) -> str:
        return f"{self.expression(e.array)}[{self._list(e.index) or '()'}]"

    def _part(self, e: Part) -> str:
        index = [*map(self.expression, e.index), *[":"] * e.rest]
        return f"{self.expression(e.array)}[{', '.join(index)}]"

    def _transposed(self, e: Transposed) -> str:
        return f"{self.expression(e.array)}.T"

    def _length(self, e: Length) -> str:
        return f"{self.expression(e.array)}.shape[{e.axis}]"

    def _output(self, e: Output) -> str:
        return f"{self._call(e.call)}[{e.number}]"


_WRITE: dict[type, Callable[[Text, Any], str]] = {
    Constant: Text._constant,
    Call: Text._call,
    Unary: Text._unary,
    Binary: Text._binary,
    Group: Text._group,
    Element: Text._element,
    Part: Text._part,
    Transposed: Text._transposed,
    Length: Text._length,
    Output: Text._output,
}


def factory_text(name: str, factory: Factory) -> str:
    """The line that makes a function."""
    arguments = (f'"{a}"' if isinstance(a, str) else str(a) for a in factory.arguments)
    return f"{name} = {factory.function}({', '.join(arguments)})"


def constant_text(value: Any, dtype: np.dtype[Any]) -> str:
    """A number as an expression whose value has exactly this dtype; negative ones in parentheses.

    Python's own numbers are float64, int64, complex128 and bool.
    """
    if dtype.kind == "b":
        return str(bool(value))
    if dtype.kind == "c":
        text = f"complex({_signed(value.real)}, {_signed(value.imag)})"
    else:
        text = _signed(value)
    name = type_name(dtype)
    return f"{name}({text})" if name else text


def type_name(dtype: np.dtype[Any]) -> str:
    """What makes a Python number one of this dtype; nothing where it is one already."""
    return "" if dtype in BARE else dtype.name


def _signed(value: float) -> str:
    text = repr(value)
    return f"({text})" if text.startswith("-") else text
