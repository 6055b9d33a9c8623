"""Memory for what chunks give: one kernel fills it, another one combines it in order."""

from __future__ import annotations

from tracejit.ir.node import Node, postorder
from tracejit.lower.buffers import late_dims
from tracejit.lower.passes.chunks import chunks_of, reduced_by_chunks
from tracejit.lower.program import Buffer, Loop, Program
from tracejit.lower.styles import Chunk


def memory_of_chunks(program: Program) -> None:
    """Give what chunks reduce memory with an axis of chunks in front."""
    late = late_dims(program)
    for loop in program.items:
        if not isinstance(loop, Loop) or not loop.has(Chunk):
            continue
        _, number = chunks_of(loop)
        for c in reduced_by_chunks(loop):
            shape = (number, *c.target.shape)
            lengths = postorder(d for d in shape if isinstance(d, Node))
            is_late = any(n in late or n in program.stored for n in lengths)
            axes = tuple(range(c.target.ndim))
            program.parts[c.target] = Buffer(c.target, shape, axes, late=is_late)
