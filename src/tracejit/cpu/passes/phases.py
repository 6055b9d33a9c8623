"""A program as phases that one after another run on several threads.

Each outermost item of a program is a phase. One whose iterations are alone, or whose chunks are,
may be divided: its entry is called with a first and a last of them, over whole arrays. This is for
what `split`, which needs no second entry, does not take: programs of several loops, sums over
everything, positions, random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tracejit.cpu.styles import BlockedDraws
from tracejit.ir import dims, ops
from tracejit.ir.convolutions import units
from tracejit.ir.dims import Dim
from tracejit.lower.passes.chunks import (
    alone,
    by_chunks,
    inner_points,
    is_whole,
    own_computations,
    written_axes,
)
from tracejit.lower.program import Buffer, Computation, Loop, Program, is_formula, work_of
from tracejit.lower.styles import Chunk, Tile
from tracejit.rng.mrg31k3p import GROUP

#: Libraries' draws whose streams are independent.
BY_STREAMS = ("mrg31k3p", "mrg31k3p_unit")


@dataclass(frozen=True)
class Phase:
    """`rows` iterations may be divided, none where that is 0; `work` is what it does.

    One that is `chunked` is divided by chunks, for iterations of so many points; `tiled` says
    which chunks these are.
    """

    rows: Dim
    work: Dim
    chunked: Dim | None = None
    tiled: bool = False


def phases(program: Program) -> list[Phase] | None:
    """The phases of `program`; None where no two threads could share any."""
    if any(b.late for bs in program.buffers.values() for b in bs):
        return None
    found = [_phase(item, program) for item in program.items]
    return found if any(p.rows != 0 for p in found) else None


def with_slots(program: Program) -> Program:
    """`program` with memory for scalars, whose registers are lost when a phase ends."""
    slots = {
        node: [Buffer(node, (), (), kept=True)]
        for node in program.stored
        if not (node.ndim or program.buffers.get(node) or is_formula(node))
    }
    return replace(program, buffers={**program.buffers, **slots})


def _phase(item: Loop | Computation, program: Program) -> Phase:
    if isinstance(item, Computation) and item.value.op is ops.CONVOLUTION:
        return Phase(units(item.value), work_of(item))
    if isinstance(item, Computation):
        draws = item.value.op is ops.DRAW and item.value.attr[0] in BY_STREAMS
        groups = dims.floordiv(item.value.args[0].shape[0], GROUP) if draws else 0
        return Phase(groups, work_of(item))
    inside, work = own_computations(item), work_of(item)
    written = written_axes(item, inside, program)
    divided = not item.has(BlockedDraws) and all(
        is_whole(c, item) if item.has(Chunk) and by_chunks(c) else alone(c, item, program, written)
        for c in inside
    )
    if item.has(Chunk):
        return Phase(item.extent if divided else 0, work, inner_points(item), item.has(Tile))
    return Phase(item.extent if divided else 0, work)
