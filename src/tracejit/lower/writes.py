"""What is written into the caller's arrays: when that may be done, and what must be known before.

A program writes into an array of the caller's when nothing reads any longer what was there before,
and when it is known that NumPy raises nothing: an entry that gives another code leaves all arrays
as they were, for the plain run to begin anew.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from tracejit.ir import dims, ops
from tracejit.ir.build import constant_value
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph
from tracejit.ir.gufuncs import row_of
from tracejit.ir.inequalities import Ranges
from tracejit.ir.node import Node, postorder
from tracejit.lower import access
from tracejit.lower.access import Access, Index, identity, memory_of
from tracejit.lower.control import LEFT, START, bodies, carried_memory, is_body, regions_in

#: What may write into its operand: a change of some elements, a loop that goes on with it.
OVERWRITING = (ops.SCATTER, ops.PLACE, START)


#: Where elements of an array are overwritten, one after another; None is everywhere.
Places = list[tuple[access.Entry | None, ...]] | None


def written(graph: Graph) -> dict[Node, Node]:
    """The inputs whose memory is written, with the nodes that are there afterwards."""
    return {n.args[0]: n for n in graph.outputs if n.op is ops.ASSIGN}


def versions(node: Node) -> list[Node]:
    """`node`, and what it is a later version of, step by step."""
    found = []
    while True:
        found.append(node)
        if node.op in OVERWRITING:
            node = overwritten(node)
        elif (start := carried_memory(node)) is not None:
            node = start
        else:
            return found


def overwritten(node: Node) -> Node:
    """The operand that a node of an op that is `OVERWRITING` may write into."""
    return node.args[1 if node.op is ops.PLACE else 0]


def held_back(graph: Graph, stored: set[Node]) -> set[Node]:
    """What is computed before anything is written, beside what is `stored` already.

    It reads what is then overwritten: its own array at another place, or another array. So do the
    elements that are put into an array, which then needs no copy.
    """
    writes = written(graph)
    late = are_late(graph)
    # What is written all at once is written when all that reads it is done.
    places = {x: _places(node.args[1], x) for x, node in writes.items()}
    everywhere = dict.fromkeys(writes, None)
    in_place = {x: places[x] for x, node in writes.items() if versions(node.args[1])[-1] is x}
    found = set()
    for x, node in writes.items():
        y = node.args[1]
        if late or _reads_overwritten(y, identity(x.ndim), x, everywhere, stored, graph.ranges):
            found.add(y)
        while y.op is ops.SCATTER and not late:
            base, elements, *positions = y.args
            place = tuple(map(place_of, positions))
            if _reads_overwritten(elements, place, base, in_place, stored, graph.ranges):
                found.add(elements)
            y = base
    return {n for n in found if n.ndim and n.op is not ops.INPUT}


def _reads_overwritten(
    y: Node,
    place: object,
    x: Node,
    writes: Mapping[Node, Places],
    stored: set[Node],
    ranges: Ranges,
) -> bool:
    """Whether `y` reads more of what is overwritten than the element of `x` that it becomes.

    `writes` are the places that are overwritten, by array; None is everywhere.
    """
    if y in stored:
        return False
    for node, index in access.reads(y, identity(y.ndim), stored):
        base = memory_of(node, y, stored)
        if base is x and not (node is x and is_unharmed(index, place, y.shape, ranges)):
            return True
        if base is not x and base in writes:
            places = writes[base]
            if node is not base or places is None or not all(never_meet(index, p) for p in places):
                return True
    return False


def _places(y: Node, x: Node) -> Places:
    """Where an array is overwritten element by element, if it becomes `y` by that alone."""
    found = []
    while y is not x:
        if y.op is not ops.SCATTER:
            return None
        found.append(tuple(map(place_of, y.args[2:])))
        y = y.args[0]
    return found


def is_unharmed(index: Index, place: object, domain: Sequence[Dim], ranges: Ranges) -> bool:
    """Whether what is read at `index` has not been overwritten, at `place`, by other iterations.

    It is the element that is overwritten then, one that is later, or none that ever is: another
    row. Both are index vectors over one `domain`, which is gone through in order.
    """
    if index == place or not isinstance(index, tuple) or not isinstance(place, tuple):
        return index == place
    pairs = list(zip(index, place, strict=True))
    return any(access.apart(a, b, domain, ranges) for a, b in pairs) or _is_later(pairs, domain)


def _is_later(pairs: Iterable[tuple[object, object]], domain: Sequence[Dim]) -> bool:
    """Whether what is read is overwritten by a later iteration, if at all."""
    steps: dict[int, int] = {}
    for read, written in pairs:
        if not (isinstance(read, access.Entry) and isinstance(written, access.Entry)):
            return False
        if read.axis is None and written.axis is None:
            continue  # another row, or the same
        distance = dims.sub(read.start, written.start)
        alike = (read.axis, read.step) == (written.axis, written.step)
        if not alike or not written.step or not isinstance(distance, int):
            return False
        assert written.axis is not None
        steps[written.axis] = distance // written.step  # which there is, or they never meet
    if len(steps) < len(domain):
        return False
    return next((steps[k] > 0 for k in sorted(steps) if steps[k]), True)


def never_meet(index: Index, place: object) -> bool:
    """Whether what is read at `index` is nowhere at `place`, whatever the iterations are."""
    if not isinstance(index, tuple) or not isinstance(place, tuple):
        return False
    return any(_differ(a, b) for a, b in zip(index, place, strict=True))


def _differ(a: object, b: object) -> bool:
    """Whether two entries are always different places."""
    if not (isinstance(a, access.Entry) and isinstance(b, access.Entry)):
        return False
    distance = dims.sub(a.start, b.start)
    return a.axis is None and b.axis is None and isinstance(distance, int) and distance != 0


def place_of(position: Node) -> access.Entry | None:
    """Where an axis is written, as an entry of an index vector; None where it is looked up."""
    if position.op is ops.IOTA:
        return access.Entry(0, 1, 0)
    if position.op is not ops.VIEW or position.args[0].op is not ops.IOTA:
        return None
    index = access.view_index(position, identity(position.ndim))
    assert isinstance(index, tuple) and isinstance(index[0], access.Entry)
    return index[0]


def flat_place(positions: Sequence[Node], shape: Sequence[Dim]) -> Node | None:
    """The place in C order of which `positions` are those along the axes; None where they are not.

    A negative one counts from the end, and what lies outside is so along the first axis.
    """
    at, *rest = positions
    for n, place in zip(shape[1:], rest, strict=True):
        if place.op.name != "remainder" or not _is_length(place.args[1], n):
            return None
    for k, place in enumerate(rest):
        number, n = place.args[0], shape[k + 1]
        if (
            at.op.name != "floor_divide"
            or not _is_length(at.args[1], n)
            or at.args[0] is not number
        ):
            return None
        at = number
    return at if rest else None


def _is_length(node: Node, n: Dim) -> bool:
    while node.op is ops.CAST and node.dtype.kind == node.args[0].dtype.kind == "i":
        node = node.args[0]
    return node is dims.as_node(n) or (node.op is ops.CONST and constant_value(node) == n)


def may_refuse(graph: Graph) -> bool:
    """Whether NumPy may raise for the values of a graph that passes its checks."""
    return any(map(_may_refuse, postorder(graph.outputs)))


def are_late(graph: Graph) -> bool:
    """Whether nothing may be written before all else has been computed.

    What a region writes is its loop's own memory. A few elements are written at once, and put back
    where NumPy raises.
    """
    late = bool(written(graph)) and not is_body(graph) and may_refuse(graph)
    return late and not changes_elements(graph)


def keeps_log(graph: Graph) -> bool:
    """Whether what is written into the caller's arrays is put back where NumPy raises."""
    return may_refuse(graph) and changes_elements(graph)


