"""Sums of products of windows with filters, by blocks that stay in registers.

Where there are many places and few elements in a filter, vectors go along places: of a few rows'
vectors, each with a few filters. Where filters are large and places few, as in the derivative by
the filters, vectors go along the filter, and what is in them is added up at the end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array

from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_type
from tracejit.ir.convolutions import FILTERS

__all__ = ["convolve"]

_INT, _SHORT = ir.IntType(64), ir.IntType(32)
#: Bytes of a vector, and how many vectors of each operand are combined: their sums and a few more
#: are what a processor with 32 registers holds.
_BYTES, _VECTORS = 32, 4
#: Elements of filters that are gone through at a time: they stay in the second cache.
_KEPT = 1 << 15
#: The lengths that the function is given, in this order.
SIZES = "groups batch channels depth height width filters planes rows columns".split()
PLACES = "far down across".split()
#: How far apart are images, their channels, filters and theirs.
APART = "image channel filter weight".split()


@functools.cache
def convolve(char: str, by: str, steps: str, spreads: str) -> Any:
    """An intrinsic ``convolve(x, w, out, *sizes, *places, *apart, first, last)``, of C order.

    It does the units from `first` to `last`, or all where that is -1: see `ir.convolutions`.
    """
    element = element_type(char)

    def result(*operands: Any) -> Any:
        arrays, numbers = operands[:3], operands[3:]
        fits = all(n == types.int64 for n in numbers) and all(
            isinstance(a, types.Array) and (a.ndim, a.layout, a.dtype) == (1, "C", element)
            for a in arrays
        )
        return types.int64 if fits else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, *operands: ir.Value) -> ir.Value:
        arrays = zip(tys[:3], operands[:3], strict=True)
        data = [make_array(t)(context, b, a).data for t, a in arrays]
        *numbers, first, last = operands[3:]
        kind = _ByPlaces if by == "places" else _ByFilters
        made = kind(b, char, data, numbers, _numbers(steps), _numbers(spreads))
        every = b.icmp_signed("<", last, _INT(0))
        made.units(first, b.select(every, made.count(), last))
        return ir.Constant(_INT, 0)

    arity = 3 + len(SIZES) + len(PLACES) + len(APART) + 2
    name = f"convolve[{char}, {by}, {steps}, {spreads}]"
    return define(name, arity, result, emit, all_types=True, with_context=True)


def _numbers(text: str) -> list[int]:
    return list(map(int, text.split("_")))


class _Convolution:
    """What both ways to go through it share: lengths, loops, vectors."""

    def __init__(
        self, b: ir.IRBuilder, char: str, data: Sequence[ir.Value], numbers: Sequence[ir.Value],
        steps: Sequence[int], spreads: Sequence[int],
    ) -> None:  # fmt: skip
        self.b = b
        self.x, self.w, self.out = data
        self.size = dict(zip([*SIZES, *PLACES, *APART], numbers, strict=True))
        self.steps, self.spreads = steps, spreads
        self.element = ir.FloatType() if char == "f" else ir.DoubleType()
        self.short = "f32" if char == "f" else "f64"
        self.itemsize = np.dtype(char).itemsize
        self.lanes = _BYTES // self.itemsize
        self.vector = ir.VectorType(self.element, self.lanes)
        self.mask = ir.VectorType(ir.IntType(1), self.lanes)
        of = self.size
        self.line = of["width"]
        self.plane = b.mul(of["height"], self.line)
        self.image = b.mul(of["depth"], self.plane)  # of one channel
        self.filter = b.mul(of["planes"], b.mul(of["rows"], of["columns"]))
        self.places = b.mul(of["far"], b.mul(of["down"], of["across"]))
        self.blocks = self.parts(of["filters"], FILTERS)

    def count(self) -> ir.Value:
        """How many units there are: each is an image with a block of filters."""
        return self.b.mul(self.size["groups"], self.b.mul(self.blocks, self.size["batch"]))

    @contextmanager
    def unit(self, first: ir.Value, last: ir.Value) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        """A loop over units, neighbours of which have the same filters.

        It gives where the image, the filters and their results begin.
        """
        b, of = self.b, self.size
        with self.loop(b.sub(last, first)) as k:
            unit = b.add(first, k)
            image, rest = b.urem(unit, of["batch"]), b.udiv(unit, of["batch"])
            block, group = b.urem(rest, self.blocks), b.udiv(rest, self.blocks)
            images = b.mul(b.mul(of["batch"], of["channels"]), self.image)
            x = b.gep(self.x, [b.add(b.mul(group, images), b.mul(image, of["image"]))])
            filters = self.filters_of(block)
            whole = b.mul(b.mul(of["filters"], of["channels"]), self.filter)
            w = b.gep(self.w, [b.mul(group, whole)])
            stack = b.add(b.mul(group, of["batch"]), image)
            out = b.gep(self.out, [b.mul(b.mul(stack, of["filters"]), self.places)])
            yield (
                x,
                [b.gep(w, [b.mul(f, of["filter"])]) for f in filters],
                [b.gep(out, [b.mul(f, self.places)]) for f in filters],
            )

    # Numbers -------------------------------------------------------------------------------------

    def parts(self, n: ir.Value, size: int) -> ir.Value:
        """How many parts of a size there are in a number, the last of which may be smaller."""
        return self.b.udiv(self.b.add(n, _INT(size - 1)), _INT(size))

    def smaller(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.b.select(self.b.icmp_signed("<", x, y), x, y)

    def times(self, x: ir.Value, factor: int) -> ir.Value:
        return x if factor == 1 else self.b.mul(x, _INT(factor))

    def sum(self, *terms: ir.Value) -> ir.Value:
        return functools.reduce(self.b.add, terms)

    def variable(self, value: ir.Value) -> ir.Value:
        return cgutils.alloca_once_value(self.b, value)

    @contextmanager
    def loop(self, count: ir.Value) -> Iterator[ir.Value]:
        """A loop from 0 on, and its index."""
        with cgutils.for_range(self.b, count, intp=_INT) as made:
            yield made.index

    # Vectors -------------------------------------------------------------------------------------

    def first_lanes(self, count: ir.Value) -> ir.Value:
        """A mask of the first lanes."""
        lanes = ir.Constant(ir.VectorType(_INT, self.lanes), list(range(self.lanes)))
        return self.b.icmp_signed("<", lanes, self.spread(count, _INT))

    def spread(self, value: ir.Value, element: ir.Type) -> ir.Value:
        """A vector of one number."""
        kind = ir.VectorType(element, self.lanes)
        none = ir.Constant(kind, ir.Undefined)
        one = self.b.insert_element(none, value, _SHORT(0))
        order = ir.Constant(ir.VectorType(_SHORT, self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(one, none, order)

    def load(self, at: ir.Value, mask: ir.Value, count: ir.Value, step: int = 1) -> ir.Value:
        """Some elements from an address on, `step` apart; 0 in the other lanes."""
        b, empty = self.b, ir.Constant(self.vector, None)
        if step == 1:
            kind = ir.FunctionType(
                self.vector, [self.vector.as_pointer(), _SHORT, self.mask, self.vector]
            )
            name = f"llvm.masked.load.v{self.lanes}{self.short}.p0"
            function = cgutils.get_or_insert_function(b.module, kind, name)
            place = b.bitcast(at, self.vector.as_pointer())
            return b.call(function, [place, _SHORT(self.itemsize), mask, empty])
        result: ir.Value = empty
        last = b.sub(count, _INT(1))
        for k in range(self.lanes):
            place = self.times(self.smaller(_INT(k), last), step)
            result = b.insert_element(result, b.load(b.gep(at, [place])), _SHORT(k))
        return b.select(mask, result, empty)

    def store(self, value: ir.Value, at: ir.Value, mask: ir.Value) -> None:
        """The lanes of a mask."""
        b = self.b
        kind = ir.FunctionType(
            ir.VoidType(), [self.vector, self.vector.as_pointer(), _SHORT, self.mask]
        )
        name = f"llvm.masked.store.v{self.lanes}{self.short}.p0"
        function = cgutils.get_or_insert_function(b.module, kind, name)
        place = b.bitcast(at, self.vector.as_pointer())
        b.call(function, [value, place, _SHORT(self.itemsize), mask])

    def accumulators(self) -> list[list[ir.Value]]:
        """Registers for the sums of a block, which start at zero."""
        found = []
        for _ in range(FILTERS):
            found.append([cgutils.alloca_once(self.b, self.vector) for _ in range(_VECTORS)])
        for row in found:
            for each in row:
                self.b.store(ir.Constant(self.vector, None), each)
        return found

    def add_products(
        self, sums: Sequence[Sequence[ir.Value]], left: Sequence[ir.Value],
        right: Callable[[int], ir.Value],
    ) -> None:  # fmt: skip
        """To each sum the product of a vector on the left with one on the right."""
        b = self.b
        for k, row in enumerate(sums):
            factor = right(k)
            for place, x in zip(row, left, strict=True):
                product = b.fmul(x, factor, flags=("contract",))
                b.store(b.fadd(b.load(place), product, flags=("contract",)), place)

    def filters_of(self, block: ir.Value) -> list[ir.Value]:
        """The filters of a block; the last one again where it has fewer."""
        b, first = self.b, self.times(block, FILTERS)
        last = b.sub(self.size["filters"], _INT(1))
        return [self.smaller(b.add(first, _INT(k)), last) for k in range(FILTERS)]


class _Counters:
    """The places of vectors in order, without a division for each."""

    def __init__(self, of: _Convolution, limits: Sequence[ir.Value]) -> None:
        self.of, self.limits = of, limits
        self.slots = [of.variable(_INT(0)) for _ in limits]

    def reset(self) -> None:
        for slot in self.slots:
            self.of.b.store(_INT(0), slot)

    def take(self) -> list[ir.Value]:
        """The place at hand; the next one is the next, or the last one again."""
        b = self.of.b
        values = [b.load(slot) for slot in self.slots]
        new: list[ir.Value] = []
        carry: ir.Value = ir.IntType(1)(1)
        for value, limit in zip(reversed(values), reversed(self.limits), strict=True):
            more = b.add(value, b.zext(carry, _INT))
            carry = b.icmp_signed("==", more, limit)
            new.insert(0, b.select(carry, _INT(0), more))
        for slot, value, after in zip(self.slots, values, new, strict=True):
            b.store(b.select(carry, value, after), slot)
        return values


class _ByPlaces(_Convolution):
    """Vectors along places."""

    def units(self, first: ir.Value, last: ir.Value) -> None:
        """The units from one to another."""
        b, of = self.b, self.size
        vectors = self.parts(of["across"], self.lanes)
        total = b.mul(of["far"], b.mul(of["down"], vectors))
        tiles = self.parts(total, _VECTORS)
        counters = _Counters(self, [of["far"], of["down"], vectors])
        with self.unit(first, last) as (x, weights, outs):
            counters.reset()
            with self.loop(tiles):
                self.tile(x, weights, outs, counters)

    def tile(self, x: Any, weights: Any, outs: Any, counters: _Counters) -> None:
        """The sums of a few vectors of places."""
        b, of = self.b, self.size
        far, down, across = self.steps
        starts, places, masks, counts = [], [], [], []
        for _ in range(_VECTORS):
            plane, row, number = counters.take()
            column = self.times(number, self.lanes)
            at = (
                b.mul(self.times(plane, far), self.plane),
                b.mul(self.times(row, down), self.line),
                self.times(column, across),
            )
            starts.append(b.gep(x, [self.sum(*at)]))
            line = b.add(b.mul(plane, of["down"]), row)
            places.append(b.add(b.mul(line, of["across"]), column))
            left = b.sub(of["across"], column)
            counts.append(self.smaller(left, _INT(self.lanes)))
            masks.append(self.first_lanes(left))
        sums = self.accumulators()
        planes, rows, columns = (
            b.mul(_INT(s), d)
            for s, d in zip(self.spreads, (self.plane, self.line, _INT(1)), strict=True)
        )
        with (
            self.loop(of["channels"]) as c,
            self.loop(of["planes"]) as i,
            self.loop(of["rows"]) as j,
        ):
            start = self.sum(b.mul(c, of["channel"]), b.mul(i, planes), b.mul(j, rows))
            line = b.mul(b.add(b.mul(i, of["rows"]), j), of["columns"])
            before = b.add(b.mul(c, of["weight"]), line)
            with self.loop(of["columns"]) as k:
                at = b.add(start, b.mul(k, columns))
                vectors = [
                    self.load(b.gep(s, [at]), m, n, across)
                    for s, m, n in zip(starts, masks, counts, strict=True)
                ]
                place = b.add(before, k)

                def factor(f: int, place: ir.Value = place) -> ir.Value:
                    return self.spread(b.load(b.gep(weights[f], [place])), self.element)

                self.add_products(sums, vectors, factor)
        for row_of_sums, out in zip(sums, outs, strict=True):
            for total, place, mask in zip(row_of_sums, places, masks, strict=True):
                self.store(b.load(total), b.gep(out, [place]), mask)


class _ByFilters(_Convolution):
    """Vectors along filters.

    Of a filter with many channels a part is gone through at a time, for all places.
    """

    def units(self, first: ir.Value, last: ir.Value) -> None:
        """The units from one to another."""
        b, of = self.b, self.size
        tiles = self.parts(self.places, _VECTORS)
        counters = _Counters(self, [of["far"], of["down"], of["across"]])
        # As many channels at a time as stay in the cache, at least one.
        room = b.udiv(_INT(_KEPT), b.add(self.times(self.filter, FILTERS), _INT(1)))
        room = b.add(room, _INT(1))
        turns = b.udiv(b.add(of["channels"], b.sub(room, _INT(1))), room)
        turns = b.select(b.icmp_signed("<", turns, _INT(1)), _INT(1), turns)
        with self.unit(first, last) as (x, weights, outs), self.loop(turns) as turn:
            start = b.mul(turn, room)
            count = self.smaller(b.sub(of["channels"], start), room)
            counters.reset()
            with self.loop(tiles):
                self.tile(x, weights, outs, counters, start, count, turn)

    def tile(
        self, x: Any, weights: Any, outs: Any, counters: _Counters, start: Any, count: Any,
        turn: Any,
    ) -> None:  # fmt: skip
        """The sums of a few places, over some channels."""
        b, of = self.b, self.size
        starts, places = [], []
        for _ in range(_VECTORS):
            plane, row, column = counters.take()
            far, down, across = (
                self.times(n, s) for n, s in zip((plane, row, column), self.steps, strict=True)
            )
            starts.append(
                b.gep(x, [self.sum(b.mul(far, self.plane), b.mul(down, self.line), across)])
            )
            line = b.add(b.mul(plane, of["down"]), row)
            places.append(b.add(b.mul(line, of["across"]), column))
        sums = self.accumulators()
        far, down, across = self.spreads
        vectors = self.parts(of["columns"], self.lanes)
        with self.loop(count) as n, self.loop(of["planes"]) as i, self.loop(of["rows"]) as j:
            channel = b.add(start, n)
            line = b.mul(b.add(b.mul(i, of["rows"]), j), of["columns"])
            of_filter = b.add(b.mul(channel, of["weight"]), line)
            of_image = self.sum(
                b.mul(channel, of["channel"]),
                b.mul(self.times(i, far), self.plane),
                b.mul(self.times(j, down), self.line),
            )
            with self.loop(vectors) as k:
                column = self.times(k, self.lanes)
                left = b.sub(of["columns"], column)
                mask, some = self.first_lanes(left), self.smaller(left, _INT(self.lanes))
                at = b.add(of_image, self.times(column, across))
                parts = [self.load(b.gep(s, [at]), mask, some, across) for s in starts]
                place = b.add(of_filter, column)

                def factor(f: int, place: Any = place, mask: Any = mask, some: Any = some) -> Any:
                    return self.load(b.gep(weights[f], [place]), mask, some)

                self.add_products(sums, parts, factor)
        # All that is there is read before, as the last place of a block may be there twice.
        is_first = b.icmp_signed("==", turn, _INT(0))
        zero = ir.Constant(self.element, 0)
        found = []
        for row_of_sums, out in zip(sums, outs, strict=True):
            for total, place in zip(row_of_sums, places, strict=True):
                address = b.gep(out, [place])
                so_far = b.select(is_first, zero, b.load(address))
                found.append((b.fadd(so_far, self.across(b.load(total))), address))
        for value, address in found:
            b.store(value, address)

    def across(self, x: ir.Value) -> ir.Value:
        """The sum of a vector's lanes."""
        name = f"llvm.vector.reduce.fadd.v{self.lanes}{self.short}"
        kind = ir.FunctionType(self.element, [self.element, self.vector])
        function = cgutils.get_or_insert_function(self.b.module, kind, name)
        zero = ir.Constant(self.element, -0.0)
        return self.b.call(function, [zero, x], fastmath=("reassoc",))
