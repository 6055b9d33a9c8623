"""NumPy's and SciPy's compiled ufunc loops, called from inside kernels.

An operation that has no definition of its own here is computed by the very loop that the ufunc
would run, for one element at a time: its results are NumPy's by construction.

A kernel refers to a loop and its context by names (see `native.symbols`).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array
from numba.np.numpy_support import from_dtype

from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_type
from tracejit.intrinsics.half import narrow, widen
from tracejit.native import symbols, ufuncs
from tracejit.native.ufuncs import Loop

__all__ = ["matmul_loop", "ufunc_loop"]

_BYTE = ir.IntType(8)
_POINTER = _BYTE.as_pointer()
_INTP = ir.IntType(64)
# The loop's own signature: status = loop(context, data, dimensions, strides, auxdata).
_LOOP_TYPE = ir.FunctionType(
    ir.IntType(32),
    [_POINTER, _POINTER.as_pointer(), _INTP.as_pointer(), _INTP.as_pointer(), _POINTER],
)
_MATMUL = "(n?,k),(k,m?)->(n?,m?)"


def _named(module: str, name: str, dtypes: str, core: str | None = None) -> Loop:
    """A loop, of which the linker has the parts' names."""
    loop = ufuncs.find(module, name, dtypes, core)
    for part, address in loop.parts.items():
        if address:
            told = module, name, dtypes, core, part
            symbols.give(f"{loop.symbol}_{part}", "ufunc", *told)
    return loop


def _kernel_type(dtype: np.dtype[Any]) -> Any:
    return types.float32 if dtype.char == "e" else from_dtype(dtype)


def _external_data(module: ir.Module, name: str) -> ir.Value:
    """The address of a symbol, as a pointer to bytes."""
    if name not in module.globals:
        ir.GlobalVariable(module, _BYTE, name)
    return module.globals[name]


def _invoke(
    builder: ir.IRBuilder,
    loop: Loop,
    data: list[ir.Value],
    dimensions: ir.Value,
    strides: ir.Value,
) -> None:
    """Call a loop on operands at the addresses `data`."""
    module = builder.module
    function = cgutils.get_or_insert_function(module, _LOOP_TYPE, f"{loop.symbol}_fn")
    auxdata = ir.Constant(_POINTER, None)
    if loop.parts["aux"]:
        auxdata = _external_data(module, f"{loop.symbol}_aux")
    with builder.goto_entry_block():
        pointers = builder.alloca(ir.ArrayType(_POINTER, len(data)))
    for i, pointer in enumerate(data):
        place = cgutils.gep_inbounds(builder, pointers, 0, i)
        builder.store(builder.bitcast(pointer, _POINTER), place)
    context = _external_data(module, f"{loop.symbol}_ctx")
    builder.call(
        function,
        [context, cgutils.gep_inbounds(builder, pointers, 0, 0), dimensions, strides, auxdata],
    )


def _constants(builder: ir.IRBuilder, name: str, values: list[int]) -> ir.Value:
    """The address of constant integers in the kernel's module."""
    array = ir.Constant(ir.ArrayType(_INTP, len(values)), values)
    module = builder.module
    if name not in module.globals:
        cgutils.global_constant(module, name, array)
    return cgutils.gep_inbounds(builder, module.globals[name], 0, 0)


def _slot_type(context: Any, dtype: np.dtype[Any]) -> ir.Type:
    return ir.IntType(16) if dtype.char == "e" else _model(context, dtype).get_data_type()


def _model(context: Any, dtype: np.dtype[Any]) -> Any:
    return context.data_model_manager[_kernel_type(dtype)]


def _load(context: Any, b: ir.IRBuilder, dtype: np.dtype[Any], slot: ir.Value) -> ir.Value:
    data = b.load(slot)
    if dtype.char == "e":
        return widen(context, b, data)
    return _model(context, dtype).from_data(b, data)


def _store(
    context: Any, b: ir.IRBuilder, dtype: np.dtype[Any], value: ir.Value, slot: ir.Value
) -> None:
    if dtype.char == "e":
        b.store(narrow(context, b, value), slot)
    else:
        b.store(_model(context, dtype).as_data(b, value), slot)


