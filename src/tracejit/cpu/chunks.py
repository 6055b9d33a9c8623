"""Loops by chunks: each chunk accumulates by itself, and what chunks gave is combined in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracejit.cpu.block import Block
from tracejit.lower.chunks import CHUNK, inner_points, is_whole
from tracejit.lower.program import Buffer, Computation, Loop, computations_in

if TYPE_CHECKING:
    from tracejit.cpu.emit import Emitter


class Chunks:
    """What goes around a chunked loop; an entry for a range only leaves what each chunk gave."""

    def __init__(self, emitter: Emitter) -> None:
        self.e, self.sums = emitter, emitter.accumulators
        #: What the chunks before have given.
        self.names: dict[Computation, str] = {}

    def run(self, loop: Loop, inside: list[Computation], var: str, extent: str) -> None:
        """Emit the chunks of `loop`, from `var` = 0 up to `extent`."""
        ranged = loop is self.e.ranged
        whole = [c for c in inside if is_whole(c, loop)]
        length, count = self._extents(loop, extent)
        if ranged:
            number = next(k for k, item in enumerate(self.e.program.items) if item is loop)
            parts = [Buffer(c.target, (0,), (0,)) for c in whole]
            for part in parts:
                part.name = f"p{len(self.e.extras)}"
                self.e.extras.append((part, number))
        else:
            self._open(whole)
        chunk, start, end = (self.e.fresh("i") for _ in range(3))
        block = Block(f"for {chunk} in {'span(first, last)' if ranged else f'range({count})'}:")
        block.add(f"{start} = {chunk} * {length}")
        block.add(f"{end} = imin({start} + {length}, {extent})")
        self.e.path[-1].body.append(block)
        self.e.path.append(block)
        self.sums.before(loop, inside)
        version = self.sums.open(loop, inside, var, end, start)
        self.e.steps(loop, inside, version, end)
        for k, c in enumerate(whole):
            value = self._given(c, loop)
            if ranged:
                self.e.path[-1].add(f"{parts[k].name}[{chunk}] = {value}", c.target.origin)
            else:
                self._take(c, value)
        self.e.path.pop()
        if not ranged:
            self._close(whole)

    def _extents(self, loop: Loop, extent: str) -> tuple[str, str]:
        """The length of a loop's chunks, and their number."""
        points = self.e.dim(inner_points(loop))
        block, length, count = self.e.path[-1], str(CHUNK), self.e.fresh("i")
        if points != "1":
            length = self.e.fresh("i")
            block.add(f"{length} = imax(floor_divide({CHUNK}, imax({points}, 1)), 1)")
        block.add(f"{count} = floor_divide({extent} + {length} - 1, {length})")
        return length, count

    def combine(self, loop: Loop, number: int) -> None:
        """A phase that combines what the chunks of phase `number` gave."""
        self.e.open_phase(~number)
        whole = [c for c in computations_in(loop) if is_whole(c, loop)]
        parts = [b for b, k in self.e.extras if k == number]
        self._open(whole)
        chunk = self.e.fresh("i")
        block = Block(f"for {chunk} in range(last):")
        self.e.path[-1].body.append(block)
        self.e.path.append(block)
        for c, part in zip(whole, parts, strict=True):
            value = self.e.fresh("v")
            block.add(f"{value} = {part.name}[{chunk}]")
            self._take(c, value)
        self.e.path.pop()
        self._close(whole)
        del self.e.path[1:]

    def _open(self, whole: list[Computation]) -> None:
        """Before the first chunk of reductions over everything."""
        for c in whole:
            name = self.names[c] = self.e.fresh("v")
            layered = self.sums.layered(c)
            start = f"sum_open({self.sums.start(c)})" if layered else self.sums.identity(c)
            self.e.path[-1].add(f"{name} = {start}")

    def _given(self, c: Computation, loop: Loop) -> str:
        """What the chunk at hand gave."""
        return self.sums.total(c, loop) if self.sums.layered(c) else self.sums.accumulator(c)

    def _take(self, c: Computation, value: str) -> None:
        """Combine what a chunk gave with what those before it did."""
        name = self.names[c]
        carried = f"sum_carry({name}, {value})"
        text = carried if self.sums.layered(c) else self.sums.combine(c, name, value)
        self.e.path[-1].add(f"{name} = {text}", c.target.origin)

    def _close(self, whole: list[Computation]) -> None:
        """After the last chunk."""
        for c in whole:
            name = self.names[c]
            if self.sums.layered(c):
                total = self.e.fresh("v")
                self.e.path[-1].add(f"{total} = sum_close({name})", c.target.origin)
                name = total
            self.sums.finish(c, name)
