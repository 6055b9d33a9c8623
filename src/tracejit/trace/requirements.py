"""What must hold of the arguments' values for NumPy to raise nothing, whoever reads the results.

Compiled loops test the elements that they compute. NumPy tests all: what nobody reads, or reads in
part, is required to be right by one more output of the program, which the driver looks at before it
gives a result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from tracejit.ir import build, ops
from tracejit.ir.gufuncs import worked
from tracejit.ir.node import Node, postorder
from tracejit.ir.types import BOOL

#: Reductions that look at every element.
_WHOLE = ("sum", "prod", "min", "max")


class Requirement(NamedTuple):
    """`node` raises in NumPy where `holds`, a scalar over all of `operand`, is false."""

    node: Node
    operand: Node
    holds: Node


def tested_by(requirements: Any, node: Node, other: Node) -> None:
    """Let what is required of the places of the scatter `node` be tested by one in its place."""
    for k, r in enumerate(requirements):
        if r.node is node and r.operand in node.args:
            requirements[k] = r._replace(node=other, operand=other.args[2])


def rewritten(
    nodes: Sequence[Node],
    requirements: Iterable[Requirement],
    rewrite: Callable[[list[Node]], list[Node]],
) -> tuple[list[Node], list[Requirement]]:
    """`nodes` and what is required, both rewritten: what they share is one thing still."""
    known = list(dict.fromkeys(requirements))
    found = rewrite([*nodes, *(node for r in known for node in r)])
    rest = iter(found[len(nodes) :])
    return found[: len(nodes)], [
        Requirement(*three) for three in zip(rest, rest, rest, strict=True)
    ]


def unread(requirements: Iterable[Requirement], outputs: Iterable[Node]) -> Node | None:
    """The conjunction of those that computing `outputs` does not test; None where it tests all."""
    outputs = list(outputs)
    tested = _computed_whole(outputs)
    tested |= {worked(node) for node in postorder(outputs) if node.op is ops.GUFUNC}
    left = [
        build.cast(r.holds, BOOL)
        for r in dict.fromkeys(requirements)
        if r.node not in tested or r.operand not in r.node.args
    ]
    result: Node | None = None
    for holds in left:
        result = holds if result is None else build.elementwise("logical_and", result, holds)
    return result


def _computed_whole(outputs: Iterable[Node]) -> set[Node]:
    """Nodes of which every element is computed on the way to `outputs`."""
    found: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += _read_whole(node)
    return found


def _read_whole(node: Node) -> tuple[Node, ...]:
    """The operands of `node` that it reads whole, whatever the lengths are."""
    op = node.op
    if op is ops.WHERE or op.name == "custom":
        return ()
    if isinstance(op, ops.Elementwise):
        return tuple(a for a in node.args if a.shape == node.shape)
    if isinstance(op, ops.Reduction):
        return node.args if op.name in _WHOLE else ()
    if op is ops.SCATTER:  # the array as it was is copied, or has been written
        base, y, *places = node.args
        return base, y, *(p for p in places if p.shape == y.shape)
    return node.args[1:] if op is ops.GATHER else ()
