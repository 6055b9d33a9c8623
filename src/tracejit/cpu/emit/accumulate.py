"""Accumulators: reductions, sweeps, scans and appended positions.

A floating sum has an accumulator a loop level. The innermost adds with reassociation allowed, so
that LLVM keeps several vector accumulators, over blocks of fixed length; what a block or a row
gives is added to the next level with the rounding error carried along. So the order of additions
is fixed by the shape alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tracejit.cpu.emit import expressions
from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.emit.extremes import Extremes, if_better
from tracejit.cpu.styles import BlockedDraws, Chunk
from tracejit.intrinsics.blocks import BLOCK
from tracejit.ir import build, ops
from tracejit.ir.node import Node
from tracejit.lower.access import FLAT, Dynamic, Entry, Index
from tracejit.lower.kernel.formula import fill
from tracejit.lower.kernel.statements import (
    Binary,
    Block,
    Call,
    Constant,
    Element,
    Expr,
    For,
    Store,
)
from tracejit.lower.program import Buffer, Computation, Flat, Kind, Loop

#: Where an array begins in another one: an index of its first axis, or none.
Lead = tuple[Expr, ...]


class Version(NamedTuple):
    """Blocks to open for a loop, outermost first, and what to do when the innermost is closed.

    Where there are two, `start` is the name of the index that the inner one begins with.
    """

    blocks: list[Block]
    close: Callable[[], None]
    start: Expr = 0


class Accumulators:
    """Statements before, in and after the loops of every computation that carries something."""

    def __init__(self, emitter: Emitting) -> None:
        self.e = emitter
        self.names: dict[Computation, str] = {}
        self.extremes = Extremes(emitter)
        self.parts: dict[Computation, str] = {}
        #: Whether the nest is for rows of at most one block, whose sums need no levels.
        self.rows_short = False
        self.totals: dict[tuple[Computation, Loop], str] = {}
        #: Where sweeps accumulate instead of in their targets, and what comes before the index.
        self.parts_of: dict[Node, tuple[Buffer, Lead]] = {}
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
        """Initialise what accumulates over `loop`."""
        block = self.e.path[-1]
        for c in inside:
            if c.kind is Kind.SCAN:
                if c.axis == len(c.domain) - 1 and c.loops[-1] is loop:
                    block.assign(self._new(c), self._zero(c))
                continue
            if loop is not self._first(c):
                continue
            if c.kind is Kind.REDUCE and not self.layered(c):
                block.assign(self._new(c), self.identity(c))
            elif c.kind is Kind.ARG:
                self.names[c] = self.extremes.start(c, self.identity(c))
            elif c.kind is Kind.SWEEP and c not in self.goes_on:
                self.clear(c, c.loops.index(loop))
        for c in inside:
            levels = self._reduced_loops(c) if self.layered(c) else []
            if loop in (levels[:-1] if self.rows_short else levels):
                self._open_level(c, loop)

    def open(
        self, loop: Loop, inside: list[Computation], first: Expr | None, last: Expr, cut: bool
    ) -> Version:
        """The blocks of `loop` from `first` to `last`: one, unless it is `cut`, or for a sum."""
        block, var = self.e.path[-1], self.e.var_of[loop]
        sums = [c for c in inside if self.layered(c) and self._reduced_loops(c)[-1] is loop]
        extremes = self.extremes.by_blocks(loop)
        counts = [c for c in inside if self.counts(c) and c.loops[-1] is loop]
        if self.rows_short:
            self._open_parts(block, sums)
            sums = []
        if not (cut or sums or extremes or counts or loop.has(BlockedDraws)):
            plain = For(index=var, kind="range", operands=(last,))
            if first is not None:
                plain.kind, plain.operands = "span", (first, last)
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
            if self.layered(c) and loop in self._reduced_loops(c)[1:]:
                self._carry(c, self.total(c, loop), c.loops[c.loops.index(loop) - 1])
        for c in self.extremes.by_blocks(loop):
            self.extremes.pass_by(c, self.e.dim(loop.extent))
        for c in inside:
            if loop is not self._first(c) or c.kind is Kind.SWEEP or loop.has(Chunk):
                continue
            found: Expr = self.total(c, loop) if self.layered(c) else self.accumulator(c)
            if c.kind is Kind.REDUCE:
                found = expressions.rounded(found, c.target.dtype)
            self.finish(c, found)

    # One element -----------------------------------------------------------------------------

    def takes_product(self, c: Computation) -> bool:
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

    def step_count(self, c: Computation, truth: Expr) -> None:
        """Take a truth value into a count."""
        part = self.parts[c]
        more = Call("radd", (part, Call("to_int16", (truth,))))
        self.e.path[-1].assign(part, more, c.target.origin)

    def step_product(self, c: Computation, a: Expr, b: Expr) -> None:
        """Take ``a * b`` into a sum."""
        name, add = self._sum(c)
        self.e.path[-1].assign(name, Call(f"{add}_product", (name, a, b)), c.target.origin)

    def step(self, c: Computation, value: Expr, index: Index) -> None:
        """Take `value`, the element at `index` of the domain, into the accumulator."""
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
        elif c.kind is Kind.REDUCE:
            name = self.accumulator(c)
            combined = self.combine(c, name, value)
            if self.rows_short and _is_floating_extreme(c):
                assert isinstance(combined, Call)
                combined = replace(combined, function=f"{combined.function}_row")
            block.assign(name, combined, origin)
        elif c.kind is Kind.SWEEP:
            home, lead = self._homes(c)[0]
            place = led(self.e.element(home, self.e.target_index(c, index)), lead)
            dtype = c.target.dtype
            combined = self.combine(c, expressions.loaded(place, dtype), value)
            result = expressions.stored(expressions.rounded(combined, dtype), dtype)
            block.add(Store(place, result, origin))
        elif c.kind is Kind.ARG:
            self.extremes.step(c, value)
        elif c.kind is Kind.SCAN:
            self._scan(c, value, index)

    def _scan(self, c: Computation, value: Expr, index: Index) -> None:
        assert isinstance(index, tuple)
        block, name = self.e.path[-1], c.target.attr[0]
        entry = index[c.axis]
        assert isinstance(entry, Entry)
        var = self.e.position_at(entry)
        started = Binary(">", var, 0)
        if c.axis == len(c.domain) - 1:
            before = self.accumulator(c)
        else:
            before = self.e.fresh("v")
            place = self._row_before(c, index, var)
            load = expressions.loaded(place, c.target.dtype)
            block.assign(before, Call("select", (started, load, self._zero(c))))
        row = ops.ELEMENTWISE[name]
        combined = self._apply(row, c, before, value)
        new = self.e.fresh("v")
        block.assign(new, Call("select", (started, combined, value)), c.target.origin)
        if c.axis == len(c.domain) - 1:
            block.assign(before, new)
        self.e.store(c, new, index)

    def _row_before(self, c: Computation, index: tuple[Entry | Dynamic, ...], var: Expr) -> Element:
        """The element one step back along the axis of a scan; for the first, that element."""
        buffer = self.e.program.buffers[c.target][0]
        step = self.e.fresh("i")
        self.e.path[-1].assign(step, Call("imax", (Binary("-", var, 1), 0)))
        return self.e.element(buffer, index, {c.axis: step})

    # Details ---------------------------------------------------------------------------------

    def layered(self, c: Computation) -> bool:
        """Whether `c` is a floating sum, with an accumulator a level."""
        return c.kind is Kind.REDUCE and c.target.op.name == "sum" and c.target.dtype.kind == "f"

    def _reduced_loops(self, c: Computation) -> list[Loop]:
        if c.loops and c.loops[0].has(Flat):
            return c.loops
        return [loop for axis, loop in zip(c.order, c.loops, strict=True) if axis in c.reduced]

    def _first(self, c: Computation) -> Loop | None:
        """The outermost loop that `c` reduces over."""
        if c.kind not in (Kind.REDUCE, Kind.SWEEP, Kind.ARG):
            return None
        reduced = self._reduced_loops(c)
        return reduced[0] if reduced else None

    def _new(self, c: Computation) -> str:
        name = self.e.fresh("v")
        self.names[c] = name
        return name

    def accumulator(self, c: Computation) -> str:
        """The name of what `c` has accumulated."""
        return self.names[c]

    def identity(self, c: Computation) -> Constant:
        """What a reduction starts from."""
        value = ops.identity(c.target.op.name, c.value.dtype)
        return expressions.scalar(value, c.value.dtype)

    def _zero(self, c: Computation) -> Constant:
        return expressions.scalar(0, c.target.dtype)

    def start(self, c: Computation) -> Constant:
        """Where a sum starts."""
        return expressions.scalar(0, c.target.dtype)

    def _sum(self, c: Computation) -> tuple[str, str]:
        """The innermost accumulator of a floating sum, and what adds to it."""
        if self.rows_short:
            return self.parts[c], "radd"
        return self.totals[(c, self._reduced_loops(c)[-1])], "sum_add"

    def carried(self, loop: Loop) -> list[str]:
        """The names that reductions in an innermost loop assign at each step."""
        reductions = [c for c in loop.items if isinstance(c, Computation) and c.kind is Kind.REDUCE]
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
        if self.rows_short and loop is self._reduced_loops(c)[-1]:
            return self.parts[c]
        total = self.e.fresh("v")
        value = Call("sum_close", (self.totals[(c, loop)],))
        self.e.path[-1].assign(total, value, c.target.origin)
        return total

    def combine(self, c: Computation, a: Expr, b: Expr) -> Expr:
        """Two values of a reduction as one."""
        op = c.target.op
        assert isinstance(op, ops.Reduction)
        found = expressions.combined(op, c.target.dtype, a, b)
        return found if found is not None else self._apply(ops.ELEMENTWISE[op.combine], c, a, b)

    def _apply(self, row: ops.Elementwise, c: Computation, a: Expr, b: Expr) -> Expr:
        dtype = c.target.dtype
        if row.cpu is not None and dtype.kind in row.cpu_kinds:
            return expressions.rounded(fill(row.cpu, a, b), dtype)
        chars = "".join(d.char for d in build.resolve(row.ufunc, (dtype, dtype)))
        name = f"{row.name}_{chars.replace('?', 't')}"
        self.e.use_loop(
            name, row.module, row.reference_name or row.name, f"{chars[:2]}->{chars[2]}"
        )
        return Call(name, (a, b))

    def sum_of(self, c: Computation, a: Expr, b: Expr) -> Expr:
        """The sum of two elements of the target's dtype, in the order given."""
        return self._apply(ops.ELEMENTWISE["add"], c, a, b)

    def combine_in_order(self, c: Computation, a: Expr, b: Expr) -> Expr:
        """The same as `combine`, but for LLVM's freedom to reorder what rounds."""
        op = c.target.op
        assert isinstance(op, ops.Reduction)
        if op.name in ("sum", "prod") and c.target.dtype.kind in "fc":
            return self._apply(ops.ELEMENTWISE[op.combine], c, a, b)
        return self.combine(c, a, b)

    def _homes(self, c: Computation) -> list[tuple[Buffer, Lead]]:
        """Where a sweep accumulates, and what comes before the index there."""
        part = self.parts_of.get(c.target)
        return [part] if part else [(b, ()) for b in self.e.program.buffers[c.target]]

    def clear(self, c: Computation, position: int) -> None:
        """Set the accumulators of a sweep to the identity, before its loop at `position`."""
        value = expressions.stored(self.identity(c), c.target.dtype)
        block, place = self.over_kept(c, position)
        for buffer, lead in self._homes(c):
            block.add(Store(led(kept_element(c, buffer, place), lead), value))

    def over_kept(self, c: Computation, position: int) -> tuple[Block, dict[int, str]]:
        """Loops over the kept axes of a sweep in its loop at `position`; their indices by axis."""
        block = self.e.path[-1]
        place: dict[int, str] = {}
        axes = [axis for axis in c.order[position + 1 :] if axis not in c.reduced]
        extents = [self.e.dim(c.domain[axis]) for axis in axes]  # before a block is open
        for axis, extent in zip(axes, extents, strict=True):
            place[axis] = self.e.fresh("i")
            inner = For(index=place[axis], kind="range", operands=(extent,))
            block.add(inner)
            block = inner
        for axis, outer in zip(c.order[:position], c.loops[:position], strict=True):
            place[axis] = self.e.var_of[outer]
        return block, place

    def finish(self, c: Computation, value: Expr) -> None:
        """Store what a reduction has given."""
        if not (self.layered(c) and not self.rows_short and isinstance(value, str)):
            # An accumulator's name is assigned again in the next row.
            name = self.e.fresh("v")
            self.e.path[-1].assign(name, value, c.target.origin)
            value = name
        if c.loops[0].has(Flat):
            self.e.store(c, value, FLAT)
            return
        loop_of = dict(zip(c.order, c.loops, strict=True))
        index = tuple(
            Entry(0, 1, id(loop_of[k])) if k in c.kept else Entry(0, 0, None)
            for k in range(len(c.domain))
        )
        self.e.store(c, value, index)


def _is_floating_extreme(c: Computation) -> bool:
    """Whether `c` is an extreme along rows that is taken in vectors."""
    op, char = c.target.op.name, c.target.dtype.char
    return c.kind is Kind.REDUCE and op in ("max", "min") and char in "fd"


def _is_complex_extreme(c: Computation) -> bool:
    names = ("max", "min", "fmax_reduce", "fmin_reduce")
    return c.target.op.name in names and c.target.dtype.kind == "c"


def kept_element(c: Computation, buffer: Buffer, place: Mapping[int, str]) -> Element:
    """The element of a sweep's buffer at an index for each axis of the domain."""
    return Element(buffer.name, tuple(place[c.kept[k]] for k in buffer.axes))


def led(element: Element, lead: Lead) -> Element:
    """`element` in an array that has more axes in front, at `lead` there."""
    return replace(element, index=(*lead, *element.index))
