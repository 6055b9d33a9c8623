"""Results whose size depends on data, made while a program runs: arrays of NumPy's.

They own their memory, as NumPy's results do. A program runs without the interpreter's lock, which
is taken for as long as it takes to make one. The array's address goes to its own cell of those that
the entry gets for them (`native.entry`), whose first says which thread it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import populate_array

from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_type
from tracejit.intrinsics.temporary import release
from tracejit.native import symbols

_SYMBOL = "tracejit_new_array"
_INT, _RANK = ir.IntType(64), ir.IntType(32)
_BYTES = ir.IntType(8).as_pointer()


def new_array(char: str, ndim: int) -> Any:
    """The intrinsic ``new_array(cells, cell, *lengths)``: an array in C order of a dtype.

    float16 arrays are those of uint16 to a program.
    """
    symbol = symbols.give(_SYMBOL, "new_array")
    dtype = np.dtype(char)
    made = types.Array(element_type(char), ndim, "C")
    function = ir.FunctionType(_BYTES, [_INT.as_pointer(), _INT, _RANK, _INT.as_pointer(), _RANK])

    def result(cells: Any, *numbers: Any) -> Any:
        fits = isinstance(cells, types.Array) and cells.dtype == types.int64
        return made if fits and all(ty == types.int64 for ty in numbers) else None

    def emit(
        context: Any, b: ir.IRBuilder, tys: Any, cells: ir.Value, cell: ir.Value, *lengths: ir.Value
    ) -> ir.Value:
        make = cgutils.get_or_insert_function(b.module, function, symbol)
        place = context.make_array(tys[0])(context, b, cells).data
        given = cgutils.pack_array(b, lengths, _INT)
        shape = cgutils.alloca_once_value(b, given)
        start = cgutils.gep_inbounds(b, shape, 0, 0)
        data = b.call(make, [place, cell, _RANK(ndim), start, _RANK(dtype.num)])
        with b.if_then(cgutils.is_null(b, data), likely=False):
            release(b)
            context.call_conv.return_user_exc(b, MemoryError, ("no memory for a result",))
        strides = [_INT(dtype.itemsize)]
        for length in reversed(lengths[1:]):
            strides.insert(0, b.mul(strides[0], length))
        array = context.make_array(made)(context, b)
        populate_array(
            array,
            data=b.bitcast(data, array.data.type),
            shape=given,
            strides=cgutils.pack_array(b, strides, _INT),
            itemsize=context.get_constant(types.intp, dtype.itemsize),
            meminfo=None,
        )
        return array._getvalue()

    return define(f"new_array[{char}]", 2 + ndim, result, emit, all_types=True, with_context=True)
