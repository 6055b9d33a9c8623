"""NumPy's loops over stacks of matrices and rows (`ir/gufuncs.py`), called from kernels."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array

from tracejit.cpu.library.loops import (
    _INTP,
    _POINTER,
    _invoke,
    _kernel_type,
    _named,
    _slot_type,
    _store,
)
from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_type
from tracejit.ir.gufuncs import GUFUNCS, Core, Gufunc
from tracejit.native import symbols

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
    loop = None
    if row.routine:
        symbols.give(_symbol(row, kinds), "lapack", row.letter(kinds[0]) + row.of)
    else:
        loop = _named(row.module, row.of or name, row.loop(kinds)[0], row.ufunc.signature)
    dtypes = [np.dtype(char) for char in kinds.replace("->", "")]
    cores = [*inputs, *outputs]
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
            if row.written is not None:  # the loop's operand is the first result
                size = b.mul(stack, outer[len(inputs)])
                cgutils.raw_memcpy(b, data[len(inputs)], data[row.written], size, 1)
                for parts in (data, outer, inner):
                    parts[row.written] = parts.pop(len(inputs))
            if loop is None:
                _by_matrix(b, row, _symbol(row, kinds), stack, lengths, data, outer, failed)
            else:
                dimensions = _stored(b, [stack, *numbers])
                strides = _stored(b, [*outer, *(step for steps in inner for step in steps)])
                if row.raises:
                    _floating(b, "feclearexcept")
                _invoke(b, loop, data, dimensions, strides)
                if row.raises:
                    told = b.icmp_signed("!=", _floating(b, "fetestexcept"), _C_INT(0))
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


def _symbol(row: Gufunc, kinds: str) -> str:
    return f"tracejit_lapack_{row.letter(kinds[0])}{row.of}"


def _by_matrix(
    b: ir.IRBuilder,
    row: Gufunc,
    symbol: str,
    stack: ir.Value,
    lengths: dict[str, ir.Value],
    data: list[ir.Value],
    outer: list[ir.Value],
    failed: ir.Value,
) -> None:
    """Call a routine of LAPACK's for each matrix; all of its arguments are addresses."""
    words = row.routine.split()
    kind = ir.FunctionType(ir.VoidType(), [_POINTER] * len(words))
    function = cgutils.get_or_insert_function(b.module, kind, symbol)
    slots: dict[str, ir.Value] = {}
    for word in words:
        if not word.isdigit() and word not in slots:
            letter = word[0] == "'"
            with b.goto_entry_block():
                slots[word] = b.alloca(_POINTER.pointee if letter else _C_INT)
            if letter:
                b.store(_POINTER.pointee(ord(word[1])), slots[word])
            elif word not in ("info", "told"):
                length = lengths[word.rstrip("+")]
                if word[-1] == "+":
                    some = b.icmp_signed(">", length, _INTP(1))
                    length = b.select(some, length, _INTP(1))
                b.store(b.trunc(length, _C_INT), slots[word])
    with cgutils.for_range(b, stack) as loop:
        arguments = []
        if "info" in slots:
            b.store(_C_INT(0), slots["info"])
        for word in words:
            if word.isdigit():
                first = b.bitcast(data[int(word)], _POINTER)
                arguments.append(b.gep(first, [b.mul(loop.index, outer[int(word)])]))
            else:
                arguments.append(b.bitcast(slots[word], _POINTER))
        b.call(function, arguments)
        if "info" in slots:
            bad = b.zext(b.icmp_signed("!=", b.load(slots["info"]), _C_INT(0)), ir.IntType(8))
            b.store(b.or_(b.load(failed), bad), failed)


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
