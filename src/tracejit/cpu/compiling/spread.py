"""A compiled entry as one call that spreads its phases over the team's threads.

The call takes the entry's arguments and a plan, an array of int64: the number of threads, the
number of phases, and for each phase its number, where its bounds begin in the plan, and how many
parts it has. Part k is from bound k to bound k + 1. The entry is called by its address, so
that nothing of it is compiled again.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from tracejit.intrinsics.function import call, compiled
from tracejit.native import team
from tracejit.native.apart import apart
from tracejit.native.machinecode import Compiled
from tracejit.native.parameters import Array, Signature, total
from tracejit.native.slots import INT, store, type_of

_number = itertools.count()
_BYTE = ir.IntType(8)
_PART = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), INT])


def spread(entry: Any, divided: Sequence[bool] | None) -> Any:
    """The call; `entry` has one signature.

    `divided` says which arguments are cut along their first axis. None is for an entry that takes,
    after its other arguments, the number of a phase and its first and last iteration.
    None where there is no team.
    """
    return apart(lambda: _spread(entry, divided))


def _spread(entry: Any, divided: Sequence[bool] | None) -> Any:
    address = team.runner()
    if address is None:
        return None
    function: Compiled = entry.__self__.compiled
    given = function.signature if divided is not None else function.signature[:-3]
    plan = Array(np.dtype(np.int64), 1, "C")

    def body(typingctx: Any, context: Any, b: ir.IRBuilder, arguments: Any) -> None:
        *operands, (_, where) = arguments
        bounds = context.make_array(type_of(plan))(context, b, where).data
        shared = _Shared(context, b, function, given, divided)
        code = shared.run(address, [value for _, value in operands], bounds)
        context.call_conv.return_value(b, code)

    # Whose machine code is called lives as long.
    name = f"{function.symbol}.spread{next(_number)}"
    return compiled(name, (*given, plan), body, held=entry).callable()


class _Shared(NamedTuple):
    """A call of `function` that a team shares; `given` are its parameters."""

    context: Any
    b: ir.IRBuilder
    function: Compiled
    given: Signature
    divided: Sequence[bool] | None

    def run(self, address: int, values: list[ir.Value], plan: ir.Value) -> ir.Value:
        """Put arguments into memory, and have the team run each phase's parts."""
        context, b, given = self.context, self.b, self.given
        # Phase, bounds, the largest code so far, and the arguments.
        taken = ir.ArrayType(INT, total(given))
        memory = ir.LiteralStructType([INT, INT.as_pointer(), INT, taken])
        place = cgutils.alloca_once(b, memory)
        store(context, b, given, cgutils.gep_inbounds(b, place, 0, 3, 0), values)
        code = cgutils.gep_inbounds(b, place, 0, 2)
        b.store(INT(0), code)
        part = self._part(memory)
        run = b.inttoptr(
            INT(address),
            ir.FunctionType(
                ir.VoidType(), [_PART.as_pointer(), _BYTE.as_pointer(), INT, INT]
            ).as_pointer(),
        )
        threads, count = (b.load(b.gep(plan, [INT(k)])) for k in (0, 1))
        with cgutils.for_range(b, count) as loop:
            at = b.add(INT(2), b.mul(loop.index, INT(3)))
            number, start, parts = (b.load(b.gep(plan, [b.add(at, INT(k))])) for k in range(3))
            b.store(number, cgutils.gep_inbounds(b, place, 0, 0))
            b.store(b.gep(plan, [start]), cgutils.gep_inbounds(b, place, 0, 1))
            b.call(run, [part, b.bitcast(place, _BYTE.as_pointer()), parts, threads])
            with cgutils.if_unlikely(b, b.icmp_signed("!=", b.load(code), INT(0))):
                loop.do_break()
        return b.load(code)

    def _part(self, memory: Any) -> ir.Function:
        """The function of the arguments' memory and a part's number that calls the entry for it."""
        given = self.given
        function = ir.Function(self.b.module, _PART, "tracejit_part")
        function.linkage = "internal"
        b = ir.IRBuilder(function.append_basic_block())
        place = b.bitcast(function.args[0], memory.as_pointer())
        number = b.load(cgutils.gep_inbounds(b, place, 0, 0))
        bounds = b.gep(b.load(cgutils.gep_inbounds(b, place, 0, 1)), [function.args[1]])
        low, high = b.load(bounds), b.load(b.gep(bounds, [INT(1)]))
        # A part has slots of its own: the entry's arguments, and what only it is told.
        told = [number, low, high] if self.divided is None else []
        size = total(given)
        memory_of_part = cgutils.alloca_once(b, ir.ArrayType(INT, size + len(told)))
        own = cgutils.gep_inbounds(b, memory_of_part, 0, 0)
        cgutils.raw_memcpy(b, own, cgutils.gep_inbounds(b, place, 0, 3, 0), INT(size), 8)
        for k, value in enumerate(told, size):
            b.store(value, b.gep(own, [INT(k)]))
        at = 0
        for parameter, cut in zip(given, self.divided or (), strict=False):
            if cut and isinstance(parameter, Array):
                _take_rows(b, parameter.ndim, b.gep(own, [INT(at)]), low, high)
            at += parameter.slots
        result = call(b, self.function, own)
        b.atomic_rmw("max", cgutils.gep_inbounds(b, place, 0, 2), result, "monotonic")
        b.ret_void()
        return function


def _take_rows(b: ir.IRBuilder, ndim: int, array: ir.Value, low: ir.Value, high: ir.Value) -> None:
    """Make the array in these slots its rows from `low` to `high`."""
    data, length, stride = (b.gep(array, [INT(k)]) for k in (0, 1, 1 + ndim))
    b.store(b.add(b.load(data), b.mul(low, b.load(stride))), data)
    b.store(b.sub(high, low), length)
