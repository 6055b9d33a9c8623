"""Loops of steps that a kernel holds whole: each thread takes all steps at a point of its own.

An escape time, or a recurrence over time at each point of an image: what a step does at a point
needs nothing of other points. Else each step is a launch, and arrays go through memory in between.
"""

from __future__ import annotations

from tracejit.ir.dims import Dim
from tracejit.lower import access
from tracejit.lower.access import memory_of
from tracejit.lower.control import outside
from tracejit.lower.interchange import (
    alone,
    memory_for,
    moving_before,
    steps_over_arrays,
    touched,
    writes_of,
)
from tracejit.lower.program import (
    Computation,
    Control,
    Flat,
    Kind,
    Lines,
    Loop,
    Program,
    computations_in,
)

#: Axes of a grid.
_AXES = 3


def lines_inside(control: Control) -> Lines | None:
    """The loops that threads share around a loop of steps; None where it is the host's."""
    if (steps := steps_over_arrays(control)) is None:
        return None
    program, region, parts = steps
    if program.conditions() or program.conditions(late=True) or program.required is not None:
        return None
    extents: tuple[Dim, ...] | None = _flat(program)
    if extents is None:
        found = touched(program.items, program)
        index = region.params[len(parts.carried)]
        count = moving_before(found, index) if found is not None else 0
        if found is None or not count or alone([found], count) is None:
            return None
        extents = found.extents[: min(count, _AXES)]
    around = outside(extents, region, parts)
    return None if around is None else Lines(around)


def _flat(program: Program) -> tuple[Dim] | None:
    """The length of loops that go over the same elements, each alone; None of other items."""
    loops = [item for item in program.items if isinstance(item, Loop) and item.style == Flat()]
    if not loops or len(loops) < len(program.items):
        return None
    inside = [c for loop in loops for c in computations_in(loop)]
    if any(loop.extent != loops[0].extent for loop in loops) or not all(map(_is_plain, inside)):
        return None
    written = {memory for c in inside for memory, _ in writes_of(c, program)}
    for c in inside:
        for node, at in c.reads:
            source = memory_of(node, c.target, program.stored)
            own = source is node and (at is access.FLAT or at == access.identity(node.ndim))
            if memory_for(source, program) in written and not own:
                return None
    return (loops[0].extent,)


def _is_plain(c: Computation) -> bool:
    return c.kind is Kind.MAP and not c.partial and not c.reduced
