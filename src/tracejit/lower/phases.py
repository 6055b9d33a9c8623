"""A program as phases that one after another run on several threads.

Each outermost item of a program is a phase. One whose iterations are alone may be divided: its
entry is called with a first and a last iteration, over whole arrays. This is for what `split`,
which needs no second entry, does not take: programs of several loops, positions, random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.access import Entry
from tracejit.lower.program import Computation, Kind, Loop, Program, computations_in

#: Kinds whose iterations depend on each other, or that have none of ours.
_WHOLE = (Kind.NONZERO, Kind.LIBRARY, Kind.MATMUL, Kind.SCATTER)
#: Libraries' draws whose streams are independent.
BY_STREAMS = ("mrg31k3p", "mrg31k3p_unit")


@dataclass(frozen=True)
class Phase:
    """`rows` iterations may be divided, none where that is 0; `work` is its points."""

    rows: Dim
    work: Dim


def phases(program: Program) -> list[Phase] | None:
    """The phases of `program`; None where no two threads could share any."""
    # A scalar that is kept in a register is lost when a phase ends.
    if any(not program.buffers.get(node) for node in program.stored if not _formula(node)):
        return None
    if any(b.late for bs in program.buffers.values() for b in bs):
        return None
    found = [_phase(item, program) for item in program.items]
    return found if any(p.rows != 0 for p in found) else None


def _formula(node: Node) -> bool:
    """Whether a stored node is computed again where it is read."""
    return not node.ndim and (
        isinstance(node.op, ops.Elementwise) or node.op in (ops.DIM, ops.POLY, ops.CONST)
    )


def _phase(item: Loop | Computation, program: Program) -> Phase:
    if isinstance(item, Computation):
        draws = item.value.op is ops.DRAW and item.value.attr[0] in BY_STREAMS
        rows = item.value.args[0].shape[0] if draws else 0
        return Phase(rows, dims.product(item.value.shape))
    computations = computations_in(item)
    widest = max((c.domain for c in computations), key=len, default=())
    written = {
        id(b): 0 if item.flat else c.kept.index(c.order[0]) if c.order[0] in c.kept else -1
        for c in computations
        for b in program.buffers[c.target]
    }
    alone = not item.draws and all(_alone(c, item, program, written) for c in computations)
    return Phase(item.extent if alone else 0, dims.product(widest))


def _alone(c: Computation, loop: Loop, program: Program, written: dict[int, int]) -> bool:
    """Whether each iteration of `loop` writes, and reads of what the loop writes, its own part.

    `written` tells, by buffer, which axis `loop` runs over.
    """
    axis = 0 if loop.flat else c.order[0]
    if c.kind in _WHOLE or c.loops[0] is not loop or axis in c.reduced:
        return False
    if c.kind is Kind.SCAN and (loop.flat or c.axis == axis):
        return False
    place = c.kept.index(axis)
    buffers = program.buffers[c.target]
    if not buffers or not (loop.flat or all(place in b.axes for b in buffers)):
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
    if loop.flat:
        return index == access.identity(len(index))
    return all(p >= 0 and index[p] == Entry(0, 1, axis) for p in places)
