"""Accumulators on a CPU: counts in small numbers, extremes by blocks, short rows without levels."""

from __future__ import annotations

import numpy as np

from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.emit.extremes import Extremes
from tracejit.cpu.styles import BlockedDraws
from tracejit.intrinsics.blocks import BLOCK
from tracejit.ir import ops
from tracejit.lower.access import Index
from tracejit.lower.emit.accumulate import Version, if_better
from tracejit.lower.emit.emitting import steps
from tracejit.lower.emit.sums import Sums
from tracejit.lower.kernel.statements import Binary, Block, Call, Constant, Expr
from tracejit.lower.program import Computation, Flat, Kind, Loop
from tracejit.lower.styles import Chunk


class Accumulators(Sums):
    """Adds what goes by blocks."""

    e: Emitting

    def __init__(self, emitter: Emitting) -> None:
        super().__init__(emitter)
        self.extremes = Extremes(emitter, self)
        self.parts: dict[Computation, str] = {}
        #: Whether the nest is for rows of at most one block, whose sums need no levels.
        self.rows_short = False
        #: Sweeps that go on, in this chunk, where the one before has stopped.
        self.goes_on: set[Computation] = set()

    def row_lengths(self, loop: Loop, inside: list[Computation]) -> list[Expr]:
        """The lengths of the rows that floating sums and extremes in an outermost loop run over.

        There are none to tell apart where `loop` itself is reduced over: what it leaves behind in
        a scalar must be known after either version.
        """
        if loop.has(Flat) or any(c.order[0] in c.reduced for c in inside):
            return []
        rows = [c for c in inside if self.layered(c) or _is_floating_extreme(c)]
        lengths = {self.e.dim(c.domain[c.order[-1]]) for c in rows}
        return sorted((n for n in lengths if not isinstance(n, int) or n > BLOCK), key=str)

    # Loop hooks ------------------------------------------------------------------------------

    def begin(self, c: Computation, loop: Loop) -> None:
        if c not in self.goes_on:
            super().begin(c, loop)

    def open(
        self,
        loop: Loop,
        inside: list[Computation],
        first: Expr | None,
        last: Expr,
        cut: bool = False,
    ) -> Version:
        """The blocks of `loop` from `first` to `last`: one, unless it is `cut`, or for a sum."""
        block = self.e.path[-1]
        sums = self.ending_in(loop, inside)
        extremes = self.extremes.by_blocks(loop)
        counts = [c for c in inside if self.counts(c) and c.loops[-1] is loop]
        if self.rows_short:
            self._open_parts(block, sums)
            sums = []
        cut |= bool(sums or extremes or counts) or self.rounds_in(loop, inside)
        if not (cut or loop.has(BlockedDraws)):
            plain = steps(self.e.var_of[loop], first, last)
            block.add(plain)
            return Version([plain], lambda: None)
        outer, inner, start = self.blocks(loop, first, last)
        for c in extremes:
            self.extremes.open_block(c, loop, start)
        for c in counts:
            self.parts[c] = self.e.fresh("v")
            outer.assign(self.parts[c], Constant(0, np.dtype(np.int16)))
        block.add(outer)
        outer.add(inner)

        def close() -> None:
            self.close_block(sums, loop)
            for c in extremes:
                self.extremes.close_block(c, start, last)
            for c in counts:
                name = self.accumulator(c)
                total = Binary("+", name, Call("to_int64", (self.parts[c],)))
                self.e.path[-1].assign(name, total, c.target.origin)

        return Version([outer, inner], close, start)

    def _open_parts(self, block: Block, sums: list[Computation]) -> None:
        for c in sums:
            self.parts[c] = self.e.fresh("v")
            block.assign(self.parts[c], self.start(c))

    def after(self, loop: Loop, inside: list[Computation]) -> None:
        for c in self.extremes.by_blocks(loop):
            self.extremes.pass_by(c, self.e.dim(loop.extent))
        super().after(loop, inside)

    def is_over(self, loop: Loop) -> bool:
        return not loop.has(Chunk)

    # One element -----------------------------------------------------------------------------

    def takes(self, c: Computation, index: Index) -> bool:
        if not self.counts(c):
            return super().takes(c, index)
        part, truth = self.parts[c], self.e.value(c.value.args[0], index)
        more = Call("radd", (part, Call("to_int16", (truth,))))
        self.e.path[-1].assign(part, more, c.target.origin)
        return True

    def counts(self, c: Computation) -> bool:
        """Whether `c` alone counts what is true in memory: by blocks, in numbers that are small."""
        if c.kind is not Kind.REDUCE or (c.target.op.name, c.target.dtype.char) != ("sum", "l"):
            return False
        truth = c.value.args[0] if c.value.op is ops.CAST else c.value
        byte = truth.args[0] if truth.op is ops.CAST else truth
        read = byte.op is ops.INPUT or byte in self.e.program.stored
        fits = truth.dtype.kind == "b" and byte.dtype.itemsize == 1
        return fits and read and c.loops[-1].items == [c]

    def step(self, c: Computation, value: Expr, index: Index) -> None:
        if c.kind is Kind.REDUCE and _is_complex_extreme(c):
            # A branch that is foreseen, where a choice would wait for the one before.
            name, op = self.accumulator(c), c.target.op.name
            block = self.e.path[-1]
            better = if_better(block, "c", "max" in op, value, name, op.startswith("f"))
            better.assign(name, value, c.target.origin)
        elif not self.extremes.takes(c, value):
            super().step(c, value, index)

    def combine(self, c: Computation, a: Expr, b: Expr) -> Expr:
        combined = super().combine(c, a, b)
        if self.rows_short and _is_floating_extreme(c):
            assert isinstance(combined, Call)
            return Call(f"{combined.function}_row", combined.operands)
        return combined

    # Details ---------------------------------------------------------------------------------

    def levels(self, c: Computation) -> list[Loop]:
        levels = super().levels(c)
        return levels[:-1] if self.rows_short else levels

    def open_sum(self, c: Computation) -> tuple[str, str]:
        return (self.parts[c], "radd") if self.rows_short else super().open_sum(c)

    def carried(self, loop: Loop) -> list[str]:
        """The names that reductions in an innermost loop assign at each step.

        Those of a jam's copies, where only what it leaves is done, have no names.
        """
        reductions = [
            c
            for c in loop.items
            if isinstance(c, Computation)
            and c.kind is Kind.REDUCE
            and all(outer in self.e.depth_of for outer in c.loops)
        ]
        return [self.open_sum(c)[0] if self.layered(c) else self.accumulator(c) for c in reductions]

    def total(self, c: Computation, loop: Loop) -> str:
        if self.rows_short and loop is self.reduced_loops(c)[-1]:
            return self.parts[c]
        return super().total(c, loop)

    def is_final(self, c: Computation, value: Expr) -> bool:
        return not self.rows_short and super().is_final(c, value)


def _is_floating_extreme(c: Computation) -> bool:
    """Whether `c` is an extreme along rows that is taken in vectors."""
    op, char = c.target.op.name, c.target.dtype.char
    return c.kind is Kind.REDUCE and op in ("max", "min") and char in "fd"


def _is_complex_extreme(c: Computation) -> bool:
    names = ("max", "min", "fmax_reduce", "fmin_reduce")
    return c.target.op.name in names and c.target.dtype.kind == "c"
