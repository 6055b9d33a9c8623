"""Random numbers that one loop reads in order are drawn a block at a time, inside that loop.

A generator whose numbers come one after another needs no array for them: the loop draws a block,
which stays in the fastest cache, and computes with it.
"""

from __future__ import annotations

from dataclasses import replace

from tracejit.cpu.styles import BlockedDraws
from tracejit.intrinsics.blocks import BLOCK
from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.program import Computation, Flat, Loop, Program, Window

#: Distributions that are drawn block by block.
IN_BLOCKS = ("random_sample",)


def draw_in_loops(program: Program) -> None:
    """Move such draws from the program's items into the loops that read them."""
    for item in list(program.items):
        if not isinstance(item, Computation) or item.value.op is not ops.DRAW:
            continue
        if item.value.attr[0] not in IN_BLOCKS or item.target in program.outputs:
            continue
        loop = _reader(item, program)
        if loop is not None:
            program.items.remove(item)
            before = loop.get(BlockedDraws)
            if before is None:
                loop.style = BlockedDraws(loop.style, (item,))
            else:
                loop.style = replace(before, drawn=(*before.drawn, item))
            program.windows[item.target] = Window(loop, BLOCK)


def _reader(draw: Computation, program: Program) -> Loop | None:
    """The one loop that reads all of a draw, in its order; None where it is read otherwise."""
    reading: list[Loop] = []
    for computations in program.stored.values():
        for c in computations:
            at = [index for node, index in c.reads if node is draw.target]
            if c.target.op is ops.ADVANCE:
                continue
            if any(_source(node) is draw.target and node is not draw.target for node, _ in c.reads):
                return None
            if not at:
                continue
            if len(c.loops) != 1 or c.domain != draw.target.shape or c.order[0] != 0:
                return None
            if any(index != access.identity(len(c.domain)) for index in at):
                return None
            reading.append(c.loops[0])
    if not reading or any(loop is not reading[0] for loop in reading):
        return None
    loop = reading[0]
    nested = loop not in program.items or any(isinstance(item, Loop) for item in loop.items)
    flat = loop.has(Flat) or draw.target.ndim == 1
    return None if nested or loop.copies or not flat else loop


def _source(node: Node) -> Node:
    while node.op is ops.RESHAPE:
        node = node.args[0]
    return node
