"""Loops over the same lines, one after the other, go strip by strip: all of them, then the next.

    for block of j:  for k: forwards            for block of j:
    for block of j:  for k: backwards               for k: forwards
                                                    for k: backwards

What the first leaves of a strip is in the cache when the next reads it. Each point must need
nothing of other lines, in any of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.ir.region import regions_of
from tracejit.ir.rules import roles
from tracejit.lower.access import Entry
from tracejit.lower.control import LEFT, outside
from tracejit.lower.interchange import Touched, alone, memory_for, touched
from tracejit.lower.program import (
    Computation,
    Control,
    Lines,
    Loop,
    Program,
    Strip,
    computations_in,
)
from tracejit.lower.writes import are_late


def strips_of(program: Program) -> list[Strip]:
    """The items of a program that go by strips, in order.

    Needs: a program with memory, whose loops of steps have their lines.
    Guarantees: each point along the lines of a strip reads nothing that others write, so all its
    items may be done at some points before any is at others.
    """
    found: list[Strip] = []
    if not any(control.lines for control in program.controls.values()):
        return found
    each = [_touched(item, program) for item in program.items]
    for k, item in enumerate(program.items):
        lines, done = _lines(item, program), found[-1].last if found else 0
        if lines is None or k < done:
            continue
        first, last = k, k + 1
        while last < len(each) and _fit(range(first, last + 1), lines, each, program):
            last += 1
        while first > done and _fit(range(first - 1, last), lines, each, program):
            first -= 1
        if last > first + 1:
            found.append(Strip(first, last, lines))
    return found


def _lines(item: Loop | Computation, program: Program) -> Lines | None:
    control = program.controls.get(item.target) if isinstance(item, Computation) else None
    return control.lines if control else None


def _fit(places: range, lines: Lines, each: list[Touched | None], program: Program) -> bool:
    """Whether items go along the same lines, and need nothing of others."""
    inside = []
    for k in places:
        one, own = each[k], _lines(program.items[k], program)
        alike = own is None or (own.extents, own.beside) == (lines.extents, lines.beside)
        if one is None or not alike:
            return False
        if one.extents and one.extents[: len(lines.extents)] != lines.extents:
            return False
        inside.append(one)
    memory = {node for one in inside for node, _ in (*one.reads, *one.writes)}
    together = (sum(b.node in memory for b in arena) for arena in program.arenas)
    return alone(inside, len(lines.extents)) is not None and max(together, default=0) < 2


def _touched(item: Loop | Computation, program: Program) -> Touched | None:
    """What an item touches; None where it can be in no strip."""
    if isinstance(item, Loop):
        late = are_late(program.graph)
        if late and any(c.target.op is ops.ASSIGN for c in computations_in(item)):
            return None  # which comes when all is known that NumPy may raise for
        return touched([item], program)
    if item.target.op is LEFT:
        return Touched((), [], [])
    control = program.controls.get(item.target)
    if control is None or control.lines is None or any(b.late for _, b in control.memory):
        return None
    return _of_control(control, program)


def _of_control(control: Control, program: Program) -> Touched | None:
    """What a loop of steps touches, in terms of what is around it."""
    [inner], [region] = control.programs, regions_of(control.node)
    found = touched(inner.items, inner)
    assert found is not None and control.lines is not None
    parts = roles(control.node)
    around = dict(zip(region.params, control.node.args, strict=True))

    def outer(accesses: Iterable[tuple[Node, object]]) -> list[tuple[Node, object]]:
        return [
            (memory_for(around[node], program) if node in around else node, placed(at))
            for node, at in accesses
        ]

    def placed(at: object) -> object:
        return tuple(map(entry, at)) if isinstance(at, tuple) else None

    def entry(e: object) -> Entry | None:
        if not isinstance(e, Entry):
            return None
        start = outside((e.start,), region, parts)
        return None if start is None else e._replace(start=start[0])

    return Touched(control.lines.extents, outer(found.reads), outer(found.writes))
