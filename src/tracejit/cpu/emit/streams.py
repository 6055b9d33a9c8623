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

from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.styles import NonTemporal
from tracejit.intrinsics.blocks import LINE
from tracejit.lower.kernel.statements import Binary, Call, Do, Expr, For
from tracejit.lower.program import Buffer, Computation, Loop


class Streams:
    """Emits the one loop of a program whose results are streamed."""

    def __init__(self, emitter: Emitting) -> None:
        self.e = emitter
        #: Where the values of each result are put aside, and the first element of its line.
        self.aside: dict[int, tuple[str, str]] = {}

    def run(self, loop: Loop, extent: Expr) -> None:
        """Emit `loop`: whole lines, and what is left of them."""
        outer, inner = self.e.fresh("i"), self.e.fresh("i")
        style = loop.get(NonTemporal)
        buffers = style.results if style else ()
        whole = For(index=outer, kind="lines", operands=(extent,))
        line = For(index=inner, kind="line", operands=(outer,))
        for buffer in buffers:
            place = self.e.fresh("s")
            self.e.path[-1].assign(place, Call("aside", (self._flat(buffer),)))
            self.aside[id(buffer)] = place, outer
        self.e.path[-1].add(whole)
        whole.add(line)
        self.e.var_of[loop], self.e.loops[id(loop)] = inner, loop
        self.e.path += [whole, line]
        self.e.depth_of[loop] = len(self.e.path) - 1
        if points := self.e.guards.points(loop):
            self.e.guards.emit(loop, points, outer, Binary("+", outer, LINE))
        else:
            for item in loop.items:
                self.e.item(item)
        del self.e.path[-2:], self.e.depth_of[loop]
        for buffer in buffers:
            place, _ = self.aside.pop(id(buffer))
            whole.add(Do(Call("stream", (place, self._flat(buffer), outer))))
        left = self.e.fresh("i")
        self.e.path[-1].add(Do(Call("fence", ())))
        self.e.path[-1].assign(left, Binary("*", Call("idiv", (extent, LINE)), LINE))
        self.e.range_of(loop, left, extent)

    def put(self, c: Computation, buffer: Buffer, value: Expr) -> Do | None:
        """The statement that puts a value of a result aside; None if it is stored at once."""
        if id(buffer) not in self.aside:
            return None
        place, start = self.aside[id(buffer)]
        at = Binary("-", self.e.var_of[c.loops[-1]], start)
        return Do(Call("put_aside", (place, at, value)), c.target.origin)

    def _flat(self, buffer: Buffer) -> Expr:
        return self.e.flat(buffer.name, buffer.node.ndim)
