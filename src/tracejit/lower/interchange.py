"""Loops of steps over strided slices, turned inside out: lines of steps, a few side by side.

    for k in range(1, n):                       for i in range(rows):
        d[:, :, k] -= w[:, :, k] * d[:, :, k-1]     for block of sixteen j:
                                                        for k in range(1, n):
                                                            for j in block: ...

Each step goes through arrays across the rows of memory, a line of the cache for each element. Where
what a step does at a point needs nothing of other points, all steps may be done there first: then
memory is read along its rows. Sixteen lines go side by side: each waits for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tracejit.ir import ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, postorder
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rules import roles
from tracejit.ir.rules.record import Roles
from tracejit.lower.access import Entry, memory_of, read_for
from tracejit.lower.control import outside
from tracejit.lower.inplace import memory_taken
from tracejit.lower.program import (
    Computation,
    Control,
    Kind,
    Lines,
    Loop,
    Plain,
    Program,
    computations_of,
)
from tracejit.lower.writes import place_of

#: How many lines go side by side, as a power of two.
SIDE_BY_SIDE = 4

#: Where the axes of the loops are in an array that is written: the axis, and its entry.
_Axes = dict[int, tuple[int, Entry]]


class Touched(NamedTuple):
    """What loops touch: their lengths, and the memory that is read and written, with where.

    None is anywhere; an entry of an index that is None, somewhere along that axis.
    """

    extents: tuple[Dim, ...]
    reads: list[tuple[Node, object]]
    writes: list[tuple[Node, object]]


def lines_of(control: Control) -> Lines | None:
    """The loops of a body that are to go around its loop of steps; None where they are not."""
    if (steps := steps_over_arrays(control)) is None:
        return None
    program, region, parts = steps
    found = touched(program.items, program)
    if found is None:
        return None
    index = region.params[len(parts.carried)]
    count = moving_before(found, index, 0)
    extents = outside(found.extents[:count], region, parts)
    checked = read_for([c.condition for c in program.graph.checks], program.stored)
    found.reads.extend((memory_for(node, program), None) for node, _ in checked)
    written = alone([found], count) if count else None
    entries = [e for axes in (written or {}).values() for _, e in axes.values()]
    if not written or extents is None or any(_moves((e,), index) for e in entries):
        return None
    if count < len(found.extents):
        return Lines(extents, 0)
    read = {m for m, at in found.reads if _by_rows(at, count)}
    layouts = program.layouts
    fetched = (k for k, p in enumerate(region.params) if p in read and layouts[p.attr[0]] == "C")
    return Lines(extents, SIDE_BY_SIDE, tuple(fetched))


def steps_over_arrays(control: Control) -> tuple[Program, Region, Roles] | None:
    """The step of a loop that carries arrays and gives nothing else; None of other nodes."""
    if control.node.op is not ops.SCAN or control.own or len(control.programs) > 1:
        return None
    [program], [region] = control.programs, regions_of(control.node)
    parts = roles(control.node)
    assert control.node.several is not None
    carries_all = len(control.node.several) == len(parts.carried)
    if not carries_all or parts.sequences or not all(s.ndim for s in parts.carried):
        return None
    return program, region, parts


def touched(items: Iterable[Loop | Computation], program: Program) -> Touched | None:
    """What perfect nests of the same lengths, and scalars, touch; None where there is more."""
    nests = [_nest(item, program) for item in items]
    loops = [nest for nest in nests if nest]
    if not loops or any(nest is None for nest in nests):
        return None
    extents = tuple(loop.extent for loop in loops[0])
    if any(tuple(loop.extent for loop in nest) != extents for nest in loops):
        return None
    found = Touched(extents, [], [])
    for c in (c for item in items for c in computations_of(item)):
        found.reads.extend(_reads(c, program))
        found.writes.extend(writes_of(c, program))
    return found


def alone(each: Sequence[Touched], count: int) -> dict[Node, _Axes] | None:
    """Whether points along the first `count` loops need nothing of each other.

    Each writes elements of its own, and of the arrays that are written reads no others. These come
    with the axes along which the loops go.
    """
    written: dict[Node, _Axes] = {}
    for memory, at in (write for one in each for write in one.writes):
        axes = _axes(at, count)
        if len(axes) < count or written.setdefault(memory, axes) != axes:
            return None
    reads = (read for one in each for read in one.reads)
    fits = all(memory not in written or _same(at, written[memory]) for memory, at in reads)
    return written if fits else None


def _axes(at: object, count: int) -> _Axes:
    """The axes along which loops go through an array, where its elements are at an index."""
    if not isinstance(at, tuple):
        return {}
    found: _Axes = {}
    for k, e in enumerate(at):
        if isinstance(e, Entry) and e.axis is not None and e.axis < count and e.step:
            found[e.axis] = k, e
    return found


def _same(at: object, axes: _Axes) -> bool:
    """Whether what is read there belongs to the same point."""
    return isinstance(at, tuple) and all(at[k] == entry for k, entry in axes.values())


def moving_before(found: Touched, index: Node, otherwise: int | None = None) -> int:
    """How many outer loops go along axes that come before one along which writes move by steps.

    Where none moves it is `otherwise`: all.
    """
    each = (_before(at, index) for _, at in found.writes if _moves(at, index))
    return min(each, default=len(found.extents) if otherwise is None else otherwise)


def _before(at: object, index: Node) -> int:
    """How many of the outer loops go along axes that come before the one of the steps."""
    assert isinstance(at, tuple)
    steps = next(k for k, e in enumerate(at) if _moves((e,), index))
    before = {e.axis for e in at[:steps] if isinstance(e, Entry) and e.step}
    return next(k for k in range(len(at)) if k not in before)


def _moves(at: object, index: Node) -> bool:
    """Whether a place depends on the number of the step."""
    entries = at if isinstance(at, tuple) else ()
    starts = [e.start for e in entries if isinstance(e, Entry) and isinstance(e.start, Node)]
    return index in postorder(starts)


def _by_rows(at: object, count: int) -> bool:
    """Whether a point reads what lies along a row of memory of its own."""
    if not isinstance(at, tuple) or len(at) != count + 1:
        return False
    return all(isinstance(e, Entry) and (e.step, e.axis) == (1, k) for k, e in enumerate(at[:-1]))


def _nest(item: Loop | Computation, program: Program) -> list[Loop] | None:
    """The loops of a perfect nest; none for a scalar, None for what is neither."""
    if isinstance(item, Computation):
        return [] if item.kind is Kind.MAP and not item.target.ndim else None
    chain = [item]
    while len(chain[-1].items) == 1 and isinstance(chain[-1].items[0], Loop):
        chain.append(chain[-1].items[0])
    right = all(
        isinstance(c, Computation)
        and c.kind in (Kind.MAP, Kind.SCATTER)
        and c.order == tuple(range(len(chain)))
        and not any(b.late for b in program.buffers[c.target])
        for c in chain[-1].items
    )
    return chain if right and all(loop.style == Plain() for loop in chain) else None


def writes_of(c: Computation, program: Program) -> Iterator[tuple[Node, object]]:
    """What a computation writes of memory, and where."""
    if not program.buffers[c.target]:
        return
    places: object = tuple(Entry(0, 1, k) for k in range(len(c.domain)))
    if c.kind is Kind.SCATTER:
        places = tuple(map(place_of, c.positions))
    elif c.partial or c.reduced:
        places = None
    if c.target.op is ops.ASSIGN:
        yield c.target.args[0], places
        return
    taken = memory_taken(c.target, program)
    others = [b.node for b in program.buffers[c.target][1:]]
    for node in (memory_for(taken, program), *others):
        yield node, places


def memory_for(node: Node, program: Program) -> Node:
    """What stands for the memory that a node has: an input, or the first that has its buffer."""
    taken = memory_taken(node, program)
    buffers = program.buffers.get(taken)
    return buffers[0].node if buffers and not buffers[0].home else taken


def _reads(c: Computation, program: Program) -> Iterator[tuple[Node, object]]:
    """What a computation reads, and where; the whole that it writes into is no such thing."""
    for node, at in c.reads:
        if isinstance(at, tuple) and any(
            isinstance(e, Entry) and e.axis is not None and e.axis >= len(c.domain) for e in at
        ):
            continue
        source = memory_of(node, c.target, program.stored)
        yield memory_for(source, program), at if source is node else None
