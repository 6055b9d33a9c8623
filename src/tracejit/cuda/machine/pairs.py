"""Loops in which a thread takes both numbers of each of Philox's blocks (see `passes.pairs`).

A step is two iterations, `HALF` apart, the second one inside of the first. The first has a block
made, and both of its numbers; the second takes the other one, if that is of its place, as it is
where rows of places begin at multiples of `2 * HALF`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.intrinsics import grid
from tracejit.intrinsics.build import Builder, Value
from tracejit.intrinsics.philox import MAKES, one_of, pair_of
from tracejit.lower.kernel.statements import Call, For
from tracejit.rng.philox import HALF

_INT = ir.IntType(64)


class Pairs:
    """What the first iteration of a step has drawn, by the call: its operands, and both numbers."""

    def __init__(self) -> None:
        self.made: dict[Call, tuple[list[ir.Value], tuple[ir.Value, ir.Value]]] = {}

    def drawn(self, builder: Builder, e: Call) -> Value:
        """The number that a call gives, in either iteration."""
        b, make = builder.b, MAKES[e.function]
        values = [builder.value(o)[1] for o in e.operands]
        kind = types.float64 if e.function == "philox_normal" else types.uint64
        known = self.made.get(e)
        if known is None:
            pair = pair_of(b, make, *values)
            self.made[e] = values, pair
            return kind, one_of(b, pair, values[2])
        before, pair = known
        place = b.xor(before[2], _INT(HALF))
        same = b.icmp_unsigned("==", values[2], place)
        for one, other in zip(before[:2], values[:2], strict=True):
            same = b.and_(same, b.icmp_unsigned("==", one, other))
        with b.if_else(same, likely=True) as (then, otherwise):
            with then:
                near, block = one_of(b, pair, values[2]), b.block
            with otherwise:
                far, other_block = one_of(b, pair_of(b, make, *values), values[2]), b.block
        found = b.phi(near.type)
        found.add_incoming(near, block)
        found.add_incoming(far, other_block)
        return kind, found


def by_pairs(builder: Any, s: For) -> None:
    """Build such a loop, of a builder of kernels that is at its place."""
    b, low = builder.b, _INT(HALF - 1)
    count = builder.value(s.operands[0])[1]
    steps = b.lshr(b.add(count, _INT(2 * HALF - 1)), _INT(1))
    step = grid.begin(b, "x", b.and_(steps, b.not_(low)))
    first = b.or_(b.shl(b.and_(step, b.not_(low)), _INT(1)), b.and_(step, low))
    builder.pairs = Pairs()
    with b.if_then(b.icmp_signed("<", first, count)):
        builder.env[s.index] = types.int64, first
        builder.iteration(s)
        second = b.or_(first, _INT(HALF))
        with b.if_then(b.icmp_signed("<", second, count)):
            builder.env[s.index] = types.int64, second
            builder.iteration(s)
    builder.pairs = None
    builder.end(s)
