"""Which nodes live in memory. Everything else is inlined into what reads it."""

from __future__ import annotations

from collections.abc import Mapping

from tracejit.ir import ops
from tracejit.ir.graph import Graph, rebuild, with_operands
from tracejit.ir.node import Node, make
from tracejit.lower.masks import MASKED, is_part, reads_strided

#: A value read by several computations is stored when computing it again costs more than this.
RECOMPUTE = 8
#: What a loop computes at each point, at most, in additions: LLVM's time grows faster than a body.
LARGEST_BODY = 1000
#: A value broadcast over an outer axis is stored when it costs more than this.
REBROADCAST = 1

_ALWAYS = (ops.CONCATENATE, ops.ACCUMULATE, ops.SCATTER, ops.MATMUL)
#: What is one call of compiled code for whole arrays.
_CALLS = (ops.SORT, ops.ARGSORT, ops.MIDDLE, ops.DRAW, ops.ADVANCE, *MASKED)
_LEAVES = (ops.INPUT, ops.CONST, ops.DIM, ops.POLY, ops.IOTA)


def materialise(graph: Graph) -> list[Node]:
    """The stored nodes of `graph`, operands first.

    Needs: a simplified graph in which reshapes have contiguous operands.
    Guarantees: outputs (but inputs), reductions, scans and library operands are stored; what a
    reshape, gather or matmul reads is an input or stored; an expensive value is computed once.
    """
    nodes = graph.nodes()
    # A draw leaves a state, whether or not it is asked for.
    drawn = {n.args[0] for n in nodes if n.op is ops.ADVANCE}
    for node in [n for n in nodes if n.op is ops.DRAW and n not in drawn]:
        nodes.append(make(ops.ADVANCE, (node,), None, node.args[0].type))
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
        if isinstance(node.op, ops.Reduction) or node.op in _ALWAYS or is_library(node):
            stored.add(node)
        stored.update(a for a in _memory_operands(node) if a.op is not ops.INPUT)
    _cut(nodes, stored)
    _store_expensive(nodes, users, stored)
    return [n for n in nodes if n in stored]


def _memory_operands(node: Node) -> tuple[Node, ...]:
    """The operands that `node` needs in memory."""
    if node.op is ops.GATHER:
        return node.args[:1]
    if node.op is ops.MATMUL:
        return tuple(matrix_source(a)[0] for a in node.args)
    return reads_flat(node)


def is_library(node: Node) -> bool:
    """Whether `node` is an array op for which NumPy's own code is called: a sort, a ufunc's loop.

    For an array the call costs little, and NumPy's loops are good; one scalar at a time it would
    cost ten times the work.
    """
    op = node.op
    if op in _CALLS:
        return True
    if not isinstance(op, ops.Elementwise) or not node.ndim or op is ops.WHERE:
        return False
    return op.called(a.dtype.kind for a in node.args) and op.ufunc.nout == 1


def reads_flat(node: Node) -> tuple[Node, ...]:
    """The array operands that `node` reads as contiguous memory in C order."""
    if node.op is ops.RESHAPE:
        return tuple(a for a in node.args if a.ndim)
    if is_library(node):
        return tuple(in_memory(a) for a in node.args if a.ndim and not is_part(node, a))
    return ()


def is_filled(node: Node) -> bool:
    """Whether a stored reshape needs no operand in memory: its own is filled by position."""
    return node.op is ops.RESHAPE and bool(node.ndim and node.args[0].ndim)


def in_memory(node: Node) -> Node:
    """What a library reads for an operand: for a reshape what it is made of, as nothing moves."""
    while node.op is ops.RESHAPE and node.args[0].ndim:
        node = node.args[0]
    return node


def contiguous(graph: Graph, layouts: Mapping[str, str]) -> Graph:
    """`graph` with a copy of each strided input that is read as contiguous memory."""

    def rule(node: Node, before: Node) -> Node:
        strided = {
            x: make(ops.CAST, (x,), None, x.type, x.origin)
            for x in reads_flat(node)
            if x.op is ops.INPUT and layouts[x.attr[0]] != "C" and not reads_strided(node, x)
        }
        return with_operands(node, strided) if strided else node

    return rebuild(graph, rule)


def matrix_source(node: Node) -> tuple[Node, bool]:
    """The array that a matmul reads for this operand, and whether it reads it transposed."""
    if node.op is ops.VIEW and node.ndim == 2:
        index, (x,) = node.attr[1], node.args
        if index == ((0, 1, 1), (0, 1, 0)) and node.shape == x.shape[::-1]:  # all of it
            return x, True
    return node, False


def _cut(nodes: list[Node], stored: set[Node]) -> None:
    """Store a value now and then where very many would be computed in one loop."""
    size = 0
    for node in nodes:
        size += own_cost(node)
        if size > LARGEST_BODY and node.ndim and isinstance(node.op, ops.Elementwise):
            stored.add(node)
        if node in stored:
            size = 0


def own_cost(node: Node) -> int:
    """What an element of `node` costs, without its operands."""
    return _op_cost(node) if node.ndim else 0


def _op_cost(node: Node) -> int:
    if not isinstance(node.op, ops.Elementwise):
        return 0
    if node.op.name == "absolute" and node.args[0].dtype.kind == "c":
        return ops.TRANSCENDENTAL
    return node.op.cost


def _store_expensive(
    nodes: list[Node], users: Mapping[Node, list[Node]], stored: set[Node]
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
        if node in stored or not node.ndim or node.op in _LEAVES or cost[node] == 0:
            continue
        moved = len(users[node]) > 1 and any(u.op is ops.VIEW for u in users[node])
        rebroadcast = any(_broadcasts_outer(u) for u in users[node])
        gathered = any(u.op is ops.GATHER for u in users[node])
        if (
            (cost[node] > RECOMPUTE and (len(readers) > 1 or moved))
            or (cost[node] > REBROADCAST and rebroadcast)
            or (cost[node] > RECOMPUTE and gathered and len(users[node]) > 1)
        ):
            stored.add(node)


def _cost(node: Node, cost: Mapping[Node, int], stored: set[Node]) -> int:
    """What an element costs beyond loads, in additions; 0 for what is only moved."""
    own = _op_cost(node)
    if node.op is ops.GATHER:
        own = ops.DIVISION
    return own + sum(cost[a] for a in node.args if a not in stored and a.ndim)


def _broadcasts_outer(node: Node) -> bool:
    """Whether a view repeats its operand over an axis outside one that the operand has."""
    if node.op is not ops.VIEW:
        return False
    axes = {axis for _, step, axis in node.attr[1] if axis is not None and step}
    if not axes:
        return False
    return any(k not in axes and d != 1 for k, d in enumerate(node.shape[: max(axes)]))
