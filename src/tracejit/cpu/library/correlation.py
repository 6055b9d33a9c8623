"""Sums of products of a vector with each part of another one.

Those of real numbers are computed for a block of places at a time, which stay in registers while
the shorter vector is gone through. Others are NumPy's own dot products.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array

from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_type
from tracejit.native import symbols

__all__ = ["correlate"]

_INT, _POINTER = ir.IntType(64), ir.IntType(8).as_pointer()
#: function(first, its stride, second, its stride, where the result goes, count, an array)
_DOT = ir.FunctionType(ir.VoidType(), [_POINTER, _INT, _POINTER, _INT, _POINTER, _INT, _POINTER])
#: Places that are computed together: as many vectors as leave registers for what they are made of.
_BLOCK = 32


@functools.cache
def correlate(char: str) -> Any:
    """An intrinsic ``correlate(x, weights, out, left)`` of contiguous vectors of a dtype.

    ``out[k]`` is the sum of ``x[k - left + i] * weights[i]`` over what there is of `x`.
    """
    element = element_type(char)

    def result(*operands: Any) -> Any:
        *arrays, left = operands
        fits = left == types.int64 and all(
            isinstance(a, types.Array) and (a.ndim, a.layout, a.dtype) == (1, "C", element)
            for a in arrays
        )
        return types.int64 if fits else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, *operands: ir.Value) -> ir.Value:
        arrays = zip(tys[:3], operands[:3], strict=True)
        x, weights, out = (make_array(t)(context, b, a) for t, a in arrays)
        left, places, length = operands[3], out.nitems, weights.nitems
        # From `first` to `last`, all of the weights meet some of `x`.
        first = _smaller(b, left, places)
        last = b.add(b.sub(b.add(x.nitems, left), length), _INT(1))
        last = _larger(b, _smaller(b, last, places), first)
        dots = _Dots(b, char, x, weights, out, left)
        dots.over(_INT(0), first)
        dots.over(last, places)
        if np.dtype(char).kind in "iuf" and char != "e":
            start = b.gep(x.data, [b.sub(first, left)])
            _in_blocks(b, start, weights.data, length, b.gep(out.data, [first]), b.sub(last, first))
        else:
            dots.over(first, last)
        return ir.Constant(_INT, 0)

    return define(f"correlate[{char}]", 4, result, emit, all_types=True, with_context=True)


def _smaller(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return b.select(b.icmp_signed("<", x, y), x, y)


def _larger(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return b.select(b.icmp_signed(">", x, y), x, y)


class _Dots:
    """Emits NumPy's dot products of a vector's parts with weights, or with some of them."""

    def __init__(
        self, b: ir.IRBuilder, char: str, x: Any, weights: Any, out: Any, left: ir.Value
    ) -> None:
        self.b, self.x, self.weights, self.out, self.left = b, x, weights, out, left
        self.size = _INT(np.dtype(char).itemsize)
        name = symbols.of_dtype("dotfunc", char)
        self.dot = cgutils.get_or_insert_function(b.module, _DOT, name)

    def over(self, first: ir.Value, last: ir.Value) -> None:
        """Places from one to another."""
        b, none = self.b, ir.Constant(_POINTER, None)
        with cgutils.for_range(b, b.sub(last, first)) as loop:
            place = b.add(first, loop.index)
            before = b.sub(self.left, place)  # weights before the first element
            low = _larger(b, before, _INT(0))
            high = _smaller(b, self.weights.nitems, b.add(self.x.nitems, before))
            count = _larger(b, b.sub(high, low), _INT(0))
            low = _smaller(b, low, self.weights.nitems)
            at = b.gep(self.x.data, [_larger(b, b.sub(low, before), _INT(0))])
            weight, to = b.gep(self.weights.data, [low]), b.gep(self.out.data, [place])
            at, weight, to = (b.bitcast(p, _POINTER) for p in (at, weight, to))
            b.call(self.dot, [at, self.size, weight, self.size, to, count, none])


def _in_blocks(b: ir.IRBuilder, x: Any, weights: Any, length: Any, out: Any, n: Any) -> None:
    """Whole blocks, and what is left one by one."""
    element = x.type.pointee
    floats = isinstance(element, (ir.FloatType, ir.DoubleType))
    vector = ir.VectorType(element, _BLOCK)
    blocks = b.udiv(n, _INT(_BLOCK))
    with cgutils.for_range(b, blocks) as loop:
        start = b.mul(loop.index, _INT(_BLOCK))
        total = _summed(b, x, weights, length, start, vector, floats)
        to = b.bitcast(b.gep(out, [start]), vector.as_pointer())
        b.store(total, to, align=1)
    first = b.mul(blocks, _INT(_BLOCK))
    with cgutils.for_range(b, b.sub(n, first)) as loop:
        at = b.add(first, loop.index)
        b.store(_summed(b, x, weights, length, at, element, floats), b.gep(out, [at]))


def _summed(
    b: ir.IRBuilder, x: Any, weights: Any, length: Any, start: Any, ty: ir.Type, floats: bool
) -> ir.Value:
    """The sums from the place `start` on, as many as the type has lanes."""
    total = cgutils.alloca_once(b, ty)
    b.store(ir.Constant(ty, None if isinstance(ty, ir.VectorType) else 0), total)
    with cgutils.for_range(b, length) as loop:
        at = b.bitcast(b.gep(x, [b.add(start, loop.index)]), ty.as_pointer())
        here = b.load(at, align=1)
        weight = b.load(b.gep(weights, [loop.index]))
        if isinstance(ty, ir.VectorType):
            one = b.insert_element(ir.Constant(ty, ir.Undefined), weight, ir.IntType(32)(0))
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), _BLOCK), [0] * _BLOCK)
            weight = b.shuffle_vector(one, ir.Constant(ty, ir.Undefined), lanes)
        so_far = b.load(total)
        if floats:
            product = b.fmul(here, weight, flags=("contract",))
            b.store(b.fadd(so_far, product, flags=("contract",)), total)
        else:
            b.store(b.add(so_far, b.mul(here, weight)), total)
    return b.load(total)
