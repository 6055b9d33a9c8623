"""NumPy's loops over stacks of matrices and rows (`ir/gufuncs.py`), called from kernels."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array

from tracejit.cpu.library.loops import _INTP, _invoke, _kernel_type, _named, _slot_type, _store
from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_type
from tracejit.ir.gufuncs import GUFUNCS, Core

__all__ = ["gufunc"]

_C_INT = ir.IntType(32)
#: FE_INVALID, which is the same number on x86 and on ARM.
_INVALID = ir.Constant(_C_INT, 1)


def _sizes(
    b: ir.IRBuilder, core: Core, lengths: dict[str, ir.Value], itemsize: int
) -> Iterator[ir.Value]:
    """The strides of contiguous elements along core dimensions, and at last of all of them."""
    steps = [ir.Constant(_INTP, itemsize)]
    for symbol in reversed(core):
        steps.append(b.mul(steps[-1], lengths[symbol]))
    yield from reversed(steps[:-1])
    yield steps[-1]


@functools.cache
def gufunc(name: str, kinds: str, given: str) -> Any:
    """An intrinsic that runs a row's own loop for `kinds` of dtypes ("dd->d").

    Its operands are those of the row and its results, all flat arrays in C order but for scalars,
    then how many there are of each in a stack, then the core dimensions in the row's order. `given`
    has a letter an operand and result: "s" for a stack, "o" for one that all share, "n" for a
    number. The value is whether the loop has reported a failure.
    """
    row = GUFUNCS[name]
    inputs, outputs = row.cores
    loop_types, _ = row.loop(kinds)
    loop = _named(row.module, row.of or name, loop_types, row.ufunc.signature)
    dtypes = [*loop.inputs, *loop.outputs]
    cores = [*inputs, *outputs]
    if row.written:  # the loop's operand is the first result
        dtypes.insert(len(inputs), loop.inputs[0])
    elements = [element_type(dtype.char) for dtype in dtypes]
    count = len(dtypes)

    def result(*operands: Any) -> Any:
        fits = all(
            ty == _kernel_type(dtype)
            if how == "n"
            else isinstance(ty, types.Array) and (ty.ndim, ty.layout, ty.dtype) == (1, "C", element)
            for ty, dtype, element, how in zip(operands, dtypes, elements, given, strict=False)
        )
        whole = all(ty == types.int64 for ty in operands[count:])
        return types.boolean if fits and whole else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, *operands: ir.Value) -> ir.Value:
        stack, *numbers = operands[count:]
        lengths = dict(zip(row.symbols, numbers, strict=True))
        data, outer, inner = [], [], []
        for ty, value, dtype, core, how in zip(
            tys[:count], operands, dtypes, cores, given, strict=False
        ):
            *steps, whole = _sizes(b, core, lengths, dtype.itemsize)
            if how == "n":
                with b.goto_entry_block():
                    slot = b.alloca(_slot_type(context, dtype))
                _store(context, b, dtype, value, slot)
                data.append(slot)
            else:
                data.append(make_array(ty)(context, b, value).data)
            outer.append(whole if how == "s" else ir.Constant(_INTP, 0))
            inner.append(steps)
        with b.goto_entry_block():
            failed = b.alloca(ir.IntType(8))
        b.store(ir.Constant(ir.IntType(8), 0), failed)
        with b.if_then(b.icmp_signed(">", stack, ir.Constant(_INTP, 0)), likely=True):
            if row.written:
                size = b.mul(stack, outer[len(inputs)])
                cgutils.raw_memcpy(b, data[len(inputs)], data[0], size, 1)
                for parts in (data, outer, inner):
                    parts[0] = parts.pop(len(inputs))
            dimensions = _stored(b, [stack, *numbers])
            strides = _stored(b, [*outer, *(step for steps in inner for step in steps)])
            if row.raises:
                _floating(b, "feclearexcept")
            _invoke(b, loop, data, dimensions, strides)
            if row.raises:
                told = b.icmp_signed("!=", _floating(b, "fetestexcept"), ir.Constant(_C_INT, 0))
                b.store(b.zext(told, ir.IntType(8)), failed)
        return b.trunc(b.load(failed), ir.IntType(1))

    return define(
        f"{name}[{kinds}]",
        count + 1 + len(row.symbols),
        result,
        emit,
        all_types=True,
        with_context=True,
    )


def _stored(b: ir.IRBuilder, values: list[ir.Value]) -> ir.Value:
    """The address of integers in memory."""
    with b.goto_entry_block():
        array = b.alloca(ir.ArrayType(_INTP, len(values)))
    for k, value in enumerate(values):
        b.store(value, cgutils.gep_inbounds(b, array, 0, k))
    return cgutils.gep_inbounds(b, array, 0, 0)


def _floating(b: ir.IRBuilder, name: str) -> ir.Value:
    """Call a function of C's for the flag of invalid operations."""
    function = cgutils.get_or_insert_function(b.module, ir.FunctionType(_C_INT, [_C_INT]), name)
    return b.call(function, [_INVALID])
