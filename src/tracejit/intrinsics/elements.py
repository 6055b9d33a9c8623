"""Elements of arrays, as intrinsics that loads and stores of a kernel stand for.

Memory that a kernel writes is nobody else's. Loads and stores say so, by scopes in LLVM's sense:
one for each array that is written, one for all that are only read. So LLVM neither tests for
overlap before a loop nor compiles a second version of it.
"""

from __future__ import annotations

import functools
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.np.numpy_support import from_dtype

from tracejit.intrinsics.define import define
from tracejit.intrinsics.structure import innermost

#: Arrays that have a scope of their own; the stores to further ones may be to anything.
SCOPES = 32
READ_ONLY = 0
_INT = ir.IntType(64)
_NOTHING = ir.Constant(ir.IntType(1), 0)


def element_type(char: str) -> Any:
    """The type of a kernel's array elements of a dtype: float16 lies there as uint16."""
    return types.uint16 if char == "e" else from_dtype(np.dtype(char))


def _field(context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value, name: str) -> ir.Value:
    return b.extract_value(array, context.data_model_manager[ty].get_field_position(name))


def element_address(
    context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value, index: tuple[ir.Value, ...], rows: bool
) -> ir.Value:
    """The address of an element; its index counts from the start, and is in bounds.

    In an array of `rows`, the elements along the last axis have no gaps between them.
    """
    data = _field(context, b, ty, array, "data")
    if ty.layout == "C":
        position: ir.Value = ir.Constant(_INT, 0)
        shape = _field(context, b, ty, array, "shape") if len(index) > 1 else None
        for axis, i in enumerate(index):
            if axis:
                length = b.extract_value(shape, axis)
                position = b.mul(position, length, flags=("nsw",))
            position = b.add(position, i, flags=("nsw",)) if axis else i
        return b.gep(data, [position], inbounds=True)
    strides = _field(context, b, ty, array, "strides") if index else None
    place = b.bitcast(data, ir.IntType(8).as_pointer())
    if (loop := innermost(b)) and index and not rows:
        loop.strided = True
    for axis, i in enumerate(index[:-1] if rows else index):
        step = b.mul(i, _stride(b, strides, axis), flags=("nsw",))
        place = b.gep(place, [step], inbounds=True)
    start = b.bitcast(place, data.type)
    return b.gep(start, [index[-1]], inbounds=True) if rows else start


def _stride(b: ir.IRBuilder, strides: ir.Value, axis: int) -> ir.Value:
    """A stride, in bytes; not a plain unknown, of which LLVM would guess that it is one.

    It would compile a vector loop for that case, and a scalar one for all others.
    """
    stride = b.extract_value(strides, axis)
    smax = b.module.declare_intrinsic("llvm.smax", [_INT], ir.FunctionType(_INT, [_INT] * 2))
    return b.call(smax, [stride, ir.Constant(_INT, -(1 << 63) + 1)])


@functools.cache
def length(axis: int) -> Any:
    """The intrinsic ``length(array)``: its extent along `axis`."""

    def result(array: Any) -> Any:
        return types.int64 if isinstance(array, types.Array) and axis < array.ndim else None

    def emit(context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value) -> ir.Value:
        return b.extract_value(_field(context, b, ty, array, "shape"), axis)

    return define("length", 1, result, emit, with_context=True)


class _Scopes:
    """The scopes of a module, `count` of them, and what loads and stores in each are told."""

    def __init__(self, module: ir.Module, count: int) -> None:
        domain = module.add_metadata(["tracejit"])
        self.all = [module.add_metadata([f"array {k}", domain]) for k in range(count)]
        self.told: dict[int, tuple[ir.MDValue, ir.MDValue]] = {}


_scopes: WeakKeyDictionary[ir.Module, _Scopes] = WeakKeyDictionary()


def declare_scopes(module: ir.Module, written: int) -> None:
    """Let a module have scopes for so many arrays that it writes, once: those of the whole."""
    if module not in _scopes:
        _scopes[module] = _Scopes(module, min(1 + written, SCOPES))


def tell_scope(b: ir.IRBuilder, instruction: Any, scope: int | None) -> None:
    """Say that memory of `scope` overlaps with no other scope's."""
    if scope is None:
        return
    scopes = _scopes[b.module]
    if scope not in scopes.told:
        one, others = scopes.all[scope], scopes.all[:scope] + scopes.all[scope + 1 :]
        add = b.module.add_metadata
        scopes.told[scope] = add([one]), add(others)
    own, others = scopes.told[scope]
    instruction.set_metadata("alias.scope", own)
    instruction.set_metadata("noalias", others)


def _fits(array: Any, *index: Any) -> bool:
    return (
        isinstance(array, types.Array)
        and array.ndim == len(index)
        and all(ty == types.int64 for ty in index)
    )


@functools.cache
def load(ndim: int, scope: int | None, rows: bool = False) -> Any:
    """The intrinsic ``load(array, *index)`` for arrays of `ndim` axes in `scope`."""

    def result(array: Any, *index: Any) -> Any:
        return array.dtype if _fits(array, *index) else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, array: Any, *index: Any) -> ir.Value:
        address = element_address(context, b, tys[0], array, index, rows)
        model = context.data_model_manager[tys[0].dtype]
        data = b.load(address)
        tell_scope(b, data, scope)
        if loop := innermost(b):
            loop.loaded = max(loop.loaded, getattr(data.type, "width", 64))
        return model.from_data(b, data)

    return define("load", 1 + ndim, result, emit, all_types=True, with_context=True)


@functools.cache
def store(ndim: int, scope: int | None, rows: bool = False) -> Any:
    """The intrinsic ``store(array, value, *index)`` for arrays of `ndim` axes in `scope`."""

    def result(array: Any, value: Any, *index: Any) -> Any:
        fits = _fits(array, *index) and array.mutable and array.dtype == value
        return types.boolean if fits else None

    def emit(
        context: Any, b: ir.IRBuilder, tys: Any, array: Any, value: Any, *index: Any
    ) -> ir.Value:
        address = element_address(context, b, tys[0], array, index, rows)
        data = context.data_model_manager[tys[0].dtype].as_data(b, value)
        tell_scope(b, b.store(data, address), scope)
        if loop := innermost(b):
            loop.stored = max(loop.stored, getattr(data.type, "width", 64))
        return _NOTHING

    return define("store", 2 + ndim, result, emit, all_types=True, with_context=True)
