"""Sums over everything, by chunks of a fixed length, so that several threads may share one.

What a chunk gives does not depend on who computes it, and the chunks' results are combined in
their order: the bits are those of one thread.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.access import Entry
from tracejit.lower.passes.draws import reader
from tracejit.lower.program import (
    Buffer,
    Computation,
    Flat,
    Kind,
    Loop,
    Program,
    computations_in,
)
from tracejit.lower.styles import Chunk, Tile

#: Points of a chunk, where an iteration has no more: many blocks, and little of a large call. Of
#: more points than 1024 such, there are 1024 chunks, of whole blocks, so that it takes no time to
#: combine them: a block of each for every `SHARE` points.
CHUNK, SHARE = 1 << 13, 1 << 19
_SHIFT = SHARE.bit_length() - 1
#: The same where a loop is tiled, and rows at least: what is read again must be in the second
#: cache, and what chunks give be little beside what they read. Of few rows, each is an eighth, half
#: as many at least, so that a few threads have the same share.
TILE, ROWS, EVEN = 1 << 15, 64, 8
#: Kinds whose iterations depend on each other, or that have none of ours.
_WHOLE = (Kind.LIBRARY, Kind.MATMUL, Kind.SCATTER)


#: The one formula of all who cut and count chunks, which kernels contain: memory is made for them
#: outside. How many iterations of `inner` points a chunk has, of a loop of `count`; the same where
#: that is one point, and of a loop that is tiled; and how many chunks of this `length` there are.
_POINTS = f"imax({CHUNK}, ({{points}} + {SHARE - 1}) >> {_SHIFT} << {_SHIFT - 10})"
POINTS = _POINTS.replace("points", "count")
LENGTH = f"imax(idiv({_POINTS.replace('{points}', '{count} * {inner}')}, imax({{inner}}, 1)), 1)"
TILED_LENGTH = (
    f"(imin(imax(idiv({TILE}, imax({{inner}}, 1)), {ROWS}), "
    f"imax(({{count}} + {EVEN - 1}) >> {EVEN.bit_length() - 1}, {ROWS // 2})) + 3) >> 2 << 2"
)
NUMBER = "idiv({count} + {length} - 1, {length})"

_scope = {"imax": max, "imin": min, "idiv": operator.floordiv}


def _evaluated(formula: str, *names: str) -> Callable[[int, int], int]:
    text = formula.format(**{name: name for name in names})
    function: Callable[[int, int], int] = eval(f"lambda {', '.join(names)}: {text}", _scope)
    return function


_lengths = [_evaluated(formula, "count", "inner") for formula in (LENGTH, TILED_LENGTH)]
_number = _evaluated(NUMBER, "count", "length")


def chunk_length(count: int, inner: int, tiled: bool) -> int:
    """Iterations of a chunk of a loop of `count`, where each has `inner` points."""
    return int(_lengths[tiled](count, inner))


def chunk_number(count: int, inner: int, tiled: bool) -> int:
    """How many chunks a loop of `count` iterations has."""
    return int(_number(count, chunk_length(count, inner, tiled)))


def chunks_of(loop: Loop) -> tuple[Dim, Dim]:
    """The length of the chunks of `loop`, and how many there are; see `LENGTH`."""
    count, inner = loop.extent, dims.maximum(inner_points(loop), 1)
    blocks = dims.floordiv(dims.add(dims.mul(count, inner_points(loop)), SHARE - 1), SHARE)
    points = dims.maximum(CHUNK, dims.mul(blocks, SHARE >> 10))
    length = dims.maximum(dims.floordiv(points, inner), 1)
    if loop.has(Tile):
        least = dims.maximum(dims.floordiv(dims.add(count, EVEN - 1), EVEN), ROWS // 2)
        most = dims.maximum(dims.floordiv(TILE, inner), ROWS)
        length = dims.add(dims.minimum(most, least), 3)
        length = dims.mul(dims.floordiv(length, 4), 4)
    return length, dims.floordiv(dims.add(count, dims.sub(length, 1)), length)


def mark_chunks(program: Program) -> None:
    """Tell which of the outermost loops run by chunks.

    Needs: the buffers. Guarantees: in such a loop each iteration is `alone`, but for results that
    are reduced over all axes, and for elements that are put where positions say.
    """
    drawn = [reader(c, program) for c in program.items if isinstance(c, Computation)]
    for loop in program.items:
        if not isinstance(loop, Loop) or loop.draws or loop.copies or loop in drawn:
            continue
        if loop.has(Tile):
            for c in own_computations(loop):
                if is_whole(c, loop) and c.kind is Kind.SWEEP:
                    axes = tuple(range(c.target.ndim))
                    program.parts[c.target] = Buffer(c.target, c.target.shape, axes)
            continue
        inside = computations_in(loop)
        points = dims.product(_widest(inside).domain)
        if isinstance(points, int) and points <= CHUNK:
            continue
        written = written_axes(loop, inside, program)
        whole = [c for c in inside if is_whole(c, loop)]
        rest = [c for c in inside if c not in whole]
        if whole and all(c.kind is Kind.SCATTER or alone(c, loop, program, written) for c in rest):
            loop.style = Chunk(loop.style)


def inner_points(loop: Loop) -> Dim:
    """The points of one iteration of an outermost loop."""
    widest = _widest(computations_in(loop))
    return 1 if loop.has(Flat) else dims.product(widest.domain[axis] for axis in widest.order[1:])


def own_computations(loop: Loop) -> list[Computation]:
    """What an outermost loop computes, without what copies repeat."""
    return [c for c in computations_in(loop) if c.loops[0] in loop.members]


def _widest(inside: list[Computation]) -> Computation:
    return max(inside, key=lambda c: len(c.domain))


def is_whole(c: Computation, loop: Loop) -> bool:
    """Whether chunks of `loop` reduce `c` each by itself: to a scalar, or an array if tiled."""
    return c.loops[0] in loop.members and by_chunks(c) and (c.kind is Kind.REDUCE or loop.has(Tile))


def reduced_by_chunks(loop: Loop) -> list[Computation]:
    """What chunks of `loop` reduce."""
    return [c for c in own_computations(loop) if is_whole(c, loop)]


def by_chunks(c: Computation) -> bool:
    """Whether `c` reduces over its outermost loop, and may do so in another order."""
    if c.kind not in (Kind.REDUCE, Kind.SWEEP) or c.order[0] not in c.reduced:
        return False
    return c.target.dtype.char != "e"  # which rounds at each step


def written_axes(loop: Loop, inside: list[Computation], program: Program) -> dict[int, int]:
    """By buffer, which of its node's axes an outermost loop runs over; -1 where none."""
    return {
        id(b): 0 if loop.has(Flat) else c.kept.index(c.order[0]) if c.order[0] in c.kept else -1
        for c in inside
        for b in program.buffers[c.target]
    }


def alone(c: Computation, loop: Loop, program: Program, written: dict[int, int]) -> bool:
    """Whether each iteration of `loop` writes, and reads of what the loop writes, its own part."""
    axis = 0 if loop.has(Flat) else c.order[0]
    if c.kind in _WHOLE or c.loops[0] not in loop.members or axis in c.reduced:
        return False
    if c.kind is Kind.SCAN and (loop.has(Flat) or c.axis == axis):
        return False
    place = c.kept.index(axis)
    buffers = program.buffers[c.target]
    if not (loop.has(Flat) or all(place in b.axes for b in buffers)):
        return False  # a row of memory that all iterations use in turn
    return all(_own(node, index, axis, loop, program, written) for node, index in c.reads)


def _own(
    node: Node, index: object, axis: int, loop: Loop, program: Program, written: dict[int, int]
) -> bool:
    source = node
    while source.op is ops.RESHAPE:
        source = source.args[0]
    places = [written[id(b)] for b in program.buffers.get(source, ()) if id(b) in written]
    if not places:
        return True
    if source is not node or not isinstance(index, tuple):
        return False
    if loop.has(Flat):
        return index == access.identity(len(index))
    return all(p >= 0 and index[p] == Entry(0, 1, axis) for p in places)
