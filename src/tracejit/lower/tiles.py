"""Loops over rows, by blocks of rows: what a row gives is used while its block is in the cache.

A loop over rows that sums each row, computes with the sums and goes through the rows again reads
them once. But one row at a time its parts are slow: the sums share no reads of the other factor
(`jam`), and what is computed with them is done for one number at a time. So such a loop is cut into
loops over the rows of a block, one for each part.

A loop that sums columns goes by such blocks, too, so that several threads may share it.
"""

from __future__ import annotations

from tracejit.lower.chunks import by_chunks
from tracejit.lower.jam import jams
from tracejit.lower.program import Computation, Kind, Loop, Program, computations_in

#: What may be done to all rows of a block before the next thing is done to any.
_BY_ROWS = (Kind.MAP, Kind.REDUCE, Kind.SWEEP)


def tile(program: Program) -> None:
    """Cut loops over rows, where that lets several rows' sums be taken at once.

    Needs: the placed computations, in loops that are complete at each iteration for one another.
    Guarantees: every value is computed from the same ones as before.
    """
    for position, item in enumerate(program.items):
        if not isinstance(item, Loop) or not _fits(item, program):
            continue
        if len(item.items) > 1 and _jams(item, program):
            program.items[position] = _cut(item)
        elif any(_sums_rows(c) for c in computations_in(item)):
            item.chunked = True
            program.items[position] = Loop(item.extent, [item], chunked=True, tiled=True)


def _fits(loop: Loop, program: Program) -> bool:
    """Whether all that is done in `loop` may be done for a block of its rows, then for the next."""
    inside = computations_in(loop)
    if any(c.kind not in _BY_ROWS or c.partial or c.loops[0] is not loop for c in inside):
        return False
    if any(c.order[0] in c.reduced and not by_chunks(c) for c in inside):
        return False
    return not program.inplace.keys() & {c.target for c in inside}


def _sums_rows(c: Computation) -> bool:
    return c.kind is Kind.SWEEP and c.order[0] in c.reduced


def _jams(loop: Loop, program: Program) -> bool:
    """Whether a sum of rows in `loop` would be jammed."""
    inner = [item for item in loop.items if isinstance(item, Loop)]
    return any(jams(child, loop, program) for child in inner)


def _cut(loop: Loop) -> Loop:
    """The loop over blocks: one inner loop for each of the loops in `loop`, or run of the rest."""
    parts: list[Loop] = []
    for item in loop.items:
        alone = isinstance(item, Loop)
        if alone or not parts or any(isinstance(i, Loop) for i in parts[-1].items):
            cost = 0 if alone else loop.cost
            parts.append(Loop(loop.extent, cost=cost, chunked=True))
        parts[-1].items.append(item)
    for part in parts:
        for c in computations_in(part):
            c.loops[0] = part
    return Loop(loop.extent, list(parts), chunked=True, tiled=True)
