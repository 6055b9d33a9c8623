"""The instructions of a loop that threads share: its iterations in a function of its own.

That is given, in memory, the values that iterations need, and does a part of them. The caller has
the team do all parts; what iterations leave is in memory, for so many of them at a time.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from tracejit.cpu.passes.sharing import TEAM, THREADS
from tracejit.cpu.threads import PARTS
from tracejit.intrinsics import structure
from tracejit.intrinsics.blocks import BLOCK
from tracejit.intrinsics.team import PART
from tracejit.lower.kernel.statements import Block, Kernel, Shared
from tracejit.lower.kernel.verify import read_in

_INT, _BYTES = ir.IntType(64), ir.IntType(8).as_pointer()
#: Of how many iterations there is memory for what they leave: the others come later.
_MOST_KEPT = 1 << 10
_SHIFT = BLOCK.bit_length() - 1
#: From so many additions for each on, threads have several parts. With few, a thread that helped
#: with the share of another would fetch it from that one's cache, and the other be late again.
_PART = 24


def share(outer: Any, s: Shared) -> None:
    """Build a shared loop, by the `Builder` that `outer` is."""
    _Sharing(outer, s).build()


class _Sharing:
    """A shared loop, and the function of its parts."""

    def __init__(self, outer: Any, s: Shared) -> None:
        self.outer, self.s, self.b = outer, s, outer.b
        read = read_in(s) | set(s.kept.values())
        #: What is passed; constants need not be.
        self.given = {n: outer.value(n) for n in sorted(read & outer.env.keys())}
        self.passed = [n for n, (_, v) in self.given.items() if not isinstance(v, ir.Constant)]
        kinds = [self.given[n][1].type for n in self.passed]
        #: The first iteration, how many there are, in how many parts; what they leave.
        self.memory = ir.LiteralStructType([_INT, _INT, _INT, *[_BYTES] * len(s.kept), *kinds])
        self.kept: list[Any] = []

    def build(self) -> None:
        """The function, and its calls."""
        outer, b, s = self.outer, self.b, self.s
        function = self._function()
        place = cgutils.alloca_once(b, self.memory)
        at = 3 + len(s.kept)
        for k, name in enumerate(self.passed):
            self._set(place, at + k, self.given[name][1])
        first, count = self._extent()
        if not s.kept:
            self._run(function, place, first, count)
            return
        slots = [cgutils.alloca_once(b, v.type, size=_INT(_MOST_KEPT)) for _, v in self.kept]
        for k, slot in enumerate(slots):
            self._set(place, 3 + k, b.bitcast(slot, _BYTES))
        shift = _MOST_KEPT.bit_length() - 1
        groups = b.ashr(b.add(count, _INT(_MOST_KEPT - 1)), _INT(shift))
        _, group = outer.call(structure.loop_range, [(types.int64, groups)])
        before = b.shl(group, _INT(shift))
        number = _least(b, b.sub(count, before), _INT(_MOST_KEPT))
        start = b.add(first, before)
        self._run(function, place, start, number)
        _, k = outer.call(structure.loop_range, [(types.int64, number)])
        index = b.add(start, k)
        outer.env[s.index] = types.int64, self._index(b, index)
        for name, slot, (kind, _) in zip(s.kept, slots, self.kept, strict=True):
            outer.env[name] = kind, b.load(b.gep(slot, [k]))
        outer.statements(s.then)
        for _ in range(2):
            outer.call(structure.loop_end, [])

    def _set(self, place: ir.Value, k: int, value: ir.Value) -> None:
        self.b.store(value, cgutils.gep_inbounds(self.b, place, 0, k))

    def _extent(self) -> tuple[ir.Value, ir.Value]:
        """The first iteration, and how many there are."""
        b, values = self.b, [self.outer.value(e)[1] for e in self.s.operands]
        if self.s.kind == "span":
            return values[0], b.sub(values[1], values[0])
        if self.s.kind == "blocks":
            return _INT(0), b.ashr(b.add(values[0], _INT(BLOCK - 1)), _INT(_SHIFT))
        return _INT(0), values[0]

    def _index(self, b: ir.IRBuilder, number: ir.Value) -> ir.Value:
        blocks = self.s.kind == "blocks"
        return b.shl(number, _INT(_SHIFT), flags=("nuw", "nsw")) if blocks else number

    def _run(
        self, function: ir.Function, place: ir.Value, first: ir.Value, count: ir.Value
    ) -> None:
        """Have the team do iterations."""
        outer, b = self.outer, self.b
        _, threads = outer.value(THREADS)
        # As many for each thread, so that its share has the same places in the next loop.
        each = b.sdiv(b.ashr(outer.value(self.s.work)[1], _INT(_PART)), threads)
        each = _least(b, b.select(b.icmp_signed("<", each, _INT(1)), _INT(1), each), _INT(PARTS))
        parts = _least(b, b.mul(each, threads), count)
        for k, value in enumerate((first, count, parts)):
            self._set(place, k, value)
        context = b.bitcast(place, _BYTES)
        outer.namespace[TEAM](b, function, context, parts, threads)

    def _function(self) -> ir.Function:
        """What does a part of the iterations."""
        outer, s, module = self.outer, self.s, self.b.module
        function = ir.Function(module, PART, module.get_unique_name("tracejit_share"))
        function.linkage = "internal"
        b = ir.IRBuilder(function.append_basic_block("entry"))
        start = function.append_basic_block("start")
        place = b.bitcast(function.args[0], self.memory.as_pointer())
        fields = [b.load(cgutils.gep_inbounds(b, place, 0, k)) for k in range(len(self.memory))]
        first, count, parts = fields[:3]
        kept = fields[3 : 3 + len(s.kept)]
        values = dict(self.given)
        for name, value in zip(self.passed, fields[3 + len(s.kept) :], strict=True):
            values[name] = self.given[name][0], value
        low, high = (
            b.add(first, b.udiv(b.mul(count, part), parts))
            for part in (function.args[1], b.add(function.args[1], _INT(1)))
        )
        before = b.block
        b.position_at_end(start)
        inner = outer.inside(b, Kernel([*values], outer.kernel.factories, Block(s.body)), values)
        _, number = inner.call(structure.loop_span, [(types.int64, low), (types.int64, high)])
        inner.env[s.index] = types.int64, self._index(b, number)
        inner.iteration(s)
        slot = b.sub(number, first)
        for where, name in zip(kept, s.kept.values(), strict=True):
            kind, value = inner.value(name)
            self.kept.append((kind, value))
            b.store(value, b.gep(b.bitcast(where, value.type.as_pointer()), [slot]))
        inner.end(s)
        b.ret_void()
        b.position_at_end(before)
        b.branch(start)
        return function


def _least(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return b.select(b.icmp_signed("<", x, y), x, y)
