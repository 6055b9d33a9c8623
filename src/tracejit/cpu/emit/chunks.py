"""Loops by chunks: each chunk accumulates by itself, and what chunks gave is combined in order."""

from __future__ import annotations

from dataclasses import replace

from tracejit.cpu.emit.accumulate import Accumulators
from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.source import Extra
from tracejit.lower.emit import chunks
from tracejit.lower.kernel.statements import Binary, Call, Element, Expr, For, Store
from tracejit.lower.passes.chunks import reduced_by_chunks
from tracejit.lower.program import Buffer, Computation, Kind, Loop


class Chunks(chunks.Chunks):
    """What goes around a chunked loop; an entry for a range only leaves what each chunk gave."""

    e: Emitting
    sums: Accumulators

    def run(self, loop: Loop, extent: Expr) -> None:
        """Emit the chunks of `loop`."""
        ranged = loop is self.e.ranged
        whole = reduced_by_chunks(loop)
        length, count = self.extents(loop, extent)
        if not ranged:
            self.open_totals(whole)
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
                    self.take_array(c, parts[c], ())
                continue
            value = self.given(c)
            if ranged:
                element = Element(parts[c].name, (chunk,))
                self.e.path[-1].add(Store(element, value, c.target.origin))
            else:
                self.take(c, value)
        self.e.path.pop()
        if not ranged:
            self.sums.goes_on = set()
            self.close_totals(whole)

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

    def combine(self, loop: Loop, number: int) -> None:
        """A phase that combines what the chunks of phase `number` gave."""
        whole = reduced_by_chunks(loop)
        if not whole:
            return
        self.e.open_phase(~number)
        parts = [e.buffer for e in self.e.extras if e.phase == number]
        self.open_totals(whole)
        chunk = self.e.fresh("i")
        block = For(index=chunk, kind="range", operands=("last",))
        self.e.open(block)
        for c, part in zip(whole, parts, strict=True):
            if c.kind is Kind.SWEEP:
                self.take_array(c, part, (chunk,))
                continue
            value = self.e.fresh("v")
            block.assign(value, Element(part.name, (chunk,)))
            self.take(c, value)
        self.e.path.pop()
        self.close_totals(whole)
        del self.e.path[1:]


def _is_exact(c: Computation) -> bool:
    """Whether what rows are combined to does not depend on which are combined first."""
    return c.target.dtype.kind in "biu" or c.target.op.name in ("max", "min")