def _exactly(operands: tuple[Any, ...], result: Any) -> Any:
    return lambda *given: result if given == operands else None


@functools.cache
def ufunc_loop(module: str, name: str, dtypes: str) -> Any:
    """An intrinsic that applies `module.name` to scalars by its own loop for `dtypes`.

    `dtypes` is a type string as in `numpy.ufunc.types` ("dd->d").  Several results come as a tuple.
    Raises LookupError where there is no such loop, or none that runs without the interpreter.
    """
    loop = _named(module, name, dtypes)
    everything = loop.inputs + loop.outputs
    operand_types = tuple(map(_kernel_type, loop.inputs))
    result_types = tuple(map(_kernel_type, loop.outputs))
    result = result_types[0] if len(result_types) == 1 else types.Tuple(result_types)

    def emit(context: Any, b: ir.IRBuilder, ty: Any, *operands: ir.Value) -> ir.Value:
        with b.goto_entry_block():  # not where the call is: a loop must not grow the stack
            slots = [b.alloca(_slot_type(context, dtype)) for dtype in everything]
        for dtype, value, slot in zip(loop.inputs, operands, slots, strict=False):
            _store(context, b, dtype, value, slot)
        dimensions = _constants(b, "tracejit_one_element", [1])
        strides = _constants(b, f"{loop.symbol}_strides", [d.itemsize for d in everything])
        _invoke(b, loop, slots, dimensions, strides)
        filled = zip(loop.outputs, slots[len(loop.inputs) :], strict=True)
        results = [_load(context, b, dtype, slot) for dtype, slot in filled]
        return results[0] if len(results) == 1 else context.make_tuple(b, result, results)

    return define(
        f"{name}[{dtypes}]",
        len(operand_types),
        _exactly(operand_types, result),
        emit,
        with_context=True,
    )


def _array_fields(context: Any, b: ir.IRBuilder, ty: Any, value: ir.Value) -> Any:
    array = make_array(ty)(context, b, value)
    shape, strides = (cgutils.unpack_tuple(b, pair, 2) for pair in (array.shape, array.strides))
    return array.data, shape, strides


@functools.cache
def matmul_loop(dtypes: str) -> Any:
    """An intrinsic `matmul(a, b, out)` that runs `numpy.matmul`'s own loop (so its BLAS).

    The operands are two-dimensional arrays of any layout whose shapes fit, which the caller has
    checked; float16 arrays come as arrays of uint16.  The result is a meaningless integer.
    """
    loop = _named("numpy", "matmul", dtypes, _MATMUL)
    everything = loop.inputs + loop.outputs
    scalars = [element_type(dtype.char) for dtype in everything]

    def result(*operands: Any) -> Any:
        fits = all(
            isinstance(ty, types.Array) and ty.ndim == 2 and ty.dtype == scalar
            for ty, scalar in zip(operands, scalars, strict=True)
        )
        return types.int64 if fits and operands[2].mutable else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, *operands: ir.Value) -> ir.Value:
        arrays = [_array_fields(context, b, *pair) for pair in zip(tys, operands, strict=True)]
        with b.goto_entry_block():
            dimensions = b.alloca(ir.ArrayType(_INTP, 4))
            strides = b.alloca(ir.ArrayType(_INTP, 9))
        (m, n), p = arrays[0][1], arrays[1][1][1]
        # One product, so the strides of the loop over products are of no account.
        outer = [ir.Constant(_INTP, 0)] * 3
        steps = [*outer, *(step for _, _, pair in arrays for step in pair)]
        for values, array in (([ir.Constant(_INTP, 1), m, n, p], dimensions), (steps, strides)):
            for i, value in enumerate(values):
                b.store(value, cgutils.gep_inbounds(b, array, 0, i))
        _invoke(
            b,
            loop,
            [data for data, _, _ in arrays],
            cgutils.gep_inbounds(b, dimensions, 0, 0),
            cgutils.gep_inbounds(b, strides, 0, 0),
        )
        return ir.Constant(_INTP, 0)

    return define(f"matmul[{dtypes}]", 3, result, emit, all_types=True, with_context=True)
