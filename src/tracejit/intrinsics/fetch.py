"""Memory that is fetched into the caches before a loop goes through it across its rows.

A processor fetches ahead along a few rows at a time. Where a loop goes along many side by side, it
would wait for each line of the cache.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from tracejit.intrinsics.blocks import LINE_BYTES
from tracejit.intrinsics.define import define

#: Bytes that are fetched, at most: more would not stay until they are read.
_MOST = 1 << 17
_FLAG, _BYTE = ir.IntType(32), ir.IntType(8)


def fetch(ndim: int) -> Any:
    """The intrinsic ``fetch(array, *index, last)``: what lies from an index to another one.

    They are along the first axes, but for the last of `ndim`, and differ in the last of these.
    """

    def result(array: Any, *numbers: Any) -> Any:
        fits = isinstance(array, types.Array) and array.ndim == ndim
        return types.boolean if fits and all(ty == types.int64 for ty in numbers) else None

    def emit(
        context: Any, b: ir.IRBuilder, tys: Any, array: ir.Value, *numbers: ir.Value
    ) -> ir.Value:
        made = context.make_array(tys[0])(context, b, array)
        *index, last = numbers
        strides = cgutils.unpack_tuple(b, made.strides, ndim)[: len(index)]
        place = b.bitcast(made.data, _BYTE.as_pointer())
        for k, stride in zip(index, strides, strict=True):
            place = b.gep(place, [b.mul(k, stride)])
        size = b.mul(b.sub(last, index[-1]), strides[-1])
        number = size.type
        few = b.icmp_unsigned("<=", size, number(_MOST))
        lines = b.udiv(b.add(size, number(LINE_BYTES - 1)), number(LINE_BYTES))
        kind = ir.FunctionType(ir.VoidType(), [place.type, _FLAG, _FLAG, _FLAG])
        touch = b.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        with cgutils.for_range(b, b.select(few, lines, number(0))) as loop:
            line = b.gep(place, [b.mul(loop.index, number(LINE_BYTES))])
            b.call(touch, [line, _FLAG(0), _FLAG(3), _FLAG(1)])
        return ir.Constant(ir.IntType(1), 0)

    return define(f"fetch_{ndim}", 1 + ndim, result, emit, all_types=True, with_context=True)
