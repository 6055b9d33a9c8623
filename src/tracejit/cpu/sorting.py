"""NumPy's own sorts, called on the rows of a kernel's arrays.

NumPy keeps a sort for each dtype and kind in the dtype's table of functions, which is part of its
C interface; the vectorised ones of NumPy 2 are there too. They need neither the interpreter nor the
array. As with the ufuncs' loops, a kernel names them by symbols.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array
from numba.np.numpy_support import from_dtype

from tracejit.cpu.intrinsic import define

__all__ = ["argsort_rows", "sort_rows"]

#: Their places among the sorts; between them stands a heapsort.
KINDS = {"quicksort": 0, "stable": 2}
#: Where `_PyDataType_GetArrFuncs` stands in NumPy's C interface, and the sorts in what it gives:
#: after 21 casts and 12 other functions (``PyArray_ArrFuncs`` of ``ndarraytypes.h``).
_GET_FUNCTIONS = 365
_FIRST_SORT, _FIRST_ARGSORT = 33, 36
_INT, _BYTE = ir.IntType(64), ir.IntType(8)
_POINTER = _BYTE.as_pointer()
_STATUS = ir.IntType(32)


@functools.cache
def _functions(char: str) -> Any:
    """The table of functions of a dtype, as an array of addresses."""
    capsule = importlib.import_module("numpy._core._multiarray_umath")._ARRAY_API
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    interface = ctypes.cast(pointer(capsule, None), ctypes.POINTER(ctypes.c_void_p))
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(interface[_GET_FUNCTIONS])
    return ctypes.cast(get(np.dtype(char)), ctypes.POINTER(ctypes.c_void_p))


def _registered(name: str, char: str, kind: str, first: int) -> str:
    symbol = f"tracejit_{name}_{char.replace('?', 't')}_{kind}"
    address = _functions(char)[first + KINDS[kind]]
    if not address:
        raise LookupError(f"NumPy has no {kind} for {np.dtype(char)}")
    llvm.add_symbol(symbol, address)
    return symbol


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
    symbol = _registered("sort", char, kind, _FIRST_SORT)
    element = types.uint16 if char == "e" else from_dtype(np.dtype(char))
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
    symbol = _registered("argsort", char, kind, _FIRST_ARGSORT)
    element = types.uint16 if char == "e" else from_dtype(np.dtype(char))
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
