"""Which loops of a nest the threads of a grid share: those whose iterations do not know each other.

From the outermost loop inwards, as long as each holds one loop and nothing else; at most three.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.access import Access, Entry, memory_of
from tracejit.lower.computations import read_to_scatter
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program, computations_in
from tracejit.lower.writes import place_of

_AXES = 3
#: What is written by no loops of ours.
_ELSEWHERE = (Kind.LIBRARY, Kind.MATMUL)


def spread(nest: Loop, program: Program) -> list[Loop]:
    """The loops of `nest` that threads share, outermost first; none where one thread does all."""
    found: list[Loop] = []
    loop: Loop | None = nest
    while loop is not None and len(found) < _AXES and are_alone(loop, nest, program):
        found.append(loop)
        [*rest] = loop.items
        loop = rest[0] if len(rest) == 1 and isinstance(rest[0], Loop) else None
    return found


def are_alone(
    loop: Loop, nest: Loop, program: Program, besides: Sequence[Computation] = ()
) -> bool:
    """Whether each iteration of `loop` writes, and reads of what the nest writes, its own part.

    Of what is computed `besides`, nothing is asked but what it reads.
    """
    inside = computations_in(nest)
    if any(loop not in c.loops for c in inside):
        return False
    #: By memory, along which of its axes iterations are apart, and where each is.
    written: dict[int | str, tuple[int, Entry]] = {}
    for c in inside:
        if c in besides:
            continue
        place = _written_at(c, loop)
        if place is None:
            return False
        for buffer in program.buffers[c.target]:
            if not loop.has(Flat) and place[0] not in buffer.axes:
                return False  # a row of memory that all iterations use in turn
            memory = buffer.home or id(buffer)
            if written.setdefault(memory, place) != place:
                return False
    return all(
        _own(node, index, c, loop, program, written)
        for c in inside
        for node, index in _read(c, program)
    )


def _read(c: Computation, program: Program) -> Sequence[Access]:
    """What each iteration of `c` reads: not what it overwrites, which only has to be there."""
    if c.kind is not Kind.SCATTER:
        return c.reads
    return read_to_scatter(c.value, c.positions, program.buffers)


def _axis(c: Computation, loop: Loop) -> int:
    return 0 if loop.has(Flat) else c.order[c.loops.index(loop)]


def _written_at(c: Computation, loop: Loop) -> tuple[int, Entry] | None:
    """The axis of what `c` writes along which iterations of `loop` are apart, and where each is."""
    axis = _axis(c, loop)
    if c.kind is Kind.SCATTER:
        for k, entry in enumerate(map(place_of, c.positions)):
            if entry is not None and entry.axis == axis and entry.step:
                return k, entry._replace(axis=0)
        return None
    scanned = c.kind is Kind.SCAN and (loop.has(Flat) or c.axis == axis)
    if c.kind in _ELSEWHERE or axis in c.reduced or scanned:
        return None
    offset = c.offset if c.partial and c.axis == axis else 0
    return c.kept.index(axis), Entry(offset, 1, 0)


def _own(
    node: Node,
    index: object,
    c: Computation,
    loop: Loop,
    program: Program,
    written: dict[int | str, tuple[int, Entry]],
) -> bool:
    """Whether an iteration reads of what is written only its own part."""
    source = memory_of(node, c.target, program.buffers)
    memory = {b.home or id(b) for b in program.buffers.get(source, ())}
    if source.op is ops.INPUT:
        memory.add(source.attr[0])
    places = [written[m] for m in memory if m in written]
    if not places:
        return True
    if source is not node or not isinstance(index, tuple):
        return index is access.FLAT and source is node
    if loop.has(Flat):
        return bool(index == access.identity(len(index)))
    axis = _axis(c, loop)
    return all(
        isinstance(index[p], Entry) and index[p] == entry._replace(axis=axis) for p, entry in places
    )
