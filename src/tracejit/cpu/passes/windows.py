"""Random numbers that one loop reads in order are drawn a block at a time, inside that loop.

A generator whose numbers come one after another needs no array for them: the loop draws a block,
which stays in the fastest cache, and computes with it.
"""

from __future__ import annotations

from dataclasses import replace

from tracejit.cpu.styles import BlockedDraws
from tracejit.intrinsics.blocks import BLOCK
from tracejit.lower.passes.draws import reader
from tracejit.lower.program import (
    Computation,
    Program,
    Window,
)


def draw_in_loops(program: Program) -> None:
    """Move such draws from the program's items into the loops that read them.

    Guarantees: the state that a draw leaves is there when it is read, by a later draw mostly.
    """
    for item in reversed(list(program.items)):
        loop = reader(item, program) if isinstance(item, Computation) else None
        if loop is not None:
            assert isinstance(item, Computation)
            program.items.remove(item)
            before = loop.get(BlockedDraws)
            if before is None:
                loop.style = BlockedDraws(loop.style, (item,))
            else:
                loop.style = replace(before, drawn=(item, *before.drawn))
            program.windows[item.target] = Window(loop, BLOCK)
