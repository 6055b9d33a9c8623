"""Integers that a driver works out before the entry runs, as text: Python's arithmetic, once each.

A length such as that of ``x[i * b : (i + 1) * b]`` is int64 arithmetic on arguments. It is
Python's own where nothing can wrap around: bounds are derived for every node from bounds on the
leaves, and the text tests the leaves. Other values go to the interpreter, all nodes at a time.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.ir import ops
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import Node, postorder

Bounds = tuple[int, int]

#: Below what the absolute value of an input may be required to stay; the first that serves is.
LIMITS = (1 << 31, 1 << 24, 1 << 20, 1 << 16)
#: Below what a length must stay.
LENGTHS = 1 << 31
_ARITHMETIC = {"add": "+", "subtract": "-", "multiply": "*"}
DIVISION = {"floor_divide": "//", "remainder": "%"}
_LOGIC = {"logical_and": "and", "logical_or": "or"}


def _product(a: Bounds, b: Bounds) -> Bounds:
    corners = [p * q for p in a for q in b]
    return min(corners), max(corners)


def _sum(a: Bounds, b: Bounds) -> Bounds:
    return a[0] + b[0], a[1] + b[1]


def _arithmetic(name: str, a: Bounds, b: Bounds) -> Bounds | None:
    """Bounds of the result of a function of two integers; None for one that is not known."""
    if name == "multiply":
        return _product(a, b)
    if name == "add":
        return _sum(a, b)
    if name == "subtract":
        return _sum(a, (-b[1], -b[0]))
    if name in ("minimum", "maximum"):
        choose = min if name == "minimum" else max
        return choose(a[0], b[0]), choose(a[1], b[1])
    if name in DIVISION and b[0] == b[1] != 0:
        (by, _) = b
        if name == "floor_divide":
            ends = [end // by for end in a]
            return min(ends), max(ends)
        return (0, by - 1) if by > 0 else (by + 1, 0)
    return None


def _elementwise(node: Node, args: Sequence[Bounds]) -> Bounds | None:
    name, kinds = node.op.name, [a.dtype.kind for a in node.args]
    if node.op is ops.CAST:
        return ((0, 1) if node.dtype.kind == "b" else args[0]) if kinds[0] in "biu" else None
    if node.op is ops.WHERE:
        if kinds[0] != "b" or {a.dtype for a in node.args[1:]} != {node.dtype}:
            return None
        return min(args[1][0], args[2][0]), max(args[1][1], args[2][1])
    if name in _LOGIC or name == "logical_not":
        return (0, 1) if set(kinds) == {"b"} else None
    if len({a.dtype for a in node.args}) != 1 or kinds[0] not in "iu":
        return None
    if name in ops.COMPARISONS:
        return 0, 1
    if node.dtype != node.args[0].dtype:
        return None
    if name == "negative":
        return -args[0][1], -args[0][0]
    return _arithmetic(name, args[0], args[1]) if len(args) == 2 else None


def _bounds(node: Node, limit: int, known: Mapping[Node, Bounds | None]) -> Bounds | None:
    """Bounds of a node; None where Python's arithmetic may give something else."""
    if node.ndim or node.dtype.kind not in "biu":
        return None
    least, most = (0, 1) if node.dtype.kind == "b" else _range(node.dtype)
    found: Bounds | None = None
    if node.op is ops.INPUT and node.dtype.kind != "b":
        found = max(least, -limit + 1), min(most, limit - 1)
    elif node.op is ops.DIM:
        found = 0, LENGTHS - 1
    elif node.op is ops.CONST:
        found = (_value(node),) * 2
    else:
        args = [known[a] for a in node.args]
        inner = [a for a in args if a is not None]
        if len(inner) < len(args):
            return None
        if node.op is ops.POLY:
            found = 0, 0
            for monomial, factor in node.attr:
                term = factor, factor
                for i in monomial:
                    term = _product(term, inner[i])
                found = _sum(found, term)
        elif isinstance(node.op, ops.Elementwise):
            found = _elementwise(node, inner)
    return found if found is not None and least <= found[0] and found[1] <= most else None


def _range(dtype: np.dtype[Any]) -> Bounds:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def _value(node: Node) -> int:
    return int(evaluate([node], {})[0])


