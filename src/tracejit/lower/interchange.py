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

from collections.abc import Iterator

from tracejit.ir import ops
from tracejit.ir.node import Node, postorder
from tracejit.ir.region import regions_of
from tracejit.ir.rules import roles
from tracejit.lower.access import Entry, Index, memory_of
from tracejit.lower.control import outside
from tracejit.lower.inplace import memory_taken
from tracejit.lower.program import Computation, Control, Kind, Lines, Loop, Plain, Program
from tracejit.lower.writes import place_of

#: How many lines go side by side, as a power of two.
SIDE_BY_SIDE = 4

#: Where the axes of the loops are in an array that is written: the axis, and its entry.
_Axes = dict[int, tuple[int, Entry]]


def lines_of(control: Control) -> Lines | None:
    """The loops of a body that are to go around its loop of steps; None where they are not."""
    if control.node.op is not ops.SCAN or control.own or len(control.programs) > 1:
        return None
    [program], [region] = control.programs, regions_of(control.node)
    parts = roles(control.node)
    assert control.node.several is not None
    carries_all = len(control.node.several) == len(parts.carried)
    if not carries_all or parts.sequences or not all(s.ndim for s in parts.carried):
        return None
    nests = [_nest(item, program) for item in program.items]
    loops = [nest for nest in nests if nest]
    if program.controls or not all(nest is not None for nest in nests) or not loops:
        return None
    extents = tuple(loop.extent for loop in loops[0])
    if any(tuple(loop.extent for loop in nest) != extents for nest in loops):
        return None
    known = outside(extents, region, parts)
    computations = [c for nest in loops for c in nest[-1].items if isinstance(c, Computation)]
    index = region.params[len(parts.carried)]
    written: dict[Node, _Axes] = {}
    if known is None or not all(
        _fits(memory, at, len(extents), index, written)
        for c in computations
        for memory, at in _writes(c, program)
    ):
        return None
    alone = all(
        memory not in written or _same(at, written[memory])
        for c in computations
        for memory, at in _reads(c, program)
    )
    across = any(
        isinstance(at, tuple) and len(at) > len(extents) and _moves(at[-1], index)
        for c in computations
        for _, at in _writes(c, program)
    )
    if not alone or not across:
        return None
    read = {m for c in computations for m, at in _reads(c, program) if _by_rows(at, len(extents))}
    layouts = program.layouts
    fetched = (k for k, p in enumerate(region.params) if p in read and layouts[p.attr[0]] == "C")
    return Lines(known, tuple(fetched))


def _by_rows(at: Index | None, count: int) -> bool:
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


def _writes(c: Computation, program: Program) -> Iterator[tuple[Node, object]]:
    """What a computation writes, and where."""
    places: object = tuple(Entry(0, 1, k) for k in range(len(c.domain)))
    if c.kind is Kind.SCATTER:
        places = tuple(map(place_of, c.positions))
    elif c.partial or c.reduced:
        places = None
    memory = c.target.args[0] if c.target.op is ops.ASSIGN else memory_taken(c.target, program)
    yield memory, places


def _reads(c: Computation, program: Program) -> Iterator[tuple[Node, Index | None]]:
    """What a computation reads, and where; the whole that it writes into is no such thing."""
    for node, at in c.reads:
        if isinstance(at, tuple) and any(
            isinstance(e, Entry) and e.axis is not None and e.axis >= len(c.domain) for e in at
        ):
            continue
        source = memory_of(node, c.target, program.stored)
        yield memory_taken(source, program), at if source is node else None


def _fits(memory: Node, at: object, count: int, index: Node, written: dict[Node, _Axes]) -> bool:
    """Whether each point writes elements of its own, whatever the step is."""
    if not isinstance(at, tuple) or not all(isinstance(e, Entry) for e in at):
        return False
    axes = {e.axis: (k, e) for k, e in enumerate(at) if e.axis is not None and e.step}
    if len(axes) < count or any(_moves(e, index) for _, e in axes.values()):
        return False
    return written.setdefault(memory, axes) == axes


def _same(at: Index | None, axes: _Axes) -> bool:
    """Whether what is read there belongs to the same point."""
    return isinstance(at, tuple) and all(at[k] == entry for k, entry in axes.values())


def _moves(entry: object, index: Node) -> bool:
    """Whether an entry depends on the number of the step."""
    if not isinstance(entry, Entry) or not isinstance(entry.start, Node):
        return False
    return index in postorder([entry.start])