def changes_elements(graph: Graph) -> bool:
    """Whether of all that is written only elements are, which are looked up, or one by one."""
    writes = written(graph)
    return bool(writes) and all(_changes_elements(n.args[1], x) for x, n in writes.items())


def _changes_elements(y: Node, x: Node) -> bool:
    *later, first = versions(y)
    return first is x and all(map(_is_of_elements, later))


def _is_of_elements(node: Node) -> bool:
    if node.op is START:
        return True
    if node.op is ops.SCATTER:
        return not node.args[1].ndim or any(place_of(p) is None for p in node.args[2:])
    if node.op is ops.PLACE:
        return False
    run, k = (node.args[0], node.attr[0]) if node.op is LEFT else (node, 0)
    return all(_is_of_elements_inside(graph, k) for graph in bodies(run))


def _is_of_elements_inside(graph: Graph, k: int) -> bool:
    """Whether a body changes elements, one by one, of what its result `k` is left in."""
    result = graph.outputs[k]
    if result.op is not ops.ASSIGN:
        return result.op is ops.INPUT
    chain = versions(result.args[1])
    scatters = (n for n in chain if n.op is ops.SCATTER)
    alone = all(not n.args[1].ndim for n in scatters)
    return alone and _changes_elements(result.args[1], result.args[0])


def _may_refuse(node: Node) -> bool:
    op = node.op
    for region in regions_in(node):
        if region.checks or any(map(_may_refuse, region.nodes())):
            return True
    if op is ops.ASSIGN:
        return bool(node.attr)
    if isinstance(op, ops.Elementwise):
        return bool(op.trap) and node.args[0].dtype.kind in op.trap_kinds
    if op is ops.SCATTER:
        return any(node.attr[1])
    if op is ops.GUFUNC:
        return bool(row_of(node).raises)
    return op in (ops.GATHER, ops.DRAW, ops.HOST)


def reads_of(
    versions: Container[Node], reads: list[Access], target: Node
) -> Iterator[tuple[Node, Index]]:
    """Those of `reads` that read the memory of one of these."""
    return ((node, at) for node, at in reads if memory_of(node, target, versions) in versions)
