"""Loops that only copy: one call, which is faster than a loop from some hundred kilobytes on."""

from __future__ import annotations

from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.styles import BlockedDraws, Jam
from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.lower.kernel.statements import Call, Do, Expr
from tracejit.lower.program import Computation, Kind, Loop

#: What is its operand, where the dtype is the same.
_SAME = (ops.CAST, *ops.ORDERED.values())


class Copies:
    """Emits copies of whole arrays that lie alike in memory."""

    def __init__(self, emitter: Emitting) -> None:
        self.e = emitter

    def run(self, loop: Loop, first: Expr | None, last: Expr) -> bool:
        """Emit what a loop does from `first` (None: 0) up to `last`, if it only copies."""
        c = loop.items[0]
        if len(loop.items) > 1 or not isinstance(c, Computation) or c.loops != [loop]:
            return False
        source = self._source(c)
        if source is None or loop.has(Jam) or loop.has(BlockedDraws):
            return False
        given = self.e.flat(self.e.array(source), source.ndim)
        for buffer in self.e.program.buffers[c.target]:
            out = self.e.flat(buffer.name, c.target.ndim)
            call = Call("copy_range", (out, given, 0 if first is None else first, last))
            self.e.path[-1].add(Do(call, c.target.origin))
        return True

    def _source(self, c: Computation) -> Node | None:
        """What a computation copies as it lies there, in C order; None where it does more."""
        if c.kind is not Kind.MAP or c.offset != 0 or not self._in_order(c.target):
            return None
        node = c.value
        while node.op in _SAME and (node is c.target or node not in self.e.program.stored):
            if node.dtype != node.args[0].dtype:
                return None
            node = node.args[0]
        if node is c.target or node.shape != c.target.shape or node.dtype != c.target.dtype:
            return None
        if node.op is ops.INPUT:
            return node if self.e.program.layouts[node.attr[0]] == "C" else None
        return node if node in self.e.program.stored and self._in_order(node) else None

    def _in_order(self, node: Node) -> bool:
        """Whether all buffers of a node have all of it."""
        buffers, windows = self.e.program.buffers[node], self.e.program.windows
        whole = tuple(range(node.ndim))
        return node not in windows and all(b.axes == whole and b.layout == "C" for b in buffers)
