"""Views of arrays in a device's memory: addresses and strides, of which the host alone knows."""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import populate_array

from tracejit.intrinsics.define import define

_INT = ir.IntType(64)


@functools.cache
def affine(ndim: int, *entries: int) -> Any:
    """The intrinsic ``affine(array, *lengths, *starts)``: an array of `ndim` axes over another one.

    For each axis of the array there is a start, and in `entries` a step and the axis along which it
    is gone, or -1. What no axis is of repeats the same elements.
    """
    pairs = list(zip(entries[::2], entries[1::2], strict=True))

    def made(array: Any) -> Any:
        return types.Array(array.dtype, ndim, "A", readonly=not array.mutable)

    def result(array: Any, *numbers: Any) -> Any:
        fits = isinstance(array, types.Array) and array.ndim == len(pairs)
        return made(array) if fits and all(ty == types.int64 for ty in numbers) else None

    def emit(
        context: Any, b: ir.IRBuilder, tys: Any, array: ir.Value, *numbers: ir.Value
    ) -> ir.Value:
        source = context.make_array(tys[0])(context, b, array)
        lengths, starts = numbers[:ndim], numbers[ndim:]
        steps: list[ir.Value] = [_INT(0)] * ndim
        place = b.bitcast(source.data, ir.IntType(8).as_pointer())
        strides = cgutils.unpack_tuple(b, source.strides, len(pairs))
        for start, stride, (step, axis) in zip(starts, strides, pairs, strict=True):
            place = b.gep(place, [b.mul(start, stride)])
            if axis >= 0:
                steps[axis] = b.add(steps[axis], b.mul(stride, _INT(step)))
        view = context.make_array(made(tys[0]))(context, b)
        populate_array(
            view,
            data=b.bitcast(place, source.data.type),
            shape=cgutils.pack_array(b, lengths, _INT),
            strides=cgutils.pack_array(b, steps, _INT),
            itemsize=source.itemsize,
            meminfo=None,
        )
        return view._getvalue()

    count = 1 + ndim + len(pairs)
    return define("affine", count, result, emit, all_types=True, with_context=True)


__all__ = ["affine"]
