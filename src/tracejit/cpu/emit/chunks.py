"""Loops by chunks: each chunk accumulates by itself, and what chunks gave is combined in order."""

from __future__ import annotations

from dataclasses import replace

from tracejit.cpu.emit.accumulate import Accumulators
from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.source import Extra
from tracejit.lower.emit.accumulate import Lead, kept_element, led
from tracejit.lower.kernel.formula import fill
from tracejit.lower.kernel.statements import Binary, Call, Element, Expr, For, Store
from tracejit.lower.passes.chunks import (
    CHUNK,
    LENGTH,
    NUMBER,
    TILED_LENGTH,
    inner_points,
    is_whole,
    own_computations,
)
from tracejit.lower.program import Buffer, Computation, Kind, Loop
from tracejit.lower.styles import Tile


class Chunks:
    """What goes around a chunked loop; an entry for a range only leaves what each chunk gave."""

    def __init__(self, emitter: Emitting, sums: Accumulators) -> None:
        self.e, self.sums = emitter, sums
        #: What the chunks before have given.
        self.names: dict[Computation, str] = {}

    def run(self, loop: Loop, extent: Expr) -> None:
        """Emit the chunks of `loop`."""
        ranged = loop is self.e.ranged
        whole = _whole(loop)
        length, count = self._extents(loop, extent)
        if not ranged:
            self._open(whole)
            self.sums.goes_on = {c for c in whole if c.kind is Kind.SWEEP and _is_exact(c)}
            whole = [c for c in whole if c not in self.sums.goes_on]
        parts = self._extras(loop, whole) if ranged else self._own(whole)
        chunk, start, end = (self.e.fresh("i") for _ in range(3))
        kind, operands = ("span", ("first", "last")) if ranged else ("range", (count,))
        block = For(index=chunk, kind=kind, operands=operands)
        block.assign(start, Binary("*", chunk, length))
        block.assign(end, Call("imin", (Binary("+", start, length), extent)))
        self.e.open(block)
        for c, part in parts.items():
            if c.kind is Kind.SWEEP:
                self.sums.parts_of[c.target] = part, (chunk,) if ranged else ()
        for member in loop.members:
            self.e.range_of(member, start, end)
        for c in whole:
            if c.kind is Kind.SWEEP:
                del self.sums.parts_of[c.target]
                if not ranged:
                    self._take_array(c, parts[c], ())
                continue
            value = self._given(c)
            if ranged:
                element = Element(parts[c].name, (chunk,))
                self.e.path[-1].add(Store(element, value, c.target.origin))
            else:
                self._take(c, value)
        self.e.path.pop()
        if not ranged:
            self.sums.goes_on = set()
            self._close(whole)

    def _own(self, whole: list[Computation]) -> dict[Computation, Buffer]:
        """Memory for the arrays that a chunk gives."""
        parts = self.e.program.parts
        return {c: parts[c.target] for c in whole if c.kind is Kind.SWEEP}

    def _extras(self, loop: Loop, whole: list[Computation]) -> dict[Computation, Buffer]:
        """Memory for what all chunks give."""
        number = next(k for k, item in enumerate(self.e.program.items) if item is loop)
        made = {}
        for c in whole:
            like = None
            part = Buffer(c.target, (0,), ())
            if c.kind is Kind.SWEEP:
                one = self.e.program.parts[c.target]
                like = self.e.parameters.index(one.name)
                part = replace(one, shape=(0, *one.shape))
            part.name = f"p{len(self.e.extras)}"
            self.e.extras.append(Extra(part, number, like))
            made[c] = part
        return made

    def _extents(self, loop: Loop, extent: Expr) -> tuple[Expr, Expr]:
        """The length of a loop's chunks, and their number."""
        points = self.e.dim(inner_points(loop))
        block, count = self.e.path[-1], self.e.fresh("i")
        length: Expr = CHUNK
        if (tiled := loop.has(Tile)) or points != 1:
            length, formula = self.e.fresh("i"), TILED_LENGTH if tiled else LENGTH
            block.assign(length, fill(formula, count=extent, inner=points))
        block.assign(count, fill(NUMBER, count=extent, length=length))
        return length, count

    def combine(self, loop: Loop, number: int) -> None:
        """A phase that combines what the chunks of phase `number` gave."""
        whole = _whole(loop)
        if not whole:
            return
        self.e.open_phase(~number)
        parts = [e.buffer for e in self.e.extras if e.phase == number]
        self._open(whole)
        chunk = self.e.fresh("i")
        block = For(index=chunk, kind="range", operands=("last",))
        self.e.open(block)
        for c, part in zip(whole, parts, strict=True):
            if c.kind is Kind.SWEEP:
                self._take_array(c, part, (chunk,))
                continue
            value = self.e.fresh("v")
            block.assign(value, Element(part.name, (chunk,)))
            self._take(c, value)
        self.e.path.pop()
        self._close(whole)
        del self.e.path[1:]

    def _open(self, whole: list[Computation]) -> None:
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

    def _given(self, c: Computation) -> Expr:
        """What the chunk at hand gave."""
        layered = self.sums.layered(c)
        return self.sums.total(c, c.loops[0]) if layered else self.sums.accumulator(c)

    def _take(self, c: Computation, value: Expr) -> None:
        """Combine what a chunk gave with what those before it did."""
        name = self.names[c]
        total: Expr = Call("sum_carry", (name, value))
        if not self.sums.layered(c):
            total = self.sums.combine_in_order(c, name, value)
        self.e.path[-1].assign(name, total, c.target.origin)

    def _take_array(self, c: Computation, part: Buffer, lead: Lead) -> None:
        """The same for the array of a sweep, which is in `part`, at `lead` there."""
        block, place = self.sums.over_kept(c, 0)
        given = led(kept_element(c, part, place), lead)
        for buffer in self.e.program.buffers[c.target]:
            total = kept_element(c, buffer, place)
            block.add(Store(total, self.sums.combine(c, total, given), c.target.origin))

    def _close(self, whole: list[Computation]) -> None:
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


def _whole(loop: Loop) -> list[Computation]:
    """What chunks of `loop` reduce."""
    return [c for c in own_computations(loop) if is_whole(c, loop)]


def _is_exact(c: Computation) -> bool:
    """Whether what rows are combined to does not depend on which are combined first."""
    return c.target.dtype.kind in "biu" or c.target.op.name in ("max", "min")
