"""Memory that a program needs while it runs, of a size that only it knows.

It is given back where the program returns. What cannot be had is an exception, as Numba's functions
give one: the code for a failure, after which NumPy's own run says so.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import populate_array

from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_type
from tracejit.native import symbols

_INT = ir.IntType(64)
_BYTES = ir.IntType(8).as_pointer()
#: Of memory that begins with a line of the cache, so many bytes are asked for in addition.
_LINE = 64
_NAMES = {
    "tracejit_malloc": "PyMem_RawMalloc",
    "tracejit_realloc": "PyMem_RawRealloc",
    "tracejit_free": "PyMem_RawFree",
}
_KINDS = {
    "tracejit_malloc": ir.FunctionType(_BYTES, [_INT]),
    "tracejit_realloc": ir.FunctionType(_BYTES, [_BYTES, _INT]),
    "tracejit_free": ir.FunctionType(ir.VoidType(), [_BYTES]),
}

#: Where a function under construction keeps the addresses that it must give back.
_held: WeakKeyDictionary[ir.Function, list[ir.Value]] = WeakKeyDictionary()


def allocator(b: ir.IRBuilder, symbol: str) -> ir.Function:
    """One of Python's functions for memory: ``tracejit_malloc``, ``_realloc`` or ``_free``."""
    name = symbols.give(symbol, "python", _NAMES[symbol])
    return cgutils.get_or_insert_function(b.module, _KINDS[symbol], name)


def hold(b: ir.IRBuilder, place: ir.Value) -> None:
    """Give back, where the function returns, the memory whose address is in a place."""
    _held.setdefault(b.function, []).append(place)


def release(b: ir.IRBuilder) -> None:
    """Give back what the function has, before it returns."""
    for place in _held.get(b.function, ()):
        b.call(allocator(b, "tracejit_free"), [b.load(place)])


def memory(context: Any, b: ir.IRBuilder, count: ir.Value, itemsize: int) -> ir.Value:
    """The address of so many elements; MemoryError where there is no room."""
    place = cgutils.alloca_once_value(b, ir.Constant(_BYTES, None))
    hold(b, place)
    b.call(allocator(b, "tracejit_free"), [b.load(place)])  # what an earlier iteration had
    b.store(ir.Constant(_BYTES, None), place)
    # More than there can be stays that, whatever the itemsize is.
    most = _INT((1 << 62) // itemsize)
    count = b.select(b.icmp_unsigned("<", count, most), count, most)
    size = b.add(b.mul(count, _INT(itemsize)), _INT(_LINE))
    data = b.call(allocator(b, "tracejit_malloc"), [size])
    b.store(data, place)
    with b.if_then(cgutils.is_null(b, data), likely=False):
        release(b)
        context.call_conv.return_user_exc(b, MemoryError, ("no memory for a temporary",))
    start = b.and_(b.add(b.ptrtoint(data, _INT), _INT(_LINE - 1)), _INT(-_LINE))
    return b.inttoptr(start, _BYTES)


def temporary(char: str, ndim: int) -> Any:
    """The intrinsic ``temporary(*lengths)``: an array in C order of a dtype.

    float16 arrays are those of uint16 to a program.
    """
    dtype = np.dtype(char)
    made = types.Array(element_type(char), ndim, "C")

    def result(*lengths: Any) -> Any:
        return made if all(ty == types.int64 for ty in lengths) else None

    def emit(context: Any, b: ir.IRBuilder, ty: Any, *lengths: ir.Value) -> ir.Value:
        steps = [_INT(dtype.itemsize)]
        count: ir.Value = _INT(1)
        for length in reversed(lengths):
            count = b.mul(count, length)
            steps.insert(0, b.mul(steps[0], length))
        array = context.make_array(made)(context, b)
        populate_array(
            array,
            data=b.bitcast(memory(context, b, count, dtype.itemsize), array.data.type),
            shape=cgutils.pack_array(b, lengths, _INT),
            strides=cgutils.pack_array(b, steps[1:], _INT),
            itemsize=context.get_constant(types.intp, dtype.itemsize),
            meminfo=None,
        )
        return array._getvalue()

    return define(f"temporary[{char}]", ndim, result, emit, with_context=True)
