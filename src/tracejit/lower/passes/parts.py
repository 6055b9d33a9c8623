"""An array that is written part by part, until nothing is left of what it was made with.

``y = np.empty(n); y[0] = a; y[1:] = b`` puts two parts into an array that has been filled before.
As a concatenation nothing is filled, and each part is computed in loops that others may share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph, rebuild
from tracejit.ir.node import Node, make
from tracejit.lower.writes import place_of


class _Part(NamedTuple):
    """What lies along an axis from the place `start` on, so many elements."""

    start: Dim
    length: Dim
    value: Node


def parts_joined(graph: Graph, layouts: Mapping[str, str]) -> Graph:
    """`graph` with concatenations for arrays that are filled and then overwritten by parts.

    Guarantees: the same values. What somebody reads before all is written stays.
    """
    nodes = graph.nodes()
    writes = [n for n in nodes if n.op is ops.SCATTER]
    if not writes:
        return graph
    users = Counter(a for n in nodes for a in n.args)
    users.update(graph.outputs)
    overwritten = {n.args[0] for n in writes}
    chains = {n: _chain(n, users) for n in writes if n not in overwritten}
    lengths = {n: len(chain) for n, chain in chains.items() if _joined(n, chain) is not None}
    if not lengths:
        return graph

    def rule(node: Node, before: Node) -> Node:
        return _joined(node, _below(node, lengths[before])) or node if before in lengths else node

    return rebuild(graph, rule)


def _chain(node: Node, users: Mapping[Node, int]) -> list[Node]:
    """The writes of which `node` is the last, where nobody else reads the array meanwhile."""
    found = []
    while node.op is ops.SCATTER and node.attr[0] == "set" and not any(node.attr[1]):
        found.append(node)
        node = node.args[0]
        if node.op is ops.SCATTER and users[node] > 1:
            return []
    node = node.args[0] if node.op is ops.ORDERED["C"] else node
    filled = node.op is ops.VIEW and not node.args[0].ndim
    return found if filled else []


def _below(node: Node, count: int) -> list[Node]:
    """So many writes, of which `node` is the last."""
    found = [node]
    while len(found) < count:
        found.append(found[-1].args[0])
    return found


def _joined(node: Node, chain: list[Node]) -> Node | None:
    """What a `chain` of writes leaves, as one concatenation; None where it is none."""
    for axis in range(node.ndim):
        parts = [_part(each, axis) for each in chain]
        found = [p for p in parts if p is not None]
        joined = _in_order(node, axis, found) if len(found) == len(parts) else None
        if joined is not None:
            return joined
    return None


def _in_order(node: Node, axis: int, parts: list[_Part]) -> Node | None:
    """The concatenation of `parts`, if each ends where another one begins."""
    starts = {part.start: part for part in parts}
    place: Dim = 0
    values: list[Node] = []
    while len(values) < len(parts):
        part = starts.get(place)
        if part is None:
            return None
        values.append(build.ordered(part.value, "C"))
        place = dims.add(place, part.length)
    if place != node.shape[axis] or len(parts) < 2:
        return None
    return make(ops.CONCATENATE, tuple(values), (axis, node.shape), node.type, node.origin)


def _part(node: Node, axis: int) -> _Part | None:
    """What a write puts along an axis, whole along the others; None for other writes."""
    _, value, *positions = node.args
    start: Dim | None = None
    left = list(range(value.ndim))
    for k, position in enumerate(positions):
        place = place_of(position)
        if k == axis and not position.ndim and place is None:
            start = dims.from_node(_number(position))
            continue
        if k == axis and place is not None and place.axis is None:
            start = place.start
            continue
        if place is None or place.step != 1 or not left or place.axis != left.pop(0):
            return None
        if k == axis:
            start = place.start
        elif place.start != 0 or value.shape[place.axis] != node.shape[k]:
            return None
    if start is None or left:
        return None
    if value.ndim == node.ndim:
        return _Part(start, value.shape[axis], value)
    return _Part(start, 1, build.expand_dims(value, (axis,)))


def _number(node: Node) -> Node:
    """A place as a number of the trace: what has been cast for the array's sake."""
    if node.op is ops.CONST:
        return dims.as_node(int(build.constant_value(node)))
    return node.args[0] if node.op is ops.CAST and node.args[0].type.weak else node
