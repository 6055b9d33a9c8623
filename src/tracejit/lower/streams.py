"""Which results are stored past the caches, where these could not hold them."""

from __future__ import annotations

from tracejit.lower.program import Buffer, Computation, Kind, Loop, Program

#: Bytes of results from which on they are streamed.
LEAST_BYTES = 1 << 25
#: Bytes of a line of the cache.
LINE_BYTES = 64
#: Elements that are at a time, whole lines of the cache, and vectors that are computed together:
#: one alone would wait for itself in an elementary function.
LINE, VECTORS = 64, 4
#: Bytes of the elements that are.
_SIZES = (4, 8)
#: Additions a point beyond which a loop does not wait for memory.
_MOST_COST = 40


def streamed(program: Program) -> list[Buffer]:
    """The results that a program of one elementwise loop may stream; none for other programs."""
    loop = program.items[0] if len(program.items) == 1 else None
    if not isinstance(loop, Loop) or loop.draws or loop.chunked or loop.cost > _MOST_COST:
        return []
    found: list[Buffer] = []
    for c in loop.items:
        if not isinstance(c, Computation) or c.kind is not Kind.MAP or c.partial:
            return []
        if not (loop.flat or len(c.domain) == 1):
            return []
        found += program.buffers[c.target]
    return [b for b in found if b.output and b.node.dtype.itemsize in _SIZES and not b.late]
