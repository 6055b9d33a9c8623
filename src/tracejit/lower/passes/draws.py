"""Random numbers that one loop reads in order: it draws them by blocks, and has no chunks."""

from __future__ import annotations

from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.placement import placement
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program, computations_in

#: Distributions that are drawn block by block.
IN_BLOCKS = ("random_sample",)


def reader(draw: Computation, program: Program) -> Loop | None:
    """The one loop that reads all of a draw, in its order; None where it is read otherwise.

    None, too, of what is no draw by blocks, or is a result.
    """
    if draw.value.op is not ops.DRAW or draw.target in program.outputs:
        return None
    if draw.value.attr[0] not in IN_BLOCKS:
        return None
    reading: list[Loop] = []
    for computations in program.stored.values():
        for c in computations:
            at = [index for node, index in c.reads if node is draw.target]
            if c.target.op is ops.ADVANCE:
                continue
            reshaped = (_source(n) for n, _ in c.reads if n is not draw.target)
            if draw.target in (*reshaped, *_whole(c)):
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
    if nested or loop.copies or not flat or _is_late(loop, draw, program):
        return None
    return loop


def _is_late(loop: Loop, draw: Computation, program: Program) -> bool:
    """Whether the state that a draw leaves is read before the end of `loop`."""
    items = program.items[: program.items.index(loop) + 1]
    for item in items:
        inside = [item] if isinstance(item, Computation) else [*computations_in(item), *item.draws]
        for c in inside:
            read = (*(node for node, _ in c.reads), *_whole(c))
            if any(n.op is ops.ADVANCE and n.args[0] is draw.target for n in read):
                return True
    return False


def _whole(c: Computation) -> tuple[Node, ...]:
    """What a call reads, all of it."""
    called = c.kind in (Kind.LIBRARY, Kind.MATMUL)
    return placement(c.value).whole(c.value) if called else ()


def _source(node: Node) -> Node:
    while node.op is ops.RESHAPE:
        node = node.args[0]
    return node
