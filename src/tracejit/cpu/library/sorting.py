"""NumPy's own sorts, called on the rows of a kernel's arrays.

NumPy keeps a sort for each dtype and kind in the dtype's table of functions; the vectorised ones of
NumPy 2 are there too.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array

from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_type
from tracejit.native import symbols

__all__ = ["argsort_rows", "sort_rows"]

_INT, _BYTE = ir.IntType(64), ir.IntType(8)
_POINTER = _BYTE.as_pointer()
_STATUS = ir.IntType(32)


def _fits(array: Any, element: Any) -> bool:
    return (
        isinstance(array, types.Array)
        and (array.ndim, array.layout) == (1, "C")
        and array.dtype == element
    )


@functools.cache
def sort_rows(char: str, kind: str) -> Any:
    """An intrinsic ``sort(x, length, out)``: `out` is `x` with each row of `length` sorted.

    Both are 1-D contiguous arrays of one size and of the dtype `char`, float16 as uint16.
    """
    symbol = symbols.of_dtype("sort", char, kind)
    element = element_type(char)
    function = ir.FunctionType(_STATUS, [_POINTER, _INT, _POINTER])

    def result(x: Any, length: Any, out: Any) -> Any:
        return types.int64 if _fits(x, element) and _fits(out, element) else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, *operands: ir.Value) -> ir.Value:
        x, out = (make_array(tys[k])(context, b, operands[k]) for k in (0, 2))
        size = np.dtype(char).itemsize
        cgutils.raw_memcpy(b, out.data, x.data, out.nitems, ir.Constant(_INT, size))
        sort = cgutils.get_or_insert_function(b.module, function, symbol)
        with _each_row(b, out.nitems, operands[1]) as (start, _):
            row = b.bitcast(b.gep(out.data, [start]), _POINTER)
            b.call(sort, [row, operands[1], ir.Constant(_POINTER, None)])
        return ir.Constant(_INT, 0)

    return define(f"sort[{char}]", 3, result, emit, all_types=True, with_context=True)


@functools.cache
def argsort_rows(char: str, kind: str) -> Any:
    """An intrinsic ``argsort(x, length, out)``: the int64 positions that sort each row of `x`."""
    symbol = symbols.of_dtype("argsort", char, kind)
    element = element_type(char)
    function = ir.FunctionType(_STATUS, [_POINTER, _POINTER, _INT, _POINTER])

    def result(x: Any, length: Any, out: Any) -> Any:
        return types.int64 if _fits(x, element) and _fits(out, types.int64) else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, *operands: ir.Value) -> ir.Value:
        x, out = (make_array(tys[k])(context, b, operands[k]) for k in (0, 2))
        argsort = cgutils.get_or_insert_function(b.module, function, symbol)
        with _each_row(b, out.nitems, operands[1]) as (start, _):
            positions = b.gep(out.data, [start])
            with cgutils.for_range(b, operands[1]) as loop:
                b.store(loop.index, b.gep(positions, [loop.index]))
            row = b.bitcast(b.gep(x.data, [start]), _POINTER)
            places = b.bitcast(positions, _POINTER)
            b.call(argsort, [row, places, operands[1], ir.Constant(_POINTER, None)])
        return ir.Constant(_INT, 0)

    return define(f"argsort[{char}]", 3, result, emit, all_types=True, with_context=True)


def _each_row(b: ir.IRBuilder, size: ir.Value, length: ir.Value) -> Any:
    """A loop over the starts of the rows of `length` in an array of `size` elements."""
    return cgutils.for_range_slice(b, ir.Constant(_INT, 0), size, length, inc=True)
