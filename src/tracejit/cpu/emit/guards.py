"""Functions whose vector code has limits: one test for a block of arguments.

``sin`` of a vector must look for angles that are too far from zero, and have a function at hand
that takes care of them: a call, around which LLVM keeps no register. So a loop over a block
computes what holds for near arguments alone and takes note of others, and a block that has some is
done again:

    for i0 in blocks(v0):
        v1 = False
        for i1 in block(i0, v0):
            b0[i1] = near_sin(x0[i1])
            v1 = logical_or(v1, far_angle(x0[i1]))
        if told(v1):
            for i2 in again(i0, v0):
                b0[i2] = sin(x0[i2])

Both give the same bits where both hold. (``sin(x) * cos(y) + sin(y)`` of 4,096 numbers: 10.1 µs
instead of 14.2.)
"""

from __future__ import annotations

from tracejit.cpu.emit.accumulate import Accumulators
from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.styles import Jam
from tracejit.ir import ops
from tracejit.ir.node import Node, Origin
from tracejit.lower import access
from tracejit.lower.access import Point
from tracejit.lower.emit.emitting import FALSE
from tracejit.lower.kernel.formula import fill
from tracejit.lower.kernel.statements import Call, Expr, For, If
from tracejit.lower.program import Computation, Kind, Loop


class Guards:
    """The loops over a block that calls guarded functions."""

    def __init__(self, emitter: Emitting, sums: Accumulators) -> None:
        self.e, self.sums = emitter, sums

    def points(self, loop: Loop) -> list[Point]:
        """The guarded calls in an innermost loop; none where a block could not be done again."""
        inside = [c for c in loop.items if isinstance(c, Computation)]
        if len(inside) < len(loop.items) or loop.has(Jam) or self.e.program.windows:
            return []
        found: dict[Point, None] = {}
        for c in inside:
            if c.loops[-1] is not loop or c.kind not in (Kind.MAP, Kind.REDUCE):
                return []
            stored = self.e.program.stored.keys() - {c.target}
            points = access.walk(c.value, self.e.index_of(c), stored)
            if any(_may_trap(node) and node not in stored for node, _ in points):
                return []  # for what it makes of an argument that is none of its own
            found.update((p, None) for p in points if _is_guarded(p[0]) and p[0] not in stored)
        return [] if found and self._overwrites(inside) else list(found)

    def _overwrites(self, inside: list[Computation]) -> bool:
        """Whether results take the place of what is read."""
        program = self.e.program

        def memory(node: Node) -> set[object]:
            if node.op is ops.INPUT:
                return {node.attr[0]}
            return {b.home or id(b) for b in program.buffers.get(node, ())}

        targets = {c.target for c in inside}
        written = set[object]().union(*map(memory, targets))
        read = {access.memory_of(n, c.target, program.stored) for c in inside for n, _ in c.reads}
        return any(memory(n) & written for n in read - targets)

    def emit(self, loop: Loop, points: list[Point], start: Expr, end: Expr) -> None:
        """The items of `loop`, whose block is the innermost open one, from `start` up to `end`."""
        inner, outer = self.e.path[-1], self.e.path[-2]
        assert outer.body.pop() is inner
        far = self.e.fresh("v")
        outer.assign(far, FALSE)
        kept = {name: self.e.fresh("v") for name in self.sums.carried(loop)}
        for name, copy in kept.items():
            outer.assign(copy, name)
        outer.add(inner)
        self.e.near.update(points)
        self._items(loop)
        self.e.near.clear()
        tests: dict[Expr, Origin | None] = {}
        for node, index in points:
            (argument,) = access.operands(node, index)
            known = self.e.known[inner]
            if argument in known:  # else it is the same at each step, and was computed before
                assert isinstance(node.op, ops.Elementwise) and node.op.far
                tests[fill(node.op.far, known[argument])] = node.origin
        for test, origin in tests.items():
            inner.assign(far, Call("logical_or", (far, test)), origin)

        again = If(test=Call("told", (far,)))
        outer.add(again)
        for name, copy in kept.items():
            again.assign(name, copy)
        self.e.var_of[loop] = self.e.fresh("i")
        block = For(index=self.e.var_of[loop], kind="again", operands=(start, end))
        again.add(block)
        self.e.path[-1:] = [again, block]
        self.e.depth_of[loop] += 1
        self._items(loop)
        self.e.path[-2:] = [inner]

    def _items(self, loop: Loop) -> None:
        for item in loop.items:
            self.e.item(item)


def _is_guarded(node: Node) -> bool:
    row = node.op
    if not isinstance(row, ops.Elementwise) or row.near is None:
        return False
    return node.args[0].dtype.kind in row.near_kinds


def _may_trap(node: Node) -> bool:
    """Whether a value is refused for some operands: the place of an element, or an exponent."""
    row = node.op
    if not isinstance(row, ops.Elementwise):
        return row is ops.GATHER
    return row.trap is not None and node.args[0].dtype.kind in row.trap_kinds
