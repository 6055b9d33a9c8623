"""Floating sums by levels and blocks, in an order that is fixed by the shape alone.

A sum has an accumulator a loop level. The innermost adds in partial results (see
`intrinsics.partial`), over blocks of fixed length; what a block or a row gives is added to the next
level with the rounding error carried along.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.ir import ops
from tracejit.lower.access import Index
from tracejit.lower.emit import accumulate, expressions
from tracejit.lower.emit.accumulate import Version
from tracejit.lower.emit.emitting import Emitting
from tracejit.lower.kernel.statements import Binary, Call, Constant, Expr, For
from tracejit.lower.program import Computation, Kind, Loop


class Sums(accumulate.Accumulators):
    """Adds floating sums; `combine_in_order` is for what chunks give."""

    def __init__(self, emitter: Emitting) -> None:
        super().__init__(emitter)
        self.totals: dict[tuple[Computation, Loop], str] = {}

    # Loop hooks ------------------------------------------------------------------------------

    def before(self, loop: Loop, inside: list[Computation]) -> None:
        super().before(loop, inside)
        for c in inside:
            if self.layered(c) and loop in self.levels(c):
                self._open_level(c, loop)

    def begin(self, c: Computation, loop: Loop) -> None:
        if not self.layered(c):
            super().begin(c, loop)

    def open(
        self, loop: Loop, inside: list[Computation], first: Expr | None, last: Expr
    ) -> Version:
        sums = self.ending_in(loop, inside)
        if not (sums or self.rounds_in(loop, inside)):
            return super().open(loop, inside, first, last)
        outer, inner, start = self.blocks(loop, first, last)
        self.e.path[-1].add(outer)
        outer.add(inner)
        return Version([outer, inner], lambda: self.close_block(sums, loop), start)

    def blocks(self, loop: Loop, first: Expr | None, last: Expr) -> tuple[For, For, Expr]:
        """The loops over blocks of `loop` and over a block, and the index where that begins."""
        var, start = self.e.var_of[loop], self.e.fresh("i")
        if first is not None:
            base, start = start, self.e.fresh("i")
            outer = For(index=base, kind="blocks", operands=(Binary("-", last, first),))
            outer.assign(start, Binary("+", first, base))
        else:
            outer = For(index=start, kind="blocks", operands=(last,))
        return outer, For(index=var, kind="block", operands=(start, last)), start

    def close_block(self, sums: Sequence[Computation], loop: Loop) -> None:
        """Add what a block gave to the totals of its level."""
        for c in sums:
            name = self.totals[(c, loop)]
            self.e.path[-1].assign(name, Call("sum_block", (name,)), c.target.origin)

    def after(self, loop: Loop, inside: list[Computation]) -> None:
        """Pass the sum of a level on, and finish what accumulated over `loop`."""
        for c in inside:
            if self.layered(c) and loop in self.reduced_loops(c)[1:]:
                self._carry(c, self.total(c, loop), c.loops[c.loops.index(loop) - 1])
        if self.is_over(loop):
            super().after(loop, inside)

    def is_over(self, loop: Loop) -> bool:
        """Whether what accumulates over `loop` is all there at its end: chunks give a part."""
        return True

    def end(self, c: Computation) -> None:
        if not self.layered(c):
            super().end(c)
            return
        found = self.total(c, self.reduced_loops(c)[0])
        self.finish(c, expressions.rounded(found, c.target.dtype))

    # One element -----------------------------------------------------------------------------

    def takes(self, c: Computation, index: Index) -> bool:
        if not self._takes_product(c) or self.e.is_known(c.value, index):
            return False
        factors = [self.e.value(a, index if a.ndim else ()) for a in c.value.args]
        name, add = self.open_sum(c)
        product = Call(f"{add}_product", (name, factors[0], factors[-1]))
        self.e.path[-1].assign(name, product, c.target.origin)
        return True

    def _takes_product(self, c: Computation) -> bool:
        """Whether the value of a sum is a product that may be fused with the addition."""
        return (
            self.layered(c)
            and c.target.dtype.char != "e"
            and c.value.op.name in ("multiply", "square")
            and c.value not in self.e.program.stored
        )

    def step(self, c: Computation, value: Expr, index: Index) -> None:
        if c.kind is Kind.REDUCE and self.layered(c):
            name, add = self.open_sum(c)
            self.e.path[-1].assign(name, Call(add, (name, value)), c.target.origin)
        else:
            super().step(c, value, index)

    # Details ---------------------------------------------------------------------------------

    def layered(self, c: Computation) -> bool:
        """Whether `c` is a floating sum, with an accumulator a level."""
        return c.kind is Kind.REDUCE and c.target.op.name == "sum" and c.target.dtype.kind == "f"

    def levels(self, c: Computation) -> list[Loop]:
        """The loops of a floating sum that have an accumulator."""
        return self.reduced_loops(c)

    def ending_in(self, loop: Loop, inside: list[Computation]) -> list[Computation]:
        """The floating sums whose innermost level is `loop`."""
        return [c for c in inside if self.layered(c) and self.reduced_loops(c)[-1] is loop]

    def rounds_in(self, loop: Loop, inside: list[Computation]) -> bool:
        """Whether products, or complex sums, are taken in `loop`: by blocks too, without levels."""
        return any(
            c.kind is Kind.REDUCE
            and c.target.op.name in ("sum", "prod")
            and c.target.dtype.kind in "fc"
            and not self.layered(c)
            and c.loops[-1] is loop
            for c in inside
        )

    def start(self, c: Computation) -> Constant:
        """Where a sum starts."""
        return expressions.scalar(0, c.target.dtype)

    def open_sum(self, c: Computation) -> tuple[str, str]:
        """The innermost accumulator of a floating sum, and what adds to it."""
        return self.totals[(c, self.reduced_loops(c)[-1])], "sum_add"

    def _open_level(self, c: Computation, loop: Loop) -> None:
        name = self.totals[(c, loop)] = self.e.fresh("v")
        self.e.path[-1].assign(name, Call("sum_open", (self.start(c),)))

    def _carry(self, c: Computation, part: Expr, loop: Loop) -> None:
        """Add `part` to the total of a level."""
        name = self.totals[(c, loop)]
        self.e.path[-1].assign(name, Call("sum_carry", (name, part)), c.target.origin)

    def total(self, c: Computation, loop: Loop) -> str:
        """The sum that a level has accumulated over `loop`."""
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
        return self.layered(c) and isinstance(value, str)
