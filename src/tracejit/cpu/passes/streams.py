"""Which results are stored past the caches, where these could not hold them."""

from __future__ import annotations

from tracejit.cpu.styles import BlockedDraws, NonTemporal
from tracejit.lower.program import Buffer, Computation, Kind, Loop, Program

#: Bytes of results from which on they are streamed.
LEAST_BYTES = 1 << 25
#: Bytes of the elements that are.
_SIZES = (4, 8)
#: Additions a point beyond which a loop does not wait for memory.
_MOST_COST = 40


def mark_streams(program: Program) -> None:
    """Tell which results a program of one elementwise loop may stream; none of other programs.

    Needs: the buffers.
    """
    loop = program.items[0] if len(program.items) == 1 else None
    if isinstance(loop, Loop) and (results := _streamed(loop, program)):
        loop.style = NonTemporal(loop.style, tuple(results))


def _streamed(loop: Loop, program: Program) -> list[Buffer]:
    if loop.has(BlockedDraws) or loop.cost > _MOST_COST:
        return []
    found: list[Buffer] = []
    for c in loop.items:
        if not isinstance(c, Computation) or c.kind is not Kind.MAP or c.partial:
            return []
        found += program.buffers[c.target]
    return [b for b in found if b.output and b.node.dtype.itemsize in _SIZES and not b.late]
