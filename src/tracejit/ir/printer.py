"""The stable text form of a graph: names are given at print time, in order of computation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tracejit.ir.node import ArrayType, Node
from tracejit.ir.region import regions_of
from tracejit.ir.rules import RULES


class _Check(Protocol):
    @property
    def condition(self) -> Node: ...
    @property
    def reason(self) -> str: ...


class Printable(Protocol):
    """What is printed: a `Graph`, which prints itself by this module."""

    @property
    def inputs(self) -> Sequence[Node]: ...
    @property
    def outputs(self) -> Sequence[Node]: ...
    @property
    def checks(self) -> Sequence[_Check]: ...
    def nodes(self) -> Sequence[Node]:
        """Every node, operands first."""
        ...


def to_text(graph: Printable) -> str:
    """`graph` as text, a node a line: ``%2:float64[x.0] = add x %1``. Regions are indented.

    >>> import numpy as np
    >>> from tracejit.ir import build, dims
    >>> from tracejit.ir.graph import Graph
    >>> x = build.input("x", np.dtype(np.float64), (dims.dim("x", 0),))
    >>> print(to_text(Graph((x,), (build.elementwise("exp", x),))))
    inputs x:float64[x.0]
    %0:float64[x.0] = exp x
    return %0
    """
    return "\n".join(_lines("inputs", graph.inputs, graph.nodes(), graph.checks, graph.outputs))


def _lines(
    word: str,
    inputs: Sequence[Node],
    nodes: Sequence[Node],
    checks: Sequence[_Check],
    outputs: Sequence[Node],
) -> list[str]:
    names = Names()
    declared = ", ".join(f"{names.of(i)}:{names.type(i)}" for i in inputs)
    lines = [f"{word} {declared}".rstrip()]
    for node in nodes:
        if names.inline(node) is not None:
            continue
        lines.append(names.line(node))
        for word, region in zip(node.op.regions, regions_of(node), strict=False):
            head, *inside = _lines(
                word, region.params, region.nodes(), region.checks, region.results
            )
            lines += [f"  {head}", *(f"    {line}" for line in inside)]
    lines.extend(f"check {names.of(c.condition)}  # {c.reason}" for c in checks)
    lines.append("return " + ", ".join(names.of(o) for o in outputs))
    return lines


class Names:
    """Names of nodes, given as they are first asked for."""

    def __init__(self) -> None:
        self.names: dict[Node, str] = {}
        self.count = 0

    def line(self, node: Node) -> str:
        """How `node` is computed."""
        text = f"{node.op.name} {self.operands(node)}".rstrip()
        return f"{self.of(node)}:{self.type(node)} = {text}"

    def of(self, node: Node) -> str:
        """The name of `node`, or its text where it has no line of its own."""
        name = self.names.get(node)
        if name is None:
            name = self.inline(node)
            if name is None:
                name = f"%{self.count}"
                self.count += 1
            self.names[node] = name
        return name

    def inline(self, node: Node) -> str | None:
        """The text of a node that needs no line of its own."""
        rule = RULES.get(node.op)
        return None if rule is None or rule.inline is None else rule.inline(self, node)

    def type(self, node: Node) -> str:
        """The type of `node`."""
        if node.several is None:
            return self._type(node.type)
        return f"({', '.join(map(self._type, node.several))})"

    def _type(self, type: ArrayType) -> str:
        weak = "weak " if type.weak else ""
        shape = ", ".join(map(self.dim, type.shape))
        return f"{weak}{type.dtype}" + (f"[{shape}]" if type.shape else "")

    def dim(self, d: int | Node) -> str:
        """A dimension."""
        return self.of(d) if isinstance(d, Node) else str(d)

    def operands(self, node: Node) -> str:
        """The operands and attributes of `node`."""
        parts = [self.of(a) for a in node.args]
        rule = RULES.get(node.op)
        if rule is not None and rule.static is not None:
            parts.append(rule.static(self, node))
        elif node.attr is not None:
            parts.append(self.attr(node.attr))
        return " ".join(filter(None, parts))

    def index(self, entry: tuple[int | Node, int, int | None]) -> str:
        start, step, axis = entry
        if axis is None:
            return self.dim(start)
        term = f"i{axis}" if step == 1 else f"{step}*i{axis}" if step != -1 else f"-i{axis}"
        return term if start == 0 else f"{self.dim(start)}+{term}".replace("+-", "-")

    def attr(self, attr: Any) -> str:
        if isinstance(attr, Node):
            return self.of(attr)
        if isinstance(attr, tuple):
            return "(" + ", ".join(map(self.attr, attr)) + ")"
        return str(attr)
