"""What chunks of a loop give, combined in their order."""

from __future__ import annotations

from tracejit.lower.emit.accumulate import Lead, kept_element, led
from tracejit.lower.emit.emitting import Emitting
from tracejit.lower.emit.sums import Sums
from tracejit.lower.kernel.formula import fill
from tracejit.lower.kernel.statements import Call, Expr, Store
from tracejit.lower.passes.chunks import (
    LENGTH,
    NUMBER,
    POINTS,
    TILED_LENGTH,
    inner_points,
)
from tracejit.lower.program import Buffer, Computation, Kind, Loop
from tracejit.lower.styles import Tile


class Chunks:
    """How long a loop's chunks are, and the totals of what each of them gives."""

    def __init__(self, emitter: Emitting, sums: Sums) -> None:
        self.e, self.sums = emitter, sums
        #: What the chunks before have given.
        self.names: dict[Computation, str] = {}

    def extents(self, loop: Loop, extent: Expr) -> tuple[Expr, Expr]:
        """The length of a loop's chunks, and their number."""
        points = self.e.dim(inner_points(loop))
        block, count = self.e.path[-1], self.e.fresh("i")
        length = self.e.fresh("i")
        formula = TILED_LENGTH if loop.has(Tile) else POINTS if points == 1 else LENGTH
        block.assign(length, fill(formula, count=extent, inner=points))
        block.assign(count, fill(NUMBER, count=extent, length=length))
        return length, count

    def open_totals(self, whole: list[Computation]) -> None:
        """Before the first chunk."""
        for c in whole:
            if c.kind is Kind.SWEEP:
                self.sums.clear(c, 0)
                continue
            name = self.names[c] = self.e.fresh("v")
            start: Expr = self.sums.identity(c)
            if self.sums.layered(c):
                start = Call("sum_open", (self.sums.start(c),))
            self.e.path[-1].assign(name, start)

    def given(self, c: Computation) -> Expr:
        """What the chunk at hand gave."""
        layered = self.sums.layered(c)
        return self.sums.total(c, c.loops[0]) if layered else self.sums.accumulator(c)

    def take(self, c: Computation, value: Expr) -> None:
        """Combine what a chunk gave with what those before it did."""
        name = self.names[c]
        total: Expr = Call("sum_carry", (name, value))
        if not self.sums.layered(c):
            total = self.sums.combine_in_order(c, name, value)
        self.e.path[-1].assign(name, total, c.target.origin)

    def take_array(self, c: Computation, part: Buffer, lead: Lead) -> None:
        """The same for the array of a sweep, which is in `part`, at `lead` there."""
        block, place = self.sums.over_kept(c, 0)
        given = led(kept_element(c, part, place), lead)
        for buffer in self.e.program.buffers[c.target]:
            total = kept_element(c, buffer, place)
            block.add(Store(total, self.sums.combine(c, total, given), c.target.origin))

    def close_totals(self, whole: list[Computation]) -> None:
        """After the last chunk."""
        for c in whole:
            if c.kind is Kind.SWEEP:
                continue
            name = self.names[c]
            if self.sums.layered(c):
                total = self.e.fresh("v")
                self.e.path[-1].assign(total, Call("sum_close", (name,)), c.target.origin)
                name = total
            self.sums.finish(c, name)
