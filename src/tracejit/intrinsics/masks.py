"""Whole masks at a time: counts, positions, and what is picked or written where they are true.

A mask is read 64 elements at a time, as the bits of a word. Of a word without any nothing is done,
one with all is a copy, and in others the bits are taken one by one from the lowest: an element
that is false costs nothing, and a branch that the processor cannot foresee comes once a word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array, store_item

from tracejit.intrinsics.define import call_llvm, define

__all__ = [
    "compress",
    "compress_rows",
    "count_true",
    "positions",
    "put_number",
    "put_true",
    "put_true_again",
    "put_true_rows",
]

_WORD = 64
_INT, _BIT, _BYTE = ir.IntType(64), ir.IntType(1), ir.IntType(8)
_LANES = ir.VectorType(_BYTE, _WORD)
_ALL, _ONE, _NONE = _INT(-1), _INT(1), _INT(0)
#: Emits what is done for so many true elements, from a position on.
_Take = Callable[[ir.Value, ir.Value], None]


# The bits of a mask ----------------------------------------------------------------------------


def _whole_word(b: ir.IRBuilder, data: ir.Value, at: ir.Value) -> ir.Value:
    """The bits of the 64 elements from `at` on."""
    place = b.bitcast(b.gep(data, [at]), _LANES.as_pointer())
    return b.bitcast(b.icmp_unsigned("!=", b.load(place, align=1), ir.Constant(_LANES, None)), _INT)


def _last_word(b: ir.IRBuilder, data: ir.Value, at: ir.Value, length: ir.Value) -> ir.Value:
    """The bits of the last elements, from `at` on, fewer than 64."""
    bits = cgutils.alloca_once_value(b, _NONE)
    rest = b.sub(length, at)
    with b.if_else(b.icmp_signed(">=", length, _INT(_WORD))) as (many, few):
        with many:
            word = _whole_word(b, data, b.sub(length, _INT(_WORD)))
            b.store(b.lshr(word, b.sub(_INT(_WORD), rest)), bits)
        with few, cgutils.for_range(b, rest) as loop:
            element = b.load(b.gep(data, [b.add(at, loop.index)]))
            true = b.zext(b.icmp_unsigned("!=", element, _BYTE(0)), _INT)
            b.store(b.or_(b.load(bits), b.shl(true, loop.index)), bits)
    return b.load(bits)


def _each_word(
    b: ir.IRBuilder, data: ir.Value, length: ir.Value, use: Callable[[ir.Value, ir.Value], None]
) -> None:
    """Use each word of a mask: the position where it begins, and its bits."""
    with cgutils.for_range_slice(b, _NONE, length, _INT(_WORD), inc=True) as (at, _):
        end = b.add(at, _INT(_WORD))
        found = []
        with b.if_else(b.icmp_signed("<=", end, length), likely=True) as (most, rest):
            with most:
                found.append((_whole_word(b, data, at), b.block))
            with rest:
                found.append((_last_word(b, data, at, length), b.block))
        bits = b.phi(_INT)
        for word, block in found:
            bits.add_incoming(word, block)
        use(at, bits)


def _each_true(
    b: ir.IRBuilder, data: ir.Value, length: ir.Value, take: _Take, runs: bool = False
) -> None:
    """Take the true elements of a mask in order: all of a word, or one by one, or by `runs`."""

    def use(at: ir.Value, bits: ir.Value) -> None:
        whole = b.icmp_unsigned("==", bits, _ALL)
        with b.if_else(whole) as (all_true, mixed):
            with all_true:
                take(at, _INT(_WORD))
            with mixed:
                _each_bit(b, at, bits, take, runs)

    _each_word(b, data, length, use)


def _each_bit(b: ir.IRBuilder, at: ir.Value, bits: ir.Value, take: _Take, runs: bool) -> None:
    """Take the elements of a word whose bits are set, and not all are."""
    before = b.block
    loop, after = (b.append_basic_block(f"bits.{part}") for part in ("body", "after"))
    b.cbranch(b.icmp_unsigned("!=", bits, _NONE), loop, after)
    b.position_at_end(loop)
    word = b.phi(_INT)
    word.add_incoming(bits, before)
    lowest = call_llvm(b, "llvm.cttz", word, _BIT(1))
    if runs:
        # As many as there are from there on: adding the lowest bit carries past them.
        beyond = b.add(word, b.and_(word, b.neg(word)))
        rest = b.and_(word, beyond)
        end = call_llvm(b, "llvm.cttz", beyond, _BIT(0))
        take(b.add(at, lowest), b.sub(end, lowest))
    else:
        rest = b.and_(word, b.sub(word, _ONE))
        take(b.add(at, lowest), _ONE)
    word.add_incoming(rest, b.block)
    b.cbranch(b.icmp_unsigned("!=", rest, _NONE), loop, after)
    b.position_at_end(after)


# Intrinsics ------------------------------------------------------------------------------------


def _is_mask(array: Any) -> bool:
    return _is_flat(array) and array.dtype == types.boolean


def _is_flat(array: Any) -> bool:
    return isinstance(array, types.Array) and (array.ndim, array.layout) == (1, "C")


def _count(context: Any, b: ir.IRBuilder, ty: Any, mask: ir.Value) -> ir.Value:
    array = make_array(ty)(context, b, mask)
    count = cgutils.alloca_once_value(b, _NONE)

    def use(at: ir.Value, bits: ir.Value) -> None:
        b.store(b.add(b.load(count), call_llvm(b, "llvm.ctpop", bits)), count)

    _each_word(b, array.data, array.nitems, use)
    return b.load(count)


#: ``count_true(mask)``: how many elements are true.
count_true = define(
    "count_true", 1, lambda m: types.int64 if _is_mask(m) else None, _count, with_context=True
)


def _positions(
    context: Any,
    b: ir.IRBuilder,
    tys: Any,
    mask: ir.Value,
    first: ir.Value,
    length: ir.Value,
    out: ir.Value,
    found: ir.Value,
    *outer: ir.Value,
) -> ir.Value:
    data = b.gep(make_array(tys[0])(context, b, mask).data, [first])
    to = make_array(tys[3])(context, b, out).data
    count = cgutils.alloca_once_value(b, found)
    width = 1 + len(outer)

    def write(place: ir.Value, at: ir.Value) -> None:
        place = b.mul(place, _INT(width))
        for k, position in enumerate((*outer, at)):
            b.store(position, b.gep(to, [b.add(place, _INT(k))]))

    def take(at: ir.Value, run: ir.Value) -> None:
        place = b.load(count)
        b.store(b.add(place, run), count)
        if run is _ONE:
            write(place, at)
            return
        with cgutils.for_range(b, run) as loop:
            write(b.add(place, loop.index), b.add(at, loop.index))

    _each_true(b, data, length, take)
    return b.load(count)


def positions(ndim: int) -> Any:
    """The intrinsic ``positions(mask, first, length, out, found, *outer)``.

    It looks at `length` elements of a mask of `ndim` axes, from `first` on, along the last axis.
    For each that is true it puts its position, after its `outer` ones, into `out`, where `found`
    are already; how many there are then is the result.
    """

    def result(mask: Any, first: Any, length: Any, out: Any, *numbers: Any) -> Any:
        fits = _is_mask(mask) and _is_flat(out) and out.dtype == types.int64
        fits = fits and all(ty == types.int64 for ty in (first, length, *numbers))
        return types.int64 if fits else None

    return define(
        f"positions_{ndim}", 4 + ndim, result, _positions, all_types=True, with_context=True
    )


class _Elements:
    """The elements of an array of one axis, or its rows of `row` elements."""

    def __init__(
        self, context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value, row: ir.Value = _ONE
    ) -> None:
        self.b, self.ty = b, ty
        made = make_array(ty)(context, b, array)
        self.data, self.row, self.size = (
            made.data,
            row,
            context.get_abi_sizeof(made.data.type.pointee),
        )
        self.stride = cgutils.unpack_tuple(b, made.strides, 1)[0] if ty.layout != "C" else None
        self.count = made.nitems

    def at(self, k: ir.Value) -> ir.Value:
        """The address of an element, or of a row."""
        b = self.b
        if self.stride is None:
            return b.gep(self.data, [k if self.row is _ONE else b.mul(k, self.row)])
        place = b.gep(b.bitcast(self.data, _BYTE.as_pointer()), [b.mul(k, self.stride)])
        return b.bitcast(place, self.data.type)

    def copy(self, k: ir.Value, source: _Elements, j: ir.Value, run: ir.Value) -> None:
        """Let `run` elements or rows from `k` on be those of `source` from `j` on."""
        b = self.b
        if run is _ONE and self.row is _ONE:
            b.store(b.load(source.at(j)), self.at(k))
        elif source.stride is None:
            count = b.mul(run, self.row) if self.row is not _ONE else run
            cgutils.raw_memcpy(b, self.at(k), source.at(j), count, _INT(self.size))
        else:
            with cgutils.for_range(b, run) as loop:
                value = b.load(source.at(b.add(j, loop.index)))
                b.store(value, self.at(b.add(k, loop.index)))


def _compress(
    context: Any, b: ir.IRBuilder, tys: Any, mask: ir.Value, x: ir.Value, out: ir.Value, *row: Any
) -> ir.Value:
    flags = make_array(tys[0])(context, b, mask)
    source = _Elements(context, b, tys[1], x, *row)
    target = _Elements(context, b, tys[2], out, *row)
    count = cgutils.alloca_once_value(b, _NONE)

    def take(at: ir.Value, run: ir.Value) -> None:
        place = b.load(count)
        b.store(b.add(place, run), count)
        target.copy(place, source, at, run)

    with b.if_then(cgutils.is_not_null(b, target.count)):
        _each_true(b, flags.data, flags.nitems, take, runs=bool(row))
    return b.load(count)


def _put(
    context: Any, b: ir.IRBuilder, tys: Any, mask: ir.Value, out: ir.Value, y: ir.Value, *row: Any
) -> ir.Value:
    flags = make_array(tys[0])(context, b, mask)
    target = _Elements(context, b, tys[1], out, *row)
    source = _Elements(context, b, tys[2], y, *row)
    limit = b.sdiv(source.count, *row) if row else source.count
    count = cgutils.alloca_once_value(b, _NONE)

    def take(at: ir.Value, run: ir.Value) -> None:
        place = b.load(count)
        following = b.add(place, run)
        b.store(following, count)
        # Of too few nothing is used, but memory beyond them must not be read.
        with b.if_then(b.icmp_signed("<=", following, limit), likely=True):
            target.copy(at, source, place, run)

    with b.if_then(cgutils.is_not_null(b, source.count)):
        _each_true(b, flags.data, flags.nitems, take, runs=bool(row))
    return b.load(count)


def _put_again(
    context: Any, b: ir.IRBuilder, tys: Any, mask: ir.Value, out: ir.Value, y: ir.Value
) -> ir.Value:
    flags = make_array(tys[0])(context, b, mask)
    target, source = (_Elements(context, b, tys[k], v) for k, v in ((1, out), (2, y)))
    turn = cgutils.alloca_once_value(b, _NONE)

    def one(at: ir.Value) -> None:
        place = b.load(turn)
        target.copy(at, source, place, _ONE)
        following = b.add(place, _ONE)
        b.store(b.select(b.icmp_signed("<", following, source.count), following, _NONE), turn)

    def take(at: ir.Value, run: ir.Value) -> None:
        if run is _ONE:
            one(at)
            return
        with cgutils.for_range(b, run) as loop:
            one(b.add(at, loop.index))

    with b.if_then(cgutils.is_not_null(b, source.count)):
        _each_true(b, flags.data, flags.nitems, take)
    return _NONE


def _put_number(
    context: Any, b: ir.IRBuilder, tys: Any, mask: ir.Value, out: ir.Value, y: ir.Value
) -> ir.Value:
    flags = make_array(tys[0])(context, b, mask)
    target = _Elements(context, b, tys[1], out)

    def take(at: ir.Value, run: ir.Value) -> None:
        if run is _ONE:
            store_item(context, b, tys[1], y, target.at(at))
            return
        with cgutils.for_range(b, run) as loop:
            store_item(context, b, tys[1], y, target.at(b.add(at, loop.index)))

    _each_true(b, flags.data, flags.nitems, take)
    return _NONE


def _of_number(mask: Any, out: Any, y: Any) -> Any:
    fits = isinstance(out, types.Array) and (out.ndim, out.layout, out.dtype) == (1, "C", y)
    return types.int64 if fits and _is_mask(mask) else None


def _alike(mask: Any, a: Any, b: Any, *row: Any) -> Any:
    arrays = isinstance(a, types.Array) and isinstance(b, types.Array) and a.dtype == b.dtype
    fits = arrays and a.ndim == b.ndim == 1 and _is_mask(mask) and b.layout == "C"
    return types.int64 if fits and all(ty == types.int64 for ty in row) else None


def _masked(name: str, arity: int, emit: Any) -> Any:
    return define(name, arity, _alike, emit, all_types=True, with_context=True)


#: ``compress(mask, x, out)``: the elements of `x` where `mask` is true, into `out`.
compress = _masked("compress", 3, _compress)
#: The same for rows of as many elements as the last operand says.
compress_rows = _masked("compress_rows", 4, _compress)
#: ``put_true(mask, out, y)``: the elements of `y`, in order, into `out` where `mask` is true.
put_true = _masked("put_true", 3, _put)
#: The same, with the first element after the last.
put_true_again = _masked("put_true_again", 3, _put_again)
put_true_rows = _masked("put_true_rows", 4, _put)
#: ``put_number(mask, out, y)``: the number `y` into `out` where `mask` is true.
put_number = define("put_number", 3, _of_number, _put_number, all_types=True, with_context=True)
