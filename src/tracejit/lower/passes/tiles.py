"""Loops over rows, by blocks of rows: what a row gives is used while its block is in the cache.

A loop over rows that sums each row, computes with the sums and goes through the rows again reads
them once. But one row at a time its parts are slow: the sums share no reads of the other factor
(`jam`), and what is computed with them is done for one number at a time. So such a loop is cut into
loops over the rows of a block, one for each part. So is one of the sums for pairs of rows, as of a
distance: `sqrt(((x[:, None] - y) ** 2).sum(-1))`, 1,000 by 1,000 points of 64 numbers, took 4.5 ms.

A loop that sums columns goes by such blocks, too, so that several threads may share it.
"""

from __future__ import annotations

from tracejit.lower.passes.chunks import by_chunks
from tracejit.lower.passes.together import jams
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program, computations_in
from tracejit.lower.styles import Chunk, Tile

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
        if _part_pairs(item, program) or (len(item.items) > 1 and _jams(item, program)):
            program.items[position] = _cut(item)
        elif any(_sums_rows(c) for c in computations_in(item)):
            item.style = Chunk(item.style)
            program.items[position] = Loop(item.extent, [item], style=Tile())


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


def _part_pairs(loop: Loop, program: Program) -> bool:
    """Give what is computed with the sums for pairs of rows a loop of its own."""
    found = False
    for position, child in reversed(list(enumerate(loop.items))):
        if isinstance(child, Loop) and _is_of_pairs(child, program):
            sums, *rest = child.items
            after = Loop(child.extent, rest, cost=child.cost)
            for c in computations_in(after):
                c.loops[1] = after
            child.items, child.cost = [sums], 0
            loop.items.insert(position + 1, after)
            found = True
    return found


def _is_of_pairs(loop: Loop, program: Program) -> bool:
    """Whether a loop takes a sum that would be jammed, and one result of its type takes it up."""
    first, *rest = loop.items
    if loop.has(Flat) or len(rest) != 1 or not isinstance(first, Loop):
        return False
    (taker,), target = rest, computations_in(first)[0].target
    if not isinstance(taker, Computation) or taker.kind is not Kind.MAP:
        return False
    if not jams(first, loop, program) or taker.target.type != target.type:
        return False
    readers = [
        c for cs in program.stored.values() for c in cs if any(n is target for n, _ in c.reads)
    ]
    same = program.memory[target] == program.memory[taker.target]
    return readers == [taker] and same


def _cut(loop: Loop) -> Loop:
    """The loop over blocks: one inner loop for each of the loops in `loop`, or run of the rest."""
    parts: list[Loop] = []
    for item in loop.items:
        alone = isinstance(item, Loop)
        if alone or not parts or any(isinstance(i, Loop) for i in parts[-1].items):
            cost = 0 if alone else loop.cost
            parts.append(Loop(loop.extent, cost=cost, style=Chunk()))
        parts[-1].items.append(item)
    for part in parts:
        for c in computations_in(part):
            c.loops[0] = part
    return Loop(loop.extent, list(parts), style=Tile())
