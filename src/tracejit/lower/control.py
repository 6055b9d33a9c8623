"""Branches and loops as a schedule sees them: calls that compute one result each.

A node of several results becomes one of the first, which runs its regions, and one for each other
result, which the run leaves. A carried array starts as memory of its own, which holds the start;
the run writes there, and leaves its result in it. So no node has several values, and no pass looks
into a region: a region is a graph of its own, which `body` makes, and is scheduled like another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tracejit.errors import NotTraceable
from tracejit.ir import dims, ops
from tracejit.ir.bounds import most
from tracejit.ir.dims import INT_SCALAR as INT
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph
from tracejit.ir.inequalities import Ranges, never_negative
from tracejit.ir.node import ArrayType, Node, TupleType, make, postorder
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rewrite import replaced, with_operands
from tracejit.ir.rules import roles
from tracejit.ir.rules.control import lengths_outside
from tracejit.ir.rules.record import Roles

#: The first result of each op with regions. attr: those of the op, and the results' types.
RUNS = {
    op: ops.Op(name=f"run {op.name}", dims_in_attr=True) for op in (ops.COND, ops.WHILE, ops.SCAN)
}
#: Another result, of a run; attr: which, and its shape.
LEFT = ops.Op(name="left", dims_in_attr=True)
#: Memory for a carried array that holds its start; attr: a number of the loop, and which.
START = ops.Op(name="start")
_OPS = {run: op for op, run in RUNS.items()}


def flattened(graph: Graph) -> Graph:
    """`graph` with runs for branches and loops."""
    if not any(node.op.regions for node in graph.nodes()):
        return graph
    several: dict[Node, Sequence[Node]] = {}
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        if node.op is ops.TUPLE:
            several[node] = [new[a] for a in node.args]
        elif node.op is ops.ITEM:
            new[node] = several[node.args[0]][node.attr]
        elif node.op in RUNS:
            several[node] = _results(with_operands(node, new), len(several))
        elif node.op.regions:
            raise refusal(node, f"{node.op.name} is not compiled", "use whole-array operations")
        else:
            new[node] = with_operands(node, new)
    checks = tuple(replace(c, condition=new[c.condition]) for c in graph.checks)
    return Graph(graph.inputs, tuple(new[o] for o in graph.outputs), checks)


def refusal(node: Node, reason: str, advice: str) -> NotTraceable:
    """That a node is not compiled, at its line."""
    refused = NotTraceable(reason, advice)
    refused.place = node.origin
    return refused


def _results(node: Node, number: int) -> list[Node]:
    assert node.several is not None
    carried = roles(node).carried
    starts = [
        make(START, (s,), (number, k), s.type, s.origin) if s.ndim else s
        for k, s in enumerate(carried)
    ]
    kinds = tuple((t.dtype, t.weak) for t in node.several)
    operands = (*starts, *node.args[len(starts) :])
    first = make(RUNS[node.op], operands, (*node.attr, kinds), node.several[0], node.origin)
    return results(first)


def results(run: Node) -> list[Node]:
    """All results of a run, itself the first."""
    types = enumerate(_types(run)[1:], 1)
    return [run, *(make(LEFT, (run,), (k, t.shape), t, run.origin) for k, t in types)]


def arrays_left(run: Node) -> tuple[Node, ...]:
    """The results of a run that have memory, whoever reads them, itself excepted."""
    return tuple(node for node in results(run)[1:] if node.ndim)


def is_run(node: Node) -> bool:
    """Whether `node` is a branch or a loop."""
    return node.op in _OPS


def original(run: Node) -> Node:
    """The branch or loop that `run` is the first result of, over its operands."""
    return make(_OPS[run.op], run.args, run.attr[:3], TupleType(_types(run)), run.origin)


def _types(run: Node) -> tuple[ArrayType, ...]:
    _, _, shapes, kinds = run.attr
    return tuple(ArrayType(d, s, w) for s, (d, w) in zip(shapes, kinds, strict=True))


def carried_memory(node: Node) -> Node | None:
    """The start whose memory a result is left in; None for one that is not carried."""
    if not node.ndim or not (is_run(node) or node.op is LEFT):
        return None
    run, k = (node.args[0], node.attr[0]) if node.op is LEFT else (node, 0)
    carried = roles(original(run)).carried
    return carried[k] if k < len(carried) else None


def regions_in(node: Node) -> tuple[Region, ...]:
    """The regions of a branch or loop, or of a run of one."""
    return node.attr[0] if is_run(node) else regions_of(node)


def body(region: Region, parts: Roles, decides: bool) -> Graph:
    """The graph of a region, with results as its program leaves them.

    A carried array is written where it was. Every other array is computed into memory of its own,
    and scalars into registers. One that `decides` gives a scalar alone.
    """
    found: list[Node] = []
    carried = region.results[: len(parts.carried)]  # which are where their parameters were
    for k, result in enumerate(region.results):
        if decides or not result.ndim:
            found.append(result)
        elif k < len(parts.carried):
            found.append(_written(region.params[k], result))
        else:
            while result.op is ops.INPUT or result in (*found, *carried):
                result = _copy(result)
            found.append(result)
    return Graph(region.params, tuple(found), region.checks)


def _written(param: Node, result: Node) -> Node:
    if result is param:
        return param
    if result.op is ops.INPUT:  # which may be written itself
        result = _copy(result)
    return make(ops.ASSIGN, (param, result), False, param.type, result.origin)


def _copy(node: Node) -> Node:
    return make(ops.CAST, (node,), None, node.type, node.origin)


def is_body(graph: Graph) -> bool:
    """Whether `graph` is that of a region: its inputs are its parameters."""
    return any(i.attr[2] < -1 for i in graph.inputs)


def outside(shape: Sequence[Dim], region: Region, parts: Roles) -> tuple[Dim, ...] | None:
    """A shape of a region in terms of what is around; None where only the inside knows it."""
    nodes = replaced([dims.as_node(d) for d in shape], lengths_outside(region, parts))
    return tuple(map(dims.from_node, nodes)) if _are_outside(nodes, region) else None


def room(shape: Sequence[Dim], region: Region, parts: Roles) -> Dim | None:
    """How many elements an array of a region has at most, at any step; None where none knows."""
    if parts.steps is None:
        return None
    step = region.params[len(parts.carried)]
    ranges: Ranges = {step: (0, dims.sub(parts.steps, 1))}
    size: Dim = 1
    for node in replaced([dims.as_node(d) for d in shape], lengths_outside(region, parts)):
        length = most(dims.from_node(node), ranges)
        if length is None or not _are_outside([dims.as_node(length)], region):
            return None
        size = dims.mul(size, _natural(length))
    return size


def _natural(length: Dim) -> Dim:
    """A length that may be below 0 where no step is done."""
    if isinstance(length, int) or never_negative(length, {}):
        return length
    return dims.from_node(make(ops.ELEMENTWISE["maximum"], (length, dims.as_node(0)), None, INT))


def _are_outside(nodes: Sequence[Node], region: Region) -> bool:
    """Whether nodes are computed without what only a region knows."""
    inner = {*region.params}
    numbers = {p.attr[2] for p in region.params}
    return not any(
        node in inner or (node.op is ops.DIM and node.attr[2] in numbers and node.attr[2] < -1)
        for node in postorder(nodes)
    )
