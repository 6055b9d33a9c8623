"""The order in which stored nodes are computed, where it decides how much memory they take."""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.ir import ops
from tracejit.ir.node import Node


def products_early(nodes: Sequence[Node]) -> list[Node]:
    """`nodes` with each matrix product that only a result needs as soon as it can be computed.

    A gradient of weights reads an activation and a cotangent; once it is computed, both may be
    dead. In the order of the graph such products would stand at the end, and all their operands be
    kept until then.
    """
    stored = set(nodes)
    if not any(n.op is ops.MATMUL for n in nodes):
        return list(nodes)
    needs = {n: _stored_below(n, stored) for n in nodes}
    readers: dict[Node, set[Node]] = {n: set() for n in nodes}
    for n in nodes:
        for d in needs[n]:
            readers[d].add(n)
    groups: list[tuple[list[Node], set[Node]]] = []
    for n in nodes:
        if readers[n]:
            continue
        group = [d for d in nodes if d in needs[n] and d.op is ops.MATMUL and readers[d] == {n}]
        if group or n.op is ops.MATMUL:
            group.append(n)
            groups.append((group, {d for m in group for d in needs[m]} - set(group)))
    moved = {n for group, _ in groups for n in group}
    order: list[Node] = []
    placed: set[Node] = set()

    def place_ready() -> None:
        for item in list(groups):
            if item[1] <= placed:
                groups.remove(item)
                order.extend(item[0])
                placed.update(item[0])

    place_ready()
    for n in nodes:
        if n not in moved:
            order.append(n)
            placed.add(n)
            place_ready()
    return order


def _stored_below(node: Node, stored: set[Node]) -> set[Node]:
    """The stored nodes that `node` is computed from, without passing through another."""
    found: set[Node] = set()
    seen: set[Node] = set()
    stack = [*node.args, *node.dims]
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        if n in stored:
            found.add(n)
        else:
            stack += [*n.args, *n.dims]
    return found
