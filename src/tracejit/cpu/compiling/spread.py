"""A compiled entry as one call that spreads its phases over the team's threads.

The call takes the entry's arguments and a plan, an array of int64: the number of threads, the
number of phases, and for each phase its number, where its bounds begin in the plan, and how many
parts it has. Part k is from bound k to bound k + 1. The entry is called by its address, so
that nothing of it is compiled again.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tracejit.cpu.compiling.callwrapper import call_entry, njit, python_callable
from tracejit.native import team
from tracejit.native.apart import apart
from tracejit.native.slots import INT, slots, store, total

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
    ((signature, compiled),) = entry.__self__.dispatcher.overloads.items()
    given = signature if divided is not None else signature[:-3]
    names = ", ".join(f"a{k}" for k in range(len(given)))
    scope: dict[str, Any] = {"call": _intrinsic(compiled, address, given, divided)}
    exec(f"def spread({names}, plan): return call(({names},), plan)", scope)
    plan = types.Array(types.int64, 1, "C")
    found = njit((*given, plan))(scope["spread"])
    found.entry = entry  # whose machine code is called
    return python_callable(found)


def _intrinsic(compiled: Any, address: int, given: Sequence[Any], divided: Any) -> Any:
    def typing(typingctx: Any, args: Any, plan: Any) -> Any:
        return types.int64(args, plan), functools.partial(
            _codegen, compiled, address, given, divided
        )

    return intrinsic(typing)


def _codegen(
    compiled: Any, address: int, given: Any, divided: Any, context: Any, b: ir.IRBuilder,
    signature: Any, args: Any,
) -> ir.Value:  # fmt: skip
    """Put arguments into memory, and have the team run each phase's parts."""
    plan = context.make_array(signature.args[1])(context, b, args[1]).data
    # Phase, bounds, the largest code so far, and the arguments.
    taken = ir.ArrayType(INT, total(given))
    memory = ir.LiteralStructType([INT, INT.as_pointer(), INT, taken])
    place = cgutils.alloca_once(b, memory)
    values = cgutils.unpack_tuple(b, args[0], len(given))
    store(context, b, given, cgutils.gep_inbounds(b, place, 0, 3, 0), values)
    code = cgutils.gep_inbounds(b, place, 0, 2)
    b.store(INT(0), code)
    part = _part(b.module, compiled, given, divided, context, memory)
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


def _part(
    module: ir.Module, compiled: Any, given: Any, divided: Any, context: Any, memory: Any
) -> ir.Function:
    """The function of the arguments' memory and a part's number that calls the entry for it."""
    function = ir.Function(module, _PART, "tracejit_part")
    function.linkage = "internal"
    b = ir.IRBuilder(function.append_basic_block())
    place = b.bitcast(function.args[0], memory.as_pointer())
    number = b.load(cgutils.gep_inbounds(b, place, 0, 0))
    bounds = b.gep(b.load(cgutils.gep_inbounds(b, place, 0, 1)), [function.args[1]])
    low, high = b.load(bounds), b.load(b.gep(bounds, [INT(1)]))
    # A part has slots of its own: the entry's arguments, and what only it is told.
    told = [number, low, high] if divided is None else []
    size = total(given)
    memory_of_part = cgutils.alloca_once(b, ir.ArrayType(INT, size + len(told)))
    own = cgutils.gep_inbounds(b, memory_of_part, 0, 0)
    cgutils.raw_memcpy(b, own, cgutils.gep_inbounds(b, place, 0, 3, 0), INT(size), 8)
    for k, value in enumerate(told, size):
        b.store(value, b.gep(own, [INT(k)]))
    at = 0
    for ty, cut in zip(given, divided or (), strict=False):
        if cut:
            _take_rows(b, ty.ndim, b.gep(own, [INT(at)]), low, high)
        at += slots(ty)
    result = call_entry(context, b, compiled, own)
    b.atomic_rmw("max", cgutils.gep_inbounds(b, place, 0, 2), result, "monotonic")
    b.ret_void()
    return function


def _take_rows(b: ir.IRBuilder, ndim: int, array: ir.Value, low: ir.Value, high: ir.Value) -> None:
    """Make the array in these slots its rows from `low` to `high`."""
    data, length, stride = (b.gep(array, [INT(k)]) for k in (0, 1, 1 + ndim))
    b.store(b.add(b.load(data), b.mul(low, b.load(stride))), data)
    b.store(b.sub(high, low), length)
