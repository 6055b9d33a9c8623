"""Which scatters may be put in order by their places: what goes to one place is one thread's."""

from __future__ import annotations

from tracejit.ir import ops
from tracejit.lower.access import memory_of
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program


def repeated_places(nest: Loop, program: Program) -> tuple[list[Loop], Computation | None]:
    """The loops of a scatter that is all there is in a nest, and reads nothing that it writes."""
    loops: list[Loop] = []
    item: Loop | Computation = nest
    while isinstance(item, Loop):
        if len(item.items) != 1 or item.has(Flat) or item.copies or item.draws:
            return [], None
        loops.append(item)
        item = item.items[0]
    if item.kind is not Kind.SCATTER or item.loops != loops or not item.domain:
        return [], None
    written = {b.home or id(b) for b in program.buffers[item.target]}
    if len(program.buffers[item.target]) != 1 or not _is_apart(item, written, program):
        return [], None
    return loops, item


def _is_apart(c: Computation, written: set[str | int], program: Program) -> bool:
    """Whether a computation reads nothing of memory that is `written`."""
    for node, _ in c.reads:
        source = memory_of(node, c.target, program.buffers)
        memory: set[str | int] = {b.home or id(b) for b in program.buffers.get(source, ())}
        if source.op is ops.INPUT:
            memory.add(source.attr[0])
        if memory & written:
            return False
    return True
