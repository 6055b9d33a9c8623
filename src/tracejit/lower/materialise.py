"""Which nodes live in memory. Everything else is inlined into what reads it."""

from __future__ import annotations

from collections.abc import Mapping

from tracejit.ir import ops
from tracejit.ir.graph import Graph, rebuild, with_operands
from tracejit.ir.node import Node, make
from tracejit.lower.antidependence import read_before
from tracejit.lower.computations import is_filled
from tracejit.lower.placement import op_cost, placement
from tracejit.lower.target import Costs
from tracejit.lower.writes import held_back, written


def materialise(graph: Graph, costs: Costs) -> list[Node]:
    """The stored nodes of `graph`, operands first.

    Needs: a simplified graph in which reshapes have contiguous operands.
    Guarantees: outputs (but inputs), reductions, scans and library operands are stored; what a
    reshape, gather or matmul reads is an input or stored; an expensive value is computed once.
    """
    nodes = graph.nodes()
    known = set(nodes)
    nodes += [left for node in nodes for left in placement(node).leaves(node) if left not in known]
    users: dict[Node, list[Node]] = {n: [] for n in nodes}
    for node in nodes:
        for arg in node.args:
            users[arg].append(node)
    stored: set[Node] = {o for o in graph.outputs if o.op is not ops.INPUT}
    filled = {o for o in stored if is_filled(o)}
    parted = {a for o in filled for a in o.args if a.op is ops.CONCATENATE and a not in stored}
    for node in nodes:
        if node in filled or (node in parted and len(users[node]) == 1):
            continue
        placed = placement(node)
        if placed.stored:
            stored.add(node)
        needed = (*placed.memory(node), *placed.flat(node))
        stored.update(a for a in needed if a.op is not ops.INPUT)
    _cut(nodes, stored, costs.largest_body)
    _store_expensive(nodes, users, stored, costs)
    stored |= held_back(graph, stored)
    stored |= read_before(graph, nodes, stored)
    return [n for n in nodes if n in stored]


def contiguous(graph: Graph, layouts: Mapping[str, str]) -> Graph:
    """`graph` with a copy of what is read as contiguous memory, and lies in a strided input.

    That is such an input, and what it is after some of its elements have been written.
    """
    writes = written(graph)

    def is_strided(x: Node) -> bool:
        base = x
        while base.op is ops.SCATTER:
            base = base.args[0]
        in_input = base.op is ops.INPUT and layouts[base.attr[0]] != "C"
        return in_input and (base is x or base in writes)

    def rule(node: Node, before: Node) -> Node:
        placed = placement(node)
        strided = {x for x in placed.flat(node) if x not in placed.strided(node) and is_strided(x)}
        copies = {
            a: make(ops.CAST, (a,), None, a.type, a.origin)
            for a in node.args
            if _seen_in(a) in strided
        }
        return with_operands(node, copies) if copies else node

    return rebuild(graph, rule)


def _seen_in(node: Node) -> Node:
    """The array that a view, or what has another shape, is of."""
    while node.op in (ops.VIEW, ops.RESHAPE) and node.args[0].ndim:
        node = node.args[0]
    return node


def _cut(nodes: list[Node], stored: set[Node], largest_body: int) -> None:
    """Store a value now and then where very many would be computed in one loop."""
    size = 0
    for node in nodes:
        size += own_cost(node)
        if size > largest_body and node.ndim and isinstance(node.op, ops.Elementwise):
            stored.add(node)
        if node in stored:
            size = 0


def own_cost(node: Node) -> int:
    """What an element of `node` costs, without its operands."""
    return op_cost(node) if node.ndim else 0


def _store_expensive(
    nodes: list[Node], users: Mapping[Node, list[Node]], stored: set[Node], costs: Costs
) -> None:
    """Add what is better kept than computed again, users first so that the roots are known."""
    cost: dict[Node, int] = {}
    for node in nodes:
        cost[node] = _cost(node, cost, stored)
    roots: dict[Node, set[Node]] = {}
    for node in reversed(nodes):
        readers: set[Node] = set()
        for user in users[node]:
            readers.update((user,) if user in stored else roots.get(user, ()))
        roots[node] = readers
        if node in stored or not node.ndim or cost[node] == 0:
            continue
        moved = len(users[node]) > 1 and any(u.op is ops.VIEW for u in users[node])
        rebroadcast = any(_broadcasts_outer(u) for u in users[node])
        gathered = any(u.op is ops.GATHER for u in users[node])
        # A store waits for its address, and all loads behind it may be of that place.
        place = any(u.op is ops.SCATTER and node in u.args[2:] for u in users[node])
        if (
            (cost[node] > costs.recompute and place)
            or (cost[node] > costs.recompute and (len(readers) > 1 or moved))
            or (cost[node] > costs.rebroadcast and rebroadcast)
            or (cost[node] > costs.recompute and gathered and len(users[node]) > 1)
        ):
            stored.add(node)


def _cost(node: Node, cost: Mapping[Node, int], stored: set[Node]) -> int:
    """What an element costs beyond loads, in additions; 0 for what is only moved."""
    own = placement(node).cost or op_cost(node)
    return own + sum(cost[a] for a in node.args if a not in stored and a.ndim)


def _broadcasts_outer(node: Node) -> bool:
    """Whether a view repeats its operand over an axis outside one that the operand has."""
    if node.op is not ops.VIEW:
        return False
    axes = {axis for _, step, axis in node.attr[1] if axis is not None and step}
    if not axes:
        return False
    return any(k not in axes and d != 1 for k, d in enumerate(node.shape[: max(axes)]))
