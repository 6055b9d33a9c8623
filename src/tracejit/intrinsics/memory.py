"""Intrinsics about arrays: flat views of them, gaps, memory for a block, and checked indices."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.numpy_support import from_dtype

from tracejit.intrinsics.blocks import BLOCK
from tracejit.intrinsics.define import define

_INT = ir.IntType(64)

#: Bytes of an array that is large, and of a page; the advice to the system.
_LARGE, _PAGE, _HUGE = 1 << 22, 1 << 12, 14


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


def _large_pages(context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value) -> ir.Value:
    nothing = ir.Constant(ir.IntType(1), 0)
    if not sys.platform.startswith("linux"):
        return nothing
    made = context.make_array(ty)(context, b, array)
    size = b.mul(made.nitems, made.itemsize)
    number, flag = size.type, ir.IntType(32)
    kind = ir.FunctionType(flag, [number, number, flag])
    advise = cgutils.get_or_insert_function(b.module, kind, "madvise")
    with b.if_then(b.icmp_unsigned(">=", size, number(_LARGE)), likely=False):
        start = b.ptrtoint(made.data, number)
        page = b.and_(b.add(start, number(_PAGE - 1)), number(-_PAGE))
        b.call(advise, [page, b.sub(b.add(start, size), page), flag(_HUGE)])
    return nothing


#: Ask for large pages for a temporary, as NumPy does for its arrays of this size.
large_pages = define(
    "large_pages",
    1,
    lambda array: types.boolean if isinstance(array, types.Array) else None,
    _large_pages,
    with_context=True,
)


def _has_rows(context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value) -> ir.Value:
    made = context.make_array(ty)(context, b, array)
    last = cgutils.unpack_tuple(b, made.strides, ty.ndim)[-1]
    return b.icmp_signed("==", last, made.itemsize)


#: Whether the elements along an array's last axis have no gaps between them.
rows = define(
    "rows",
    1,
    lambda array: types.boolean if isinstance(array, types.Array) and array.ndim else None,
    _has_rows,
    with_context=True,
)


def _span(context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Where an array's memory begins and ends."""
    made = context.make_array(ty)(context, b, array)
    low = b.ptrtoint(made.data, _INT)
    high = b.add(low, made.itemsize)
    nothing = _INT(0)
    for length, stride in zip(
        *(cgutils.unpack_tuple(b, t, ty.ndim) for t in (made.shape, made.strides)), strict=True
    ):
        reach = b.mul(stride, b.sub(length, _INT(1)))
        backwards = b.icmp_signed("<", reach, nothing)
        low = b.add(low, b.select(backwards, reach, nothing))
        high = b.add(high, b.select(backwards, nothing, reach))
    return low, b.select(b.icmp_signed("==", made.nitems, nothing), low, high)


def _apart(context: Any, b: ir.IRBuilder, tys: Any, x: ir.Value, y: ir.Value) -> ir.Value:
    (low, high), (other, end) = (
        _span(context, b, ty, a) for ty, a in zip(tys, (x, y), strict=True)
    )
    before = b.icmp_unsigned("<=", high, other)
    return b.or_(before, b.icmp_unsigned("<=", end, low))


def _distinct(context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value) -> ir.Value:
    made = context.make_array(ty)(context, b, array)
    lengths = cgutils.unpack_tuple(b, made.shape, ty.ndim)
    steps = [_absolute(b, s) for s in cgutils.unpack_tuple(b, made.strides, ty.ndim)]
    one = [b.icmp_signed("<=", n, _INT(1)) for n in lengths]
    result: ir.Value = ir.Constant(ir.IntType(1), 1)
    for k, step in enumerate(steps):
        far = b.icmp_signed(">=", step, made.itemsize)
        result = b.and_(result, b.or_(one[k], far))
        for j in range(k):
            over = b.icmp_signed(">=", step, b.mul(steps[j], lengths[j]))
            under = b.icmp_signed(">=", steps[j], b.mul(step, lengths[k]))
            either = b.or_(b.or_(one[k], one[j]), b.or_(over, under))
            result = b.and_(result, either)
    return result


