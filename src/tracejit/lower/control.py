"""Branches and loops as a schedule sees them: calls that compute one result each.

A node of several results becomes one of the first, which runs its regions, and one for each other
result, which the run leaves. A carried array starts as memory of its own, which holds the start;
the run writes there, and leaves its result in it. So does a branch with an array that one of its
sides changes. So no node has several values, and no pass looks into a region: a region is a graph
of its own, which `body` makes, and is scheduled like another.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

from tracejit.errors import NotTraceable
from tracejit.ir import dims, ops
from tracejit.ir.bounds import most
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph
from tracejit.ir.inequalities import Ranges, never_negative
from tracejit.ir.node import ArrayType, Node, TupleType, make, postorder
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rewrite import replaced, with_operands
from tracejit.ir.rules import roles
from tracejit.ir.rules.control import lengths_outside
from tracejit.ir.rules.record import Roles

#: The first result of each op with regions. attr: those of the op, the results' types, and for each
#: result the parameter whose memory it is left in, or None.
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
    changed = {node.args[0] for node in graph.outputs if node.op is ops.ASSIGN}
    for node in graph.nodes():
        if node.op is ops.TUPLE:
            several[node] = [new[a] for a in node.args]
        elif node.op is ops.ITEM:
            new[node] = several[node.args[0]][node.attr]
        elif node.op in RUNS:
            places = _places(node, changed)
            several[node] = _results(with_operands(node, new), len(several), places)
        elif node.op.regions:
            raise refusal(node, f"{node.op.name} is not compiled", "use whole-array operations")
        else:
            new[node] = with_operands(node, new)
    checks = tuple(replace(c, condition=new[c.condition]) for c in graph.checks)
    return replace(graph, outputs=tuple(new[o] for o in graph.outputs), checks=checks)


def refusal(node: Node, reason: str, advice: str) -> NotTraceable:
    """That a node is not compiled, at its line."""
    refused = NotTraceable(reason, advice)
    refused.place = node.origin
    return refused


def _places(node: Node, changed: Container[Node]) -> tuple[int | None, ...]:
    """For each result, the parameter whose memory it is left in.

    Of a branch that is an array which a side changes; `changed` are the inputs that are.
    """
    assert node.several is not None
    if node.op is not ops.COND:
        count = len(roles(node).carried)
        return tuple(k if k < count and t.ndim else None for k, t in enumerate(node.several))
    found: list[int | None] = []
    for k, type in enumerate(node.several):
        bases = [(r, r.results[k], _base(r.results[k])) for r in regions_of(node) if type.ndim]
        places = []
        for region, result, base in sorted(bases, key=lambda each: each[1] is each[2]):
            place = region.params.index(base) if base in region.params else None
            if place is None or (base is result and not _is_version(node.args[1 + place], changed)):
                continue
            if place not in found and region.params[place].type == result.type:
                places.append(place)
        found.append(places[0] if places else None)
    return tuple(found)


def _base(node: Node) -> Node | None:
    """What an array is a later version of, as far as that can be seen."""
    while node.op in (ops.SCATTER, ops.ITEM):
        if node.op is ops.SCATTER:
            node = node.args[0]
            continue
        [run] = node.args
        place = _places(run, ())[node.attr] if run.op in RUNS else None
        if place is None:
            return None
        node = run.args[place + (run.op is ops.COND)]
    return node if node.op is ops.INPUT else None


def _is_version(node: Node, changed: Container[Node]) -> bool:
    """Whether an array is one that is changed step by step."""
    return node in changed or node.op in (ops.SCATTER, ops.ITEM)


def _results(node: Node, number: int, places: tuple[int | None, ...]) -> list[Node]:
    assert node.several is not None
    first = len(roles(node).control) if node.op is ops.COND else 0
    operands = list(node.args)
    for k in (first + place for place in places if place is not None):
        s = operands[k]
        operands[k] = make(START, (s,), (number, k - first), s.type, s.origin)
    kinds = tuple((t.dtype, t.weak) for t in node.several)
    attr = (*node.attr, kinds, places)
    run = make(RUNS[node.op], tuple(operands), attr, node.several[0], node.origin)
    return results(run)


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
    _, _, shapes, kinds, _ = run.attr
    return tuple(ArrayType(d, s, w) for s, (d, w) in zip(shapes, kinds, strict=True))


def carried_memory(node: Node) -> Node | None:
    """The start whose memory a result is left in; None for one that is not carried."""
    if not node.ndim or not (is_run(node) or node.op is LEFT):
        return None
    run, k = (node.args[0], node.attr[0]) if node.op is LEFT else (node, 0)
    place = places_of(run)[k]
    return None if place is None else run.args[place + (_OPS[run.op] is ops.COND)]


def places_of(run: Node) -> tuple[int | None, ...]:
    """For each result of a run, the parameter whose memory it is left in, if there is one."""
    places: tuple[int | None, ...] = run.attr[4]
    return places


def regions_in(node: Node) -> tuple[Region, ...]:
    """The regions of a branch or loop, or of a run of one."""
    return node.attr[0] if is_run(node) else regions_of(node)


def body(region: Region, places: Sequence[int | None], decides: bool) -> Graph:
    """The graph of a region, with results as its program leaves them.

    One that has a place is written where that parameter was. Every other array is computed into
    memory of its own, and scalars into registers. One that `decides` gives a scalar alone.
    """
    found: list[Node] = []
    own = [None] * len(region.results) if decides else places
    left = {r for r, place in zip(region.results, own, strict=True) if place is not None}
    for result, place in zip(region.results, own, strict=True):
        if decides or not result.ndim:
            found.append(result)
        elif place is not None:
            found.append(_written(region.params[place], result))
        else:
            while result.op is ops.INPUT or result in found or result in left:
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


def bodies(run: Node) -> list[Graph]:
    """The graphs of what a run repeats or chooses from, with runs for what is inside."""
    node, places = original(run), places_of(run)
    regions = regions_of(node)[roles(node).tests :]
    return [flattened(body(region, places, decides=False)) for region in regions]


def is_body(graph: Graph) -> bool:
    """Whether `graph` is that of a region: its inputs are its parameters."""
    return any(i.attr[2] < -1 for i in graph.inputs)


def outside(shape: Sequence[Dim], region: Region, parts: Roles) -> tuple[Dim, ...] | None:
    """A shape of a region in terms of what is around; None where only the inside knows it."""
    nodes = replaced([dims.as_node(d) for d in shape], lengths_outside(region, parts))
    return tuple(map(dims.from_node, nodes)) if _are_outside(nodes, region) else None


def ranges_in(region: Region, parts: Roles) -> Ranges:
    """Between what the number of a step is, in terms of what the region knows."""
    if parts.steps is None:
        return {}
    step = region.params[len(parts.carried)]
    known = {given: inner for inner, given in lengths_outside(region, parts).items()}
    [count] = replaced([dims.as_node(parts.steps)], known)
    inside = {*region.params, *known.values()}
    if all(node in inside or node.op is ops.CONST for node in postorder([count]) if not node.args):
        return {step: (0, dims.sub(dims.from_node(count), 1))}
    return {step: (0, step)}


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
    return dims.maximum(length, 0)


def _are_outside(nodes: Sequence[Node], region: Region) -> bool:
    """Whether nodes are computed without what only a region knows.

    Its parameters are told by their level: their lengths may be in terms of what is around.
    """
    levels = {p.attr[2] for p in region.params}
    return not any(
        node.op in (ops.INPUT, ops.DIM) and node.attr[2] in levels and node.attr[2] < -1
        for node in postorder(nodes)
    )
