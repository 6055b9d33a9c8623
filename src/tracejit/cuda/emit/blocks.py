"""Chunks of rows that are the work of a block of threads, each part of them shared in its own way.

    for i0 in over_groups(number):          a block a chunk, of the rows from i1 up to i2
        for i3 in team_span(i1, i2):            a team a row, whose sum its threads share
            ...
        together()
        for i4 in thread_span(i1, i2):          a thread a row
            ...
        together()
        for i5 in thread_span(0, columns):      a thread a column, from the first row to the last
            v = 0.0
            for i6 in span(i1, i2):
                v = add(v, ...)
            s0[i0, i5] = v

What a row is, and in which order its elements and those of a column are added up, is the same as
where a team has a chunk to itself: so are the bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracejit.cuda.passes.spread import are_alone
from tracejit.cuda.passes.teams import is_shared, rows_in_turn
from tracejit.lower.emit import expressions
from tracejit.lower.emit.accumulate import kept_element, led
from tracejit.lower.emit.sums import Sums
from tracejit.lower.kernel.statements import Call, Do, Expr, For, Store
from tracejit.lower.program import (
    Buffer,
    Computation,
    Flat,
    Kind,
    Loop,
    Plain,
    Program,
    computations_in,
)
from tracejit.lower.styles import Chunk, Tile


def is_for_blocks(loop: Loop, parts: Mapping[Computation, Buffer], program: Program) -> bool:
    """Whether chunks of `loop` are work for many teams: they sum rows, and leave sums of columns.

    Of columns alone there may be few, so that most of a block's threads would have none.
    """
    if not loop.has(Tile) or not parts or rows_in_turn(loop, program):
        return False
    rows = [m for m in loop.members if are_alone(m, m, program)]
    rest = [m for m in loop.members if m not in rows]
    return all(_columns(m, parts) for m in rest) and any(_sums(m, program) for m in rows)


def _sums(member: Loop, program: Program) -> bool:
    """Whether a team's threads share what there is to do for a row."""
    inner = [item for item in member.items if isinstance(item, Loop)]
    return any(is_shared(item, program) and Kind.REDUCE in _kinds(item) for item in inner)


def _kinds(loop: Loop) -> set[Kind]:
    return {c.kind for c in computations_in(loop)}


def _chain(member: Loop) -> list[Loop]:
    """The loops of a nest that each hold the next one and nothing else."""
    found = [member]
    while len(found[-1].items) == 1 and isinstance(found[-1].items[0], Loop):
        found.append(found[-1].items[0])
    return found


def _columns(member: Loop, parts: Mapping[Computation, Buffer]) -> bool:
    """Whether a loop over rows adds up columns, and does nothing else."""
    loops, inside = _chain(member), computations_in(member)
    if member.draws or any(type(m.style) not in (Plain, Chunk) or m.has(Flat) for m in loops):
        return False
    if len(loops) < 2 or any(isinstance(item, Loop) for item in loops[-1].items):
        return False
    return all(
        c in parts
        and c.kind is Kind.SWEEP
        and not c.partial
        and c.loops == loops
        and c.reduced == c.order[:1]
        and c.value.dtype == c.target.dtype
        for c in inside
    )


class Blocks:
    """Emits the parts of a chunk, for the block of threads that has it."""

    def __init__(self, emitter: Any, sums: Sums) -> None:
        self.e, self.sums = emitter, sums
        #: The loops whose iterations a block's teams, or threads, have.
        self.shared: set[Loop] = set()

    def run(
        self, loop: Loop, parts: Mapping[Computation, Buffer], chunk: str, span: tuple[Expr, Expr]
    ) -> None:
        """Emit a chunk, the rows of a span, which leaves its parts."""
        for member in loop.members:
            if any(c in parts for c in computations_in(member)):
                self._sweep(_chain(member), parts, chunk, span)
            else:
                self.shared.add(member)
                self.e.spans[member] = span
                self.e.loop(member)
            self.e.path[-1].add(Do(Call("together", ())))

    def kind(self, loop: Loop) -> str:
        """The kind of a shared loop: by threads, or, where a team shares an iteration, by teams."""
        return "thread_span" if is_shared(loop, self.e.program) else "team_span"

    def _sweep(
        self,
        loops: Sequence[Loop],
        parts: Mapping[Computation, Buffer],
        chunk: str,
        span: tuple[Expr, Expr],
    ) -> None:
        """Add up columns, each by a thread."""
        e, [rows, *kept] = self.e, loops
        inside = computations_in(rows)
        extents = [e.dim(loop.extent) for loop in kept]
        depth = len(e.path)
        for loop, extent in zip(kept, extents, strict=True):
            last = loop is kept[-1]
            kind, operands = ("thread_span", (0, extent)) if last else ("range", (extent,))
            self._open(loop, kind, operands)
        totals = {c: e.fresh("v") for c in inside}
        for c, total in totals.items():
            e.path[-1].assign(total, self.sums.identity(c))
        self._open(rows, "span", span)
        for c, total in totals.items():
            e.current = c
            value = e.value(c.value, e.index_of(c))
            taken = self.sums.combine_in_order(c, total, value)
            rounded = expressions.rounded(taken, c.target.dtype)
            e.path[-1].assign(total, rounded, c.target.origin)
            e.current = None
        e.path.pop()
        for c, total in totals.items():
            place = {a: e.var_of[loop] for a, loop in zip(c.order[1:], kept, strict=True)}
            element = led(kept_element(c, parts[c], place), (chunk,))
            stored = expressions.stored(total, c.target.dtype)
            e.path[-1].add(Store(element, stored, c.target.origin))
        del e.path[depth:]
        for loop in loops:
            del e.depth_of[loop]

    def _open(self, loop: Loop, kind: str, operands: tuple[Expr, ...]) -> None:
        e = self.e
        e.var_of[loop], e.loops[id(loop)] = e.fresh("i"), loop
        e.open(For(index=e.var_of[loop], kind=kind, operands=operands))
        e.depth_of[loop] = len(e.path) - 1
