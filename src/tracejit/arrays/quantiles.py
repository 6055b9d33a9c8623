"""Quantiles: elements at places in order, by the methods that NumPy has for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays.common import axis_index, call, common_dtype, dim_node, has_elements, strong
from tracejit.arrays.sorting import WIDER, last_of
from tracejit.arrays.ufuncs import rebind
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT64, INT64
from tracejit.trace.tracer import Tracer, as_array, number, value

#: Quantiles for each of which the rows are gone through; for more, they are sorted.
_FEW = 3


def quantile(
    methods: dict[str, Any],
    arr: Any,
    quantiles: Any,
    axis: Any = -1,
    method: str = "linear",
    out: Any = None,
    weights: Any = None,
    weak_q: bool = False,
    numbers: bool = False,
) -> Any:
    """NumPy's ``_quantile``; of `numbers` alone, what is NaN is left out."""
    x, q = strong(arr), as_array(quantiles).node
    axis = axis_index(axis, x.ndim)
    rows = _last(x, axis)
    if not has_elements(rows.shape[-1:]):
        raise NotTraceable("the quantile of no elements is not compiled")
    if weights is not None:
        if numbers:
            raise NotTraceable("weighted quantiles without NaN are not compiled")
        w = strong(weights)
        w = _last(w, axis) if w.ndim == x.ndim else w
        result = _weighted(rows, build.broadcast_to(w, rows.shape), q)
        if out is None and not result.ndim:  # no scalar, but where it is NaN
            some = call("logical_not", call("isnan", result))
            build.solver().require(some, some, some)
            return Tracer(result)
    else:
        if method not in methods:
            names = methods.keys()
            raise ValueError(f"{method!r} is not a valid method. Use one of: {names}")
        result = _Quantiles(rows, q, methods[method], method, weak_q, numbers).result()
    if out is not None:
        rebind(out, result, np.add)
        return out
    return value(result)


def _last(x: Node, axis: int) -> Node:
    """`x` with an axis behind all others."""
    return build.transpose(x, [*(k for k in range(x.ndim) if k != axis), axis])


class _Quantiles:
    """The quantiles of rows."""

    def __init__(
        self, rows: Node, q: Node, properties: Any, method: str, weak: bool, numbers: bool
    ) -> None:
        self.rows, self.q, self.properties = rows, q, properties
        self.method, self.weak = method, weak
        self.dtype = rows.dtype
        self.numbers = numbers and rows.dtype.kind == "f"
        if rows.dtype.char in WIDER:
            self.rows = build.cast(rows, WIDER[rows.dtype.char])
        self.outer = rows.shape[:-1]
        self.length: Dim = rows.shape[-1]
        #: How many elements count, and the last place that does.
        self.count: Node = dim_node(self.length)
        if self.numbers:
            found = build.cast(call("logical_not", call("isnan", rows)), INT64)
            self.count = build.reduce("sum", found, (rows.ndim - 1,))
        self.end = call("maximum", call("subtract", self.count, 1), 0)

    def result(self) -> Node:
        """An array with the quantiles' axes first."""
        virtual = self._virtual()
        whole = virtual.dtype.kind in "iu"
        if self.properties["fix_gamma"] is None or (self.method == "linear" and whole):
            found = self._at(build.cast(virtual, INT64), None)[0]
        else:
            found = self._between(virtual)
        if self.numbers:
            none = call("equal", self.count, 0)
            if found.dtype != self.dtype and none.ndim:  # the first row has it of the other dtype
                first = build.view(none, (), ((0, 0, None),) * none.ndim)
                some = call("logical_not", first)
                build.solver().require(some, some, some)
            nan = build.constant(np.nan, found.dtype)
            found = build.where(none, nan, found)
        return found

    def _virtual(self) -> Node:
        """The places as fractions: of each row, where they have counts of their own."""
        get = self.properties["get_virtual_index"]
        if not self.numbers:
            return strong(get(number(self.length), Tracer(self.q)))
        q = build.expand_dims(self.q, [self.q.ndim + k for k in range(len(self.outer))])
        count = build.cast(self.count, q.dtype) if q.dtype.kind == "f" else self.count
        if count.ndim + q.ndim == 0:
            return strong(get(value(count), Tracer(q)))
        return strong(get(Tracer(count), Tracer(q)))

    def _between(self, virtual: Node) -> Node:
        """What lies between the elements on both sides of a place."""
        before = call("floor", virtual)
        above = call("greater_equal", virtual, call("subtract", self.count, 1))
        if self.dtype.kind == "f":
            above = call("logical_or", above, call("isnan", virtual))
        below = call("less", virtual, 0)
        ends = [build.constant(k, INT64) for k in (-1, 0)]

        def place(x: Node) -> Node:
            return build.where(above, ends[0], build.where(below, ends[1], build.cast(x, INT64)))

        places = [place(before), place(call("add", before, 1))]
        fraction = call("subtract", virtual, places[0])
        gamma = strong(self.properties["fix_gamma"](Tracer(fraction), Tracer(virtual)))
        gamma = build.cast(gamma, virtual.dtype)
        where = [build.where(call("less", p, 0), self.end, p) for p in places]
        low, high = self._at(*where)
        if not self.numbers:
            if self.weak:
                gamma = build.weak(build.cast(gamma, FLOAT64))
            elif gamma.ndim:
                gamma = build.expand_dims(gamma, [gamma.ndim + k for k in range(len(self.outer))])
        elif self.weak:
            gamma = build.cast(gamma, common_dtype(low, 1.0))
        return _mixed(low, high, gamma)

    def _at(self, first: Node, second: Node | None) -> tuple[Node, Node]:
        """The elements at places in order, and those at others."""
        places = [first, first if second is None else second]
        count = self.q.shape[0] if self.q.ndim == 1 else 0
        few = isinstance(count, int) and count <= _FEW and self.q.ndim < 2
        picked = few and not self.numbers
        found = self._picked(places, count) if picked else self._sorted(places)
        low, high = (build.cast(f, self.dtype) for f in found)
        return low, high

    def _picked(self, places: list[Node], count: Any) -> list[Node]:
        """By going through the rows for each pair of places."""
        pairs = []
        for k in range(count) if self.q.ndim else (None,):
            at = [p if k is None else build.view(p, (), ((k, 0, None),)) for p in places]
            pairs.append(build.middle(self.rows, False, (at[0], at[1])))
        found = []
        for side in (0, 1):
            each = [last_of(p, side) for p in pairs]
            if self.q.ndim:
                each = [build.concatenate([build.expand_dims(e, (0,)) for e in each], 0)]
            found.append(each[0])
        return found

    def _sorted(self, places: list[Node]) -> list[Node]:
        """By sorting the rows, at the end of which NaN is."""
        ordered = build.sort(self.rows, self.rows.ndim - 1)
        shape = (*self.q.shape, *self.outer)
        picks = (*(("axis", self.q.ndim + k) for k in range(len(self.outer))), ("index", 0))
        found = []
        for place in places:
            if not self.numbers:
                more = [place.ndim + k for k in range(len(self.outer))]
                place = build.expand_dims(place, more) if place.ndim else place
            one = build.gather(ordered, shape, picks, place)
            if self.dtype.kind == "f" and not self.numbers:
                end = build.broadcast_to(last_of(ordered, dims.sub(self.length, 1)), shape)
                one = build.where(call("isnan", end), end, one)
            found.append(one)
        return found


