"""Accumulators on a CPU: sums by levels and blocks, counts in small numbers, extremes by blocks.

A floating sum has an accumulator a loop level. The innermost adds with reassociation allowed, so
that LLVM keeps several vector accumulators, over blocks of fixed length; what a block or a row
gives is added to the next level with the rounding error carried along. So the order of additions
is fixed by the shape alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.emit.extremes import Extremes
from tracejit.cpu.styles import BlockedDraws
from tracejit.intrinsics.blocks import BLOCK
from tracejit.ir import ops
from tracejit.lower.access import Index
from tracejit.lower.emit import accumulate, expressions
from tracejit.lower.emit.accumulate import if_better
from tracejit.lower.emit.emitting import steps
from tracejit.lower.kernel.statements import Binary, Block, Call, Constant, Expr, For
from tracejit.lower.program import Computation, Flat, Kind, Loop
from tracejit.lower.styles import Chunk


class Version(NamedTuple):
    """Blocks to open for a loop, outermost first, and what to do when the innermost is closed.

    Where there are two, `start` is the name of the index that the inner one begins with.
    """

    blocks: list[Block]
    close: Callable[[], None]
    start: Expr = 0


class Accumulators(accumulate.Accumulators):
    """Adds what goes by blocks."""

    e: Emitting

    def __init__(self, emitter: Emitting) -> None:
        super().__init__(emitter)
        self.extremes = Extremes(emitter, self)
        self.parts: dict[Computation, str] = {}
        #: Whether the nest is for rows of at most one block, whose sums need no levels.
        self.rows_short = False
        self.totals: dict[tuple[Computation, Loop], str] = {}
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

    def before(self, loop: Loop, inside: list[Computation]) -> None:
        super().before(loop, inside)
        for c in inside:
            levels = self.reduced_loops(c) if self.layered(c) else []
            if loop in (levels[:-1] if self.rows_short else levels):
                self._open_level(c, loop)

    def begin(self, c: Computation, loop: Loop) -> None:
        if not self.layered(c) and c not in self.goes_on:
            super().begin(c, loop)

    def open(
        self, loop: Loop, inside: list[Computation], first: Expr | None, last: Expr, cut: bool
    ) -> Version:
        """The blocks of `loop` from `first` to `last`: one, unless it is `cut`, or for a sum."""
        block, var = self.e.path[-1], self.e.var_of[loop]
        sums = [c for c in inside if self.layered(c) and self.reduced_loops(c)[-1] is loop]
        extremes = self.extremes.by_blocks(loop)
        counts = [c for c in inside if self.counts(c) and c.loops[-1] is loop]
        if self.rows_short:
            self._open_parts(block, sums)
            sums = []
        if not (cut or sums or extremes or counts or loop.has(BlockedDraws)):
            plain = steps(var, first, last)
            block.add(plain)
            return Version([plain], lambda: None)
        start = self.e.fresh("i")
        if first is not None:
            base, start = start, self.e.fresh("i")
            outer = For(index=base, kind="blocks", operands=(Binary("-", last, first),))
            outer.assign(start, Binary("+", first, base))
        else:
            outer = For(index=start, kind="blocks", operands=(last,))
        for c in extremes:
            self.extremes.open_block(c, loop, start)
        for c in counts:
            self.parts[c] = self.e.fresh("v")
            outer.assign(self.parts[c], Constant(0, np.dtype(np.int16)))
        block.add(outer)
        inner = For(index=var, kind="block", operands=(start, last))
        outer.add(inner)

        def close() -> None:
            self._close_block(sums, loop)
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

    def _close_block(self, sums: list[Computation], loop: Loop) -> None:
        for c in sums:
            name = self.totals[(c, loop)]
            self.e.path[-1].assign(name, Call("sum_block", (name,)), c.target.origin)

    def after(self, loop: Loop, inside: list[Computation]) -> None:
        """Pass the sum of a level on, and finish what accumulated over `loop`."""
        for c in inside:
            if self.layered(c) and loop in self.reduced_loops(c)[1:]:
                self._carry(c, self.total(c, loop), c.loops[c.loops.index(loop) - 1])
        for c in self.extremes.by_blocks(loop):
            self.extremes.pass_by(c, self.e.dim(loop.extent))
        if not loop.has(Chunk):
            super().after(loop, inside)

    def end(self, c: Computation) -> None:
        if not self.layered(c):
            super().end(c)
            return
        found = self.total(c, self.reduced_loops(c)[0])
        self.finish(c, expressions.rounded(found, c.target.dtype))

    # One element -----------------------------------------------------------------------------

    def takes(self, c: Computation, index: Index) -> bool:
        if self._takes_product(c) and not self.e.is_known(c.value, index):
            factors = [self.e.value(a, index if a.ndim else ()) for a in c.value.args]
            name, add = self._sum(c)
            product = Call(f"{add}_product", (name, factors[0], factors[-1]))
            self.e.path[-1].assign(name, product, c.target.origin)
        elif self.counts(c):
            part, truth = self.parts[c], self.e.value(c.value.args[0], index)
            more = Call("radd", (part, Call("to_int16", (truth,))))
            self.e.path[-1].assign(part, more, c.target.origin)
        else:
            return False
        return True

    def _takes_product(self, c: Computation) -> bool:
        """Whether the value of a sum is a product that may be fused with the addition."""
        return (
            self.layered(c)
            and c.target.dtype.char != "e"
            and c.value.op.name in ("multiply", "square")
            and c.value not in self.e.program.stored
        )

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
        block, origin = self.e.path[-1], c.target.origin
        if c.kind is Kind.REDUCE and self.layered(c):
            name, add = self._sum(c)
            block.assign(name, Call(add, (name, value)), origin)
        elif c.kind is Kind.REDUCE and _is_complex_extreme(c):
            # A branch that is foreseen, where a choice would wait for the one before.
            name = self.accumulator(c)
            op = c.target.op.name
            better = if_better(block, "c", "max" in op, value, name, op.startswith("f"))
            better.assign(name, value, origin)
        elif not self.extremes.takes(c, value):
            super().step(c, value, index)

    def combine(self, c: Computation, a: Expr, b: Expr) -> Expr:
        combined = super().combine(c, a, b)
        if self.rows_short and _is_floating_extreme(c):
            assert isinstance(combined, Call)
            return Call(f"{combined.function}_row", combined.operands)
        return combined

    # Details ---------------------------------------------------------------------------------

    def layered(self, c: Computation) -> bool:
        """Whether `c` is a floating sum, with an accumulator a level."""
        return c.kind is Kind.REDUCE and c.target.op.name == "sum" and c.target.dtype.kind == "f"

    def start(self, c: Computation) -> Constant:
        """Where a sum starts."""
        return expressions.scalar(0, c.target.dtype)

    def _sum(self, c: Computation) -> tuple[str, str]:
        """The innermost accumulator of a floating sum, and what adds to it."""
        if self.rows_short:
            return self.parts[c], "radd"
        return self.totals[(c, self.reduced_loops(c)[-1])], "sum_add"

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
        return [self._sum(c)[0] if self.layered(c) else self.accumulator(c) for c in reductions]

    def _open_level(self, c: Computation, loop: Loop) -> None:
        name = self.totals[(c, loop)] = self.e.fresh("v")
        self.e.path[-1].assign(name, Call("sum_open", (self.start(c),)))

    def _carry(self, c: Computation, part: Expr, loop: Loop) -> None:
        """Add `part` to the total of a level."""
        name = self.totals[(c, loop)]
        self.e.path[-1].assign(name, Call("sum_carry", (name, part)), c.target.origin)

    def total(self, c: Computation, loop: Loop) -> str:
        """The sum that a level has accumulated over `loop`."""
        if self.rows_short and loop is self.reduced_loops(c)[-1]:
            return self.parts[c]
        total = self.e.fresh("v")
        value = Call("sum_close", (self.totals[(c, loop)],))
        self.e.path[-1].assign(total, value, c.target.origin)
        return total

    def combine_in_order(self, c: Computation, a: Expr, b: Expr) -> Expr:
        """The same as `combine`, but for LLVM's freedom to reorder what rounds."""
        op = c.target.op
        assert isinstance(op, ops.Reduction)
        if op.name in ("sum", "prod") and c.target.dtype.kind in "fc":
            return self.apply(ops.ELEMENTWISE[op.combine], c, a, b)
        return self.combine(c, a, b)

    def is_final(self, c: Computation, value: Expr) -> bool:
        return self.layered(c) and not self.rows_short and isinstance(value, str)


def _is_floating_extreme(c: Computation) -> bool:
    """Whether `c` is an extreme along rows that is taken in vectors."""
    op, char = c.target.op.name, c.target.dtype.char
    return c.kind is Kind.REDUCE and op in ("max", "min") and char in "fd"


def _is_complex_extreme(c: Computation) -> bool:
    names = ("max", "min", "fmax_reduce", "fmin_reduce")
    return c.target.op.name in names and c.target.dtype.kind == "c"
