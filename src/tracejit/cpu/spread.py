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

from tracejit.cpu import team
from tracejit.cpu.callwrapper import njit, python_callable

_INT, _BYTE = ir.IntType(64), ir.IntType(8)
_PART = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _INT])


def spread(entry: Any, divided: Sequence[bool] | None) -> Any:
    """The call; `entry` has one signature.

    `divided` says which arguments are cut along their first axis. None is for an entry that takes,
    after its other arguments, the number of a phase and its first and last iteration.
    None where there is no team.
    """
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
    values = cgutils.unpack_tuple(b, args[0], len(given))
    plan = context.make_array(signature.args[1])(context, b, args[1]).data
    # Phase, bounds, the largest code so far, and the arguments.
    memory = ir.LiteralStructType([_INT, _INT.as_pointer(), _INT, *(v.type for v in values)])
    place = cgutils.alloca_once(b, memory)
    for k, value in enumerate(values):
        b.store(value, cgutils.gep_inbounds(b, place, 0, 3 + k))
    code = cgutils.gep_inbounds(b, place, 0, 2)
    b.store(_INT(0), code)
    part = _part(b.module, compiled, given, divided, context, memory)
    run = b.inttoptr(
        _INT(address),
        ir.FunctionType(
            ir.VoidType(), [_PART.as_pointer(), _BYTE.as_pointer(), _INT, _INT]
        ).as_pointer(),
    )
    threads, count = (b.load(b.gep(plan, [_INT(k)])) for k in (0, 1))
    with cgutils.for_range(b, count) as loop:
        at = b.add(_INT(2), b.mul(loop.index, _INT(3)))
        number, start, parts = (b.load(b.gep(plan, [b.add(at, _INT(k))])) for k in range(3))
        b.store(number, cgutils.gep_inbounds(b, place, 0, 0))
        b.store(b.gep(plan, [start]), cgutils.gep_inbounds(b, place, 0, 1))
        b.call(run, [part, b.bitcast(place, _BYTE.as_pointer()), parts, threads])
        with cgutils.if_unlikely(b, b.icmp_signed("!=", b.load(code), _INT(0))):
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
    low, high = b.load(bounds), b.load(b.gep(bounds, [_INT(1)]))
    values = [b.load(cgutils.gep_inbounds(b, place, 0, 3 + k)) for k in range(len(given))]
    if divided is None:
        values += [number, low, high]
    else:
        values = [
            _rows(context, b, ty, value, low, high) if cut else value
            for ty, value, cut in zip(given, values, divided, strict=True)
        ]
    convention, fndesc = context.call_conv, compiled.fndesc
    kind = convention.get_function_type(fndesc.restype, fndesc.argtypes)
    entry = compiled.library.get_pointer_to_function(fndesc.llvm_func_name)
    pointer = b.inttoptr(_INT(entry), kind.as_pointer())
    _, result = convention.call_function(b, pointer, fndesc.restype, fndesc.argtypes, values)
    b.atomic_rmw("max", cgutils.gep_inbounds(b, place, 0, 2), result, "monotonic")
    b.ret_void()
    return function


def _rows(
    context: Any, b: ir.IRBuilder, ty: Any, value: ir.Value, low: ir.Value, high: ir.Value
) -> ir.Value:
    """``value[low:high]``."""
    array = context.make_array(ty)(context, b, value)
    shape, strides = (cgutils.unpack_tuple(b, t, ty.ndim) for t in (array.shape, array.strides))
    start = b.gep(b.bitcast(array.data, _BYTE.as_pointer()), [b.mul(low, strides[0])])
    array.data = b.bitcast(start, array.data.type)
    rows = b.sub(high, low)
    items = rows
    for n in shape[1:]:
        items = b.mul(items, n)
    array.nitems = items
    array.shape = cgutils.pack_array(b, [rows, *shape[1:]])
    return array._getvalue()