class Scalars:
    """The statements of a driver that give its integers local names.

    `names` are the texts of inputs, `vectors` the inputs with one axis, `namespace` the driver's.
    """

    def __init__(
        self, names: Mapping[str, str], vectors: set[str], namespace: dict[str, Any], prefix: str
    ) -> None:
        self.names = names
        self.vectors = vectors
        self.namespace = namespace
        self.prefix = prefix
        namespace[f"{prefix}index"] = operator.index
        #: By limit.
        self.bounds: dict[int, dict[Node, Bounds | None]] = {limit: {} for limit in LIMITS}
        #: Locals, by the guard under which they are exact.
        self.named: dict[tuple[str, Node], str] = {}
        self.leaves: dict[Node, str] = {}
        self.loading: list[str] = []
        self.groups: dict[str, list[tuple[Node, str, str]]] = {}

    def limit(self, node: Node) -> int | None:
        """The limit on inputs below which `node` is exact; None for nodes of other kinds."""
        for limit in LIMITS:
            known = self.bounds[limit]
            for each in postorder([node]) if node not in known else ():
                if each not in known:
                    known[each] = _bounds(each, limit, known)
            if known[node] is not None:
                return limit
        return None

    def name(self, node: Node, limit: int) -> str:
        """The local variable that has the value of `node`, a Python number."""
        nodes = list(postorder([node]))
        tests = []
        for leaf in nodes:
            if leaf.op in (ops.INPUT, ops.DIM):
                low = f"{-limit} < " if leaf.op is ops.INPUT else ""
                tests.append(f"{low}{self._leaf(leaf)} < {limit if low else LENGTHS}")
        guard = " and ".join(sorted(tests)) or "True"
        for each in nodes:
            if (guard, each) in self.named:
                continue
            if each.op in (ops.INPUT, ops.DIM):
                text = self.leaves[each]
            elif each.op is ops.CONST:
                text = f"({_value(each)})"
            else:
                text = f"{self.prefix}k{len(self.named)}"
                operands = [self.named[guard, a] for a in each.args]
                line = f"{text} = {_text(each, operands)}"
                self.groups.setdefault(guard, []).append((each, text, line))
            self.named[guard, each] = text
        return self.named[guard, node]

    def _leaf(self, node: Node) -> str:
        if node not in self.leaves:
            text = self.leaves[node] = f"{self.prefix}i{len(self.leaves)}"
            name = self.names[node.attr[0]]
            if node.op is ops.DIM:
                axis = node.attr[1]
                one = axis == 0 and node.attr[0] in self.vectors
                value = f"{self.prefix}len({name})" if one else f"{name}.shape[{axis}]"
            else:
                value = f"{self.prefix}index({name})"
            self.loading.append(f"{text} = {value}")
        return self.leaves[node]

    def statements(self) -> list[str]:
        """The statements for what has been named since the last call."""
        lines, self.loading = self.loading, []
        groups, self.groups = self.groups, {}
        for guard, members in groups.items():
            nodes = [node for node, _, _ in members]
            used = sorted({n.attr[0] for n in postorder(nodes) if n.op in (ops.INPUT, ops.DIM)})
            function = f"{self.prefix}numbers{len(self.namespace)}"
            self.namespace[function] = _interpreted(nodes, used)
            texts = "".join(f"{text}, " for _, text, _ in members)
            lines += [
                f"if {guard}:",
                *(f"    {line}" for _, _, line in members),
                "else:",
                f"    {texts}= {function}({', '.join(self.names[key] for key in used)})",
            ]
        return lines


def _text(node: Node, args: Sequence[str]) -> str:
    """The text of a node's value; its operands are names and numbers."""
    name = node.op.name
    if node.op is ops.POLY:
        return polynomial(node, args)
    if node.op is ops.CAST:
        return f"{args[0]} != 0" if node.dtype.kind == "b" else f"+{args[0]}"
    if node.op is ops.WHERE:
        return f"{args[1]} if {args[0]} else {args[2]}"
    if name in ("minimum", "maximum"):
        return (
            f"{args[0]} if {args[0]} {'<' if name == 'minimum' else '>'} {args[1]} else {args[1]}"
        )
    if name == "negative":
        return f"-{args[0]}"
    if name == "logical_not":
        return f"not {args[0]}"
    sign = (_ARITHMETIC | DIVISION | ops.COMPARISONS | _LOGIC)[name]
    return f"{args[0]} {sign} {args[1]}"


def polynomial(node: Node, args: Sequence[str]) -> str:
    """The text of a ``poly`` node."""
    terms = []
    for monomial, factor in node.attr:
        parts = [args[i] for i in monomial]
        terms.append("*".join([str(factor), *parts] if factor != 1 or not parts else parts))
    return f"({' + '.join(terms)})"


def _interpreted(nodes: Sequence[Node], used: Sequence[str]) -> Callable[..., list[int]]:
    """What evaluates `nodes` for values of the inputs `used`."""

    def numbers(*values: Any) -> list[int]:
        try:
            return [int(v) for v in evaluate(nodes, dict(zip(used, values, strict=True)))]
        except OverflowError as error:  # a length that is none: the entry would not get to see it
            raise ValueError(str(error)) from None

    return numbers
