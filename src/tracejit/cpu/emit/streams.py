"""Results that no cache can hold, stored past the caches: loops by lines of the cache.

A store by way of the cache first reads what it overwrites. Past it, whole lines must be written at
once, from vectors. So the values of a line are put aside, in what become registers, and go out
together:

    for i0 in lines(v0):
        for i1 in line(i0):
            …
            put_aside(s0, i1 - i0, v5)
        stream(s0, b0, i0)
"""

from __future__ import annotations

from tracejit.cpu.emit.block import Block
from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.styles import NonTemporal
from tracejit.intrinsics.blocks import LINE
from tracejit.lower.program import Buffer, Computation, Loop


class Streams:
    """Emits the one loop of a program whose results are streamed."""

    def __init__(self, emitter: Emitting) -> None:
        self.e = emitter
        #: Where the values of each result are put aside, and the first element of its line.
        self.aside: dict[int, tuple[str, str]] = {}

    def run(self, loop: Loop, extent: str) -> None:
        """Emit `loop`: whole lines, and what is left of them."""
        outer, inner = self.e.fresh("i"), self.e.fresh("i")
        style = loop.get(NonTemporal)
        buffers = style.results if style else ()
        whole = Block(f"for {outer} in lines({extent}):")
        line = Block(f"for {inner} in line({outer}):")
        for buffer in buffers:
            place = self.e.fresh("s")
            self.e.path[-1].add(f"{place} = aside({self._flat(buffer)})")
            self.aside[id(buffer)] = place, outer
        self.e.path[-1].body.append(whole)
        whole.body.append(line)
        self.e.var_of[loop], self.e.loops[id(loop)] = inner, loop
        self.e.path += [whole, line]
        self.e.depth_of[loop] = len(self.e.path) - 1
        if points := self.e.guards.points(loop):
            self.e.guards.emit(loop, points, outer, f"{outer} + {LINE}")
        else:
            for item in loop.items:
                self.e.item(item)
        del self.e.path[-2:], self.e.depth_of[loop]
        for buffer in buffers:
            place, _ = self.aside.pop(id(buffer))
            whole.add(f"stream({place}, {self._flat(buffer)}, {outer})")
        left = self.e.fresh("i")
        self.e.path[-1].add("fence()")
        self.e.path[-1].add(f"{left} = idiv({extent}, {LINE}) * {LINE}")
        self.e.range_of(loop, left, extent)

    def put(self, c: Computation, buffer: Buffer, value: str) -> str | None:
        """The statement that puts a value of a result aside; None if it is stored at once."""
        if id(buffer) not in self.aside:
            return None
        place, start = self.aside[id(buffer)]
        return f"put_aside({place}, {self.e.var_of[c.loops[-1]]} - {start}, {value})"

    def _flat(self, buffer: Buffer) -> str:
        return self.e.flat_name(buffer.name, buffer.node.ndim)