def _mixed(a: Node, b: Node, t: Node) -> Node:
    """NumPy's ``_lerp``: from the nearer side."""
    difference = call("subtract", b, a)
    low = call("add", a, call("multiply", difference, t))
    high = call("subtract", b, call("multiply", difference, call("subtract", 1, t)))
    return build.where(call("greater_equal", t, 0.5), build.cast(high, low.dtype), low)


def _weighted(rows: Node, weights: Node, q: Node) -> Node:
    """The first element up to which the weights add up to a quantile."""
    last = rows.ndim - 1
    order = build.sort(rows, last, positions=True)
    picks = (*(("axis", k) for k in range(last)), ("index", 0))
    ordered, w = (build.gather(x, rows.shape, picks, order) for x in (rows, weights))
    running = build.accumulate("add", build.cast(w, FLOAT64), last)
    total = build.expand_dims(last_of(running, dims.sub(rows.shape[-1], 1)), (last,))
    share = call("divide", running, build.broadcast_to(total, running.shape))
    number_ = call("logical_not", call("isnan", last_of(share, dims.sub(rows.shape[-1], 1))))
    whole = build.reduce("all", number_, tuple(range(number_.ndim)))
    build.solver().require(whole, whole, whole)
    if q.dtype.kind == "f":
        share = build.cast(share, q.dtype)
    none = call("equal", share, 0)
    share = build.where(none, build.constant(-1, share.dtype), share)
    outer = rows.shape[:-1]
    wide = build.expand_dims(q, [q.ndim + k for k in range(rows.ndim)])
    before = build.cast(call("less", share, wide), INT64)
    at = build.reduce("sum", before, (before.ndim - 1,))
    at = call("minimum", at, dim_node(dims.sub(rows.shape[-1], 1)))
    shape = (*q.shape, *outer)
    picks = (*(("axis", q.ndim + k) for k in range(last)), ("index", 0))
    found = build.gather(ordered, shape, picks, build.broadcast_to(at, shape))
    if rows.dtype.kind == "f":
        end = build.broadcast_to(last_of(ordered, dims.sub(rows.shape[-1], 1)), shape)
        found = build.where(call("isnan", end), end, found)
    return found


def without_nan(
    methods: dict[str, Any],
    a: Any,
    q: Any,
    weights: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    weak_q: bool = False,
) -> Any:
    """NumPy's ``_nanquantile_ureduce_func``."""
    if axis is None:
        flat = as_array(a).node
        a, axis = Tracer(build.reshape(flat, (build.size(flat),))), 0
    found = quantile(methods, a, q, axis, method, None, weights, weak_q, numbers=True)
    if out is not None:
        rebind(out, found.node, np.add, "unsafe")
        return out
    return found


__all__ = ["quantile", "without_nan"]
