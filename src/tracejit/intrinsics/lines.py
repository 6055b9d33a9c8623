"""Intrinsics of results that are streamed (see `streams`)."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.intrinsics.blocks import LINE, LINE_BYTES, VECTORS
from tracejit.intrinsics.define import define
from tracejit.intrinsics.structure import widen

_INT = ir.IntType(64)
_NOTHING = ir.Constant(ir.IntType(1), 0)


def _is_array(array: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C"


def _lanes(dtype: Any) -> int:
    """The elements of a line of the cache, which is a vector's worth."""
    return int(LINE_BYTES * 8 // dtype.bitwidth)


def _aside(context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value) -> ir.Value:
    data = context.make_array(ty)(context, b, array).data
    with b.goto_entry_block():
        memory = b.alloca(ir.ArrayType(data.type.pointee, LINE))
    memory.align = LINE_BYTES
    return b.bitcast(memory, data.type)


def _put_aside(
    context: Any, b: ir.IRBuilder, tys: Any, place: ir.Value, offset: ir.Value, value: ir.Value
) -> ir.Value:
    widen(b, _lanes(tys[0].dtype), VECTORS)
    data = context.data_model_manager[tys[0].dtype].as_data(b, value)
    b.store(data, b.gep(place, [offset], inbounds=True))
    return _NOTHING


def _stream(
    context: Any, b: ir.IRBuilder, tys: Any, place: ir.Value, array: ir.Value, start: ir.Value
) -> ir.Value:
    data = context.make_array(tys[1])(context, b, array).data
    element = data.type.pointee
    lanes = _lanes(tys[1].dtype)
    vectors = ir.VectorType(element, lanes).as_pointer()
    for k in range(0, LINE, lanes):
        value = b.load(b.bitcast(b.gep(place, [_INT(k)]), vectors), align=LINE_BYTES)
        to = b.gep(data, [b.add(start, _INT(k))], inbounds=True)
        stored = b.store(value, b.bitcast(to, vectors), align=LINE_BYTES)
        stored.set_metadata("nontemporal", b.module.add_metadata([ir.IntType(32)(1)]))
    return _NOTHING


def _fence(context: Any, b: ir.IRBuilder, ty: Any) -> ir.Value:
    b.fence("seq_cst")
    return _NOTHING


aside = define(
    "aside", 1, lambda array: types.CPointer(array.dtype) if _is_array(array) else None, _aside,
    with_context=True,
)  # fmt: skip
put_aside = define(
    "put_aside",
    3,
    lambda place, offset, value: (
        types.boolean if place.dtype == value and offset == types.int64 else None
    ),
    _put_aside,
    all_types=True,
    with_context=True,
)
stream = define(
    "stream",
    3,
    lambda place, array, start: (
        types.boolean if _is_array(array) and place.dtype == array.dtype else None
    ),
    _stream,
    all_types=True,
    with_context=True,
)
fence = define("fence", 0, lambda: types.boolean, _fence, all_types=True, with_context=True)