def _absolute(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return b.select(b.icmp_signed("<", x, x.type(0)), b.neg(x), x)


#: ``distinct(x)``: whether no two elements are one, as far as is seen axis by axis.
distinct = define(
    "distinct",
    1,
    lambda array: types.boolean if isinstance(array, types.Array) else None,
    _distinct,
    with_context=True,
)


def _are_arrays(x: Any, y: Any) -> Any:
    return types.boolean if all(isinstance(a, types.Array) for a in (x, y)) else None


#: ``apart(x, y)``: whether two arrays lie in different parts of memory.
apart = define("apart", 2, _are_arrays, _apart, all_types=True, with_context=True)


def _copy_range(
    context: Any, b: ir.IRBuilder, tys: Any, out: ir.Value, x: ir.Value, *bounds: ir.Value
) -> ir.Value:
    to, source = (
        context.make_array(ty)(context, b, a) for ty, a in zip(tys, (out, x), strict=False)
    )
    first, last = bounds
    size = context.get_constant(types.intp, context.get_abi_sizeof(to.data.type.pointee))
    with b.if_then(b.icmp_signed("<", first, last)):
        target, start = (b.gep(a.data, [first]) for a in (to, source))
        cgutils.raw_memcpy(b, target, start, b.sub(last, first), size)
    return ir.Constant(ir.IntType(1), 0)


def _alike(out: Any, x: Any, *bounds: Any) -> Any:
    arrays = all(isinstance(a, types.Array) and (a.ndim, a.layout) == (1, "C") for a in (out, x))
    fits = arrays and out.dtype == x.dtype and all(ty == types.int64 for ty in bounds)
    return types.boolean if fits else None


#: ``copy_range(out, x, first, last)``: the elements from `first` up to `last`.
copy_range = define("copy_range", 4, _alike, _copy_range, all_types=True, with_context=True)


def strip(ndim: int, axis: int, step: int) -> Any:
    """The intrinsic ``strip(array, length, *starts)``: so many elements along an axis, by steps."""

    def made(array: Any) -> Any:
        whole = array.layout == "C" and ndim == step == 1
        return types.Array(array.dtype, 1, "C" if whole else "A", readonly=not array.mutable)

    def result(array: Any, *numbers: Any) -> Any:
        fits = isinstance(array, types.Array) and array.ndim == ndim
        return made(array) if fits and all(ty == types.int64 for ty in numbers) else None

    def emit(
        context: Any, b: ir.IRBuilder, tys: Any, array: ir.Value, length: ir.Value, *starts: Any
    ) -> ir.Value:
        source = context.make_array(tys[0])(context, b, array)
        strides = cgutils.unpack_tuple(b, source.strides, ndim)
        place = b.bitcast(source.data, ir.IntType(8).as_pointer())
        for start, stride in zip(starts, strides, strict=True):
            place = b.gep(place, [b.mul(start, stride)])
        target = context.make_array(made(tys[0]))(context, b)
        context.populate_array(
            target,
            data=b.bitcast(place, source.data.type),
            shape=cgutils.pack_array(b, [length]),
            strides=cgutils.pack_array(b, [b.mul(strides[axis], ir.Constant(length.type, step))]),
            itemsize=source.itemsize,
            meminfo=None,
            parent=None,
        )
        return target._getvalue()

    return define("strip", 2 + ndim, result, emit, all_types=True, with_context=True)


def slab(ndim: int, row: int, down: int, column: int, along: int) -> Any:
    """The intrinsic ``slab(array, rows, columns, *starts)``: a matrix that lies in an array.

    Its rows are the array's axis `row` by steps of `down`, its columns axis `column` by `along`; a
    side of one element is of axis -1.
    """

    def made(array: Any) -> Any:
        return types.Array(array.dtype, 2, "A", readonly=not array.mutable)

    def result(array: Any, *numbers: Any) -> Any:
        fits = isinstance(array, types.Array) and array.ndim == ndim
        return made(array) if fits and all(ty == types.int64 for ty in numbers) else None

    def emit(
        context: Any, b: ir.IRBuilder, tys: Any, array: ir.Value, *numbers: ir.Value
    ) -> ir.Value:
        source = context.make_array(tys[0])(context, b, array)
        strides = cgutils.unpack_tuple(b, source.strides, ndim)
        place = b.bitcast(source.data, ir.IntType(8).as_pointer())
        for start, stride in zip(numbers[2:], strides, strict=True):
            place = b.gep(place, [b.mul(start, stride)])
        steps = [
            source.itemsize if axis < 0 else b.mul(strides[axis], ir.Constant(stride.type, by))
            for axis, by in ((row, down), (column, along))
        ]
        target = context.make_array(made(tys[0]))(context, b)
        context.populate_array(
            target,
            data=b.bitcast(place, source.data.type),
            shape=cgutils.pack_array(b, numbers[:2]),
            strides=cgutils.pack_array(b, steps),
            itemsize=source.itemsize,
            meminfo=None,
            parent=None,
        )
        return target._getvalue()

    return define("slab", 3 + ndim, result, emit, all_types=True, with_context=True)


def _part(
    context: Any, b: ir.IRBuilder, made: Any, source: Any, data: ir.Value, axes: Sequence[int]
) -> ir.Value:
    """An array of type `made`: these axes of another, from an address on."""
    shape, strides = (
        [b.extract_value(field, axis) for axis in axes] for field in (source.shape, source.strides)
    )
    target = context.make_array(made)(context, b)
    context.populate_array(
        target,
        data=data,
        shape=cgutils.pack_array(b, shape),
        strides=cgutils.pack_array(b, strides),
        itemsize=source.itemsize,
        meminfo=None,
        parent=None,
    )
    return target._getvalue()


def _transposed(array: Any) -> Any:
    layout: Any = {"C": "F", "F": "C"}.get(array.layout, "A") if array.ndim > 1 else array.layout
    return types.Array(array.dtype, array.ndim, layout, readonly=not array.mutable)


def _transpose(context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value) -> ir.Value:
    source = context.make_array(ty)(context, b, array)
    return _part(context, b, _transposed(ty), source, source.data, range(ty.ndim)[::-1])


#: ``transposed(array)``: with its axes in reverse.
transposed = define(
    "transposed",
    1,
    lambda array: _transposed(array) if isinstance(array, types.Array) else None,
    _transpose,
    with_context=True,
)


@functools.cache
def part(outer: int, inner: int) -> Any:
    """The intrinsic ``part(array, *index)``: its last axes, at an index of the others."""

    def made(array: Any) -> Any:
        layout: Any = "C" if array.layout == "C" else "A"
        return types.Array(array.dtype, inner, layout, readonly=not array.mutable)

    def result(array: Any, *index: Any) -> Any:
        fits = isinstance(array, types.Array) and array.ndim == outer + inner
        return made(array) if fits and all(ty == types.int64 for ty in index) else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, array: Any, *index: Any) -> ir.Value:
        source = context.make_array(tys[0])(context, b, array)
        place = b.bitcast(source.data, ir.IntType(8).as_pointer())
        for axis, i in enumerate(index):
            place = b.gep(place, [b.mul(i, b.extract_value(source.strides, axis))])
        data = b.bitcast(place, source.data.type)
        axes = range(outer, outer + inner)
        return _part(context, b, made(tys[0]), source, data, axes)

    return define("part", 1 + outer, result, emit, all_types=True, with_context=True)


@functools.cache
def shaped(ndim: int) -> Any:
    """The intrinsic ``shaped(memory, *lengths)``: an array in C order at the start of a 1-D one."""

    def made(memory: Any) -> Any:
        return types.Array(memory.dtype, ndim, "C")

    def result(memory: Any, *lengths: Any) -> Any:
        fits = isinstance(memory, types.Array) and (memory.ndim, memory.layout) == (1, "C")
        return made(memory) if fits and all(ty == types.int64 for ty in lengths) else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, memory: Any, *lengths: Any) -> ir.Value:
        source = context.make_array(tys[0])(context, b, memory)
        strides = [source.itemsize]
        for length in reversed(lengths[1:]):
            strides.insert(0, b.mul(strides[0], length))
        target = context.make_array(made(tys[0]))(context, b)
        context.populate_array(
            target,
            data=source.data,
            shape=cgutils.pack_array(b, lengths, _INT),
            strides=cgutils.pack_array(b, strides, _INT),
            itemsize=source.itemsize,
            meminfo=None,
            parent=None,
        )
        return target._getvalue()

    return define("shaped", 1 + ndim, result, emit, all_types=True, with_context=True)


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
