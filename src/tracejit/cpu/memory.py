"""Intrinsics about arrays: flat views of them, memory for a block, and checked indices."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.numpy_support import from_dtype

from tracejit.cpu.accumulate import BLOCK

_INT = ir.IntType(64)


@intrinsic
def flat(typingctx: Any, array: Any) -> Any:
    """The elements of a C- or Fortran-contiguous array as a 1-D array, without a copy."""
    if not isinstance(array, types.Array) or array.layout not in "CF":
        return None
    result = types.Array(array.dtype, 1, "C", readonly=not array.mutable)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        source = context.make_array(array)(context, builder, args[0])
        target = context.make_array(result)(context, builder)
        itemsize = source.itemsize
        context.populate_array(
            target,
            data=source.data,
            shape=cgutils.pack_array(builder, [source.nitems]),
            strides=cgutils.pack_array(builder, [itemsize]),
            itemsize=itemsize,
            meminfo=None,
            parent=None,
        )
        return target._getvalue()

    return result(array), codegen


@functools.cache
def block_memory(char: str) -> Any:
    """An intrinsic ``memory()``: a 1-D array on the stack, for a block of elements of a dtype."""
    result = types.Array(from_dtype(np.dtype(char)), 1, "C")

    def typer(typingctx: Any) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            target = context.make_array(result)(context, builder)
            element = target.data.type.pointee
            length, itemsize = ir.Constant(_INT, BLOCK), ir.Constant(_INT, np.dtype(char).itemsize)
            context.populate_array(
                target,
                data=cgutils.alloca_once(builder, element, size=BLOCK),
                shape=cgutils.pack_array(builder, [length]),
                strides=cgutils.pack_array(builder, [itemsize]),
                itemsize=itemsize,
                meminfo=None,
                parent=None,
            )
            return target._getvalue()

        return result(), codegen

    return intrinsic(typer)


@intrinsic
def wrap(typingctx: Any, index: Any, length: Any) -> Any:
    """`index`, counted from the end where negative; 0 where out of bounds (see `outside`)."""
    if index != types.int64 or length != types.int64:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        i, n = args
        zero = ir.Constant(i.type, 0)
        positive = builder.select(builder.icmp_signed("<", i, zero), builder.add(i, n), i)
        inside = builder.icmp_unsigned("<", positive, n)
        return builder.select(inside, positive, zero)

    return types.int64(index, length), codegen


@intrinsic
def outside(typingctx: Any, index: Any, length: Any) -> Any:
    """Whether `index` is no position of an axis of `length` elements."""
    if index != types.int64 or length != types.int64:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        i, n = args
        shifted = builder.add(i, n)
        below = builder.icmp_signed("<", shifted, ir.Constant(i.type, 0))
        return builder.or_(below, builder.icmp_signed(">=", i, n))

    return types.boolean(index, length), codegen
