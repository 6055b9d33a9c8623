"""NumPy's own search for the position of an extreme, called on what lies side by side in memory."""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_address, element_type
from tracejit.native import symbols

__all__ = ["position_in"]

_INT, _POINTER = ir.IntType(64), ir.IntType(8).as_pointer()
#: status = function(data, count, where the position goes, an array that none of them needs)
_FUNCTION = ir.FunctionType(ir.IntType(32), [_POINTER, _INT, _INT.as_pointer(), _POINTER])


@functools.cache
def position_in(name: str, char: str, ndim: int) -> Any:
    """An intrinsic ``position(array, *index, count)``: of the extreme of the elements from there.

    `array` has `ndim` axes and elements of the dtype `char`, of which `count` lie side by side.
    """
    symbol = symbols.of_dtype(name, char)
    element = element_type(char)

    def result(array: Any, *index: Any) -> Any:
        fits = isinstance(array, types.Array) and (array.ndim, array.dtype) == (ndim, element)
        return types.int64 if fits and all(i == types.int64 for i in index) else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, array: Any, *index: Any) -> ir.Value:
        *start, count = index
        data = element_address(context, b, tys[0], array, tuple(start), rows=tys[0].layout != "C")
        with b.goto_entry_block():
            place = b.alloca(_INT)
        function = b.module.globals.get(symbol) or ir.Function(b.module, _FUNCTION, symbol)
        none = ir.Constant(_POINTER, None)
        b.store(_INT(0), place)
        # NumPy's function reads the first one, and of nothing NumPy has none: that is tested.
        with b.if_then(b.icmp_signed(">", count, _INT(0)), likely=True):
            b.call(function, [b.bitcast(data, _POINTER), count, place, none])
        return b.load(place)

    return define(f"{name}[{char}]", ndim + 2, result, emit, all_types=True, with_context=True)
