"""Whole arrays through a ufunc's own compiled loop: for rows that have no kernel expression."""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array

from tracejit.cpu.library.loops import (
    _INTP,
    _constants,
    _invoke,
    _kernel_type,
    _named,
    _slot_type,
    _store,
)
from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_type


@functools.cache
def ufunc_over(module: str, name: str, dtypes: str) -> Any:
    """An intrinsic that applies `module.name` to 1-D contiguous arrays by its own loop.

    Its operands are the inputs, each an array or a scalar, and the output array, whose length
    counts. float16 arrays come as arrays of uint16. The result is a meaningless integer.
    """
    loop = _named(module, name, dtypes)
    everything = loop.inputs + loop.outputs
    elements = [element_type(d.char) for d in everything]

    def is_array(ty: Any) -> bool:
        return isinstance(ty, types.Array)

    def result(*operands: Any) -> Any:
        fits = all(
            (ty.ndim == 1 and ty.layout == "C" and ty.dtype == element)
            if is_array(ty)
            else ty == _kernel_type(dtype)
            for ty, element, dtype in zip(operands, elements, everything, strict=True)
        )
        return types.int64 if fits and is_array(operands[-1]) else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, *operands: ir.Value) -> ir.Value:
        data, steps = [], []
        for ty, value, dtype in zip(tys, operands, everything, strict=True):
            if is_array(ty):
                data.append(make_array(ty)(context, b, value).data)
                steps.append(dtype.itemsize)
                continue
            with b.goto_entry_block():
                slot = b.alloca(_slot_type(context, dtype))
            _store(context, b, dtype, value, slot)
            data.append(slot)
            steps.append(0)
        out = make_array(tys[-1])(context, b, operands[-1])
        with b.goto_entry_block():
            dimensions = b.alloca(_INTP)
        b.store(out.nitems, dimensions)
        label = "".join("a" if step else "s" for step in steps)
        strides = _constants(b, f"{loop.symbol}_{label}_strides", steps)
        # Some loops assume that there is an element.
        with b.if_then(cgutils.is_not_null(b, out.nitems)):
            _invoke(b, loop, data, dimensions, strides)
        return ir.Constant(_INTP, 0)

    return define(
        f"{name}[{dtypes}] over arrays",
        len(everything),
        result,
        emit,
        all_types=True,
        with_context=True,
    )
