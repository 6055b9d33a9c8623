"""Histograms: uniform bins by one look at each element, others by a search in the edges."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tracejit.arrays.common import (
    at_least,
    call,
    common_dtype,
    dim_node,
    is_empty,
    length,
    strong,
)
from tracejit.arrays.ranges import linspace
from tracejit.arrays.searching import counted
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build, dims, sequences
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT64, INT64
from tracejit.trace.tables import creates, implements
from tracejit.trace.tracer import Tracer, operand, supported, value, wrap

#: NumPy, whose functions take traced values.
_np: Any = np
_UNSIGNED = {"b": "B", "h": "H", "i": "I", "l": "L", "q": "L"}


def _ravelled(a: Any, weights: Any) -> tuple[Node, Node | None]:
    x = strong(a)
    if x.dtype.kind == "b":
        text = f"Converting input from {x.dtype} to {np.uint8} for compatibility."
        warnings.warn(text, RuntimeWarning, stacklevel=3)
        x = build.cast(x, np.dtype(np.uint8))
    flat = build.reshape(x, (build.size(x),))
    if weights is None:
        return flat, None
    w = strong(weights)
    if w.ndim != x.ndim or not all(map(build.solver().equal, w.shape, x.shape)):
        raise ShapeError("weights should have the same shape as a.")
    return flat, build.reshape(w, (build.size(w),))


def _require(holds: Node) -> None:
    build.solver().require(holds, holds, holds)


def _outer(x: Node, range: Any) -> tuple[Any, Any, Node]:
    """The first and the last edge, and whether these were equal before they were moved apart."""
    if range is not None:
        first, last = range
        if not all(map(_is_number, (first, last))):
            raise NotTraceable("the range of a histogram is an array")
        if bool(first > last):
            raise ValueError("max must be larger than min in range parameter.")
        if not (bool(np.isfinite(first)) and bool(np.isfinite(last))):
            raise ValueError(f"supplied range of [{first}, {last}] is not finite")
        if bool(first == last):
            first, last = first - 0.5, last + 0.5
        return first, last, build.constant(False, np.bool_)
    if is_empty(x.shape):
        return 0, 1, build.constant(False, np.bool_)
    ends = [build.reduce(name, x, (0,)) for name in ("min", "max")]
    if x.dtype.kind == "f":
        _require(call("logical_and", *(call("isfinite", e) for e in ends)))
    same = call("equal", *ends)
    moved = (call(name, e, 0.5) for name, e in zip(("subtract", "add"), ends, strict=True))
    if x.dtype.kind == "f":
        first, last = (build.where(same, m, e) for m, e in zip(moved, ends, strict=True))
        return value(first), value(last), build.constant(False, np.bool_)
    return value(ends[0]), value(ends[1]), same


def _apart(first: Any, last: Any, same: Node) -> tuple[Any, Any]:
    """The ends of edges: of integers that are all the same, half below and half above."""
    if same.op.name == "const":
        return first, last
    below, above = (
        value(build.where(same, call(name, operand(e), 0.5), build.cast(e.node, FLOAT64)))
        for name, e in (("subtract", first), ("add", last))
    )
    return below, above


@creates(_np.lib._histograms_impl._get_outer_edges)
def _outer_edges(a: Any, range: Any) -> tuple[Any, Any]:
    """What NumPy's `histogramdd` asks for, of each column: for the numbers between them alone."""
    x = strong(a)
    return _apart(*_outer(build.cast(x, FLOAT64) if x.dtype.kind == "b" else x, range))


def _is_number(x: Any) -> bool:
    return not (isinstance(x, (Tracer, np.ndarray)) and x.ndim)


def _edges(x: Node, bins: Any, range: Any, weights: Any) -> tuple[Node, Any]:
    """The edges of bins, and for uniform ones their ends, their number and what ends these were."""
    if isinstance(bins, str):
        raise NotTraceable(f"bins={bins!r} depends on values: how many there are", "give a number")
    if not np.ndim(bins):
        if not isinstance(bins, Tracer) and not hasattr(bins, "__index__"):
            raise TypeError("`bins` must be an integer, a string, or an array")
        count = length(bins)
        if not at_least(count, 1):
            raise ValueError("`bins` must be positive, when an integer")
        first, last, same = _outer(x, range)
        dtype = supported(common_dtype(operand(first), operand(last), x))
        if dtype.kind in "iu":
            dtype = supported(np.result_type(dtype, float))
        number = Tracer(dims.as_node(dims.add(count, 1)), "number")
        edges = linspace(*_apart(first, last, same), number, dtype=dtype)
        return edges.node, (first, last, count, same)
    if np.ndim(bins) == 1:
        edges = strong(bins)
        bounds = Tracer(edges)
        rising = call("less_equal", bounds[:-1].node, bounds[1:].node)
        fixed = build.solver().fixed(rising)
        if fixed is None:
            known = call("greater", bounds[:-1].node, bounds[1:].node)
            _require(call("logical_not", build.reduce("any", known, (0,))))
        elif not fixed.all():
            raise ValueError("`bins` must increase monotonically, when an array")
        return edges, None
    raise ValueError("`bins` must be 1d, when an array")


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Tracer:
    """``np.histogram_bin_edges``."""
    x, w = _ravelled(a, weights)
    return Tracer(_edges(x, bins, range, w)[0])


@implements(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Tracer, Tracer]:
    """``np.histogram``."""
    x, w = _ravelled(a, weights)
    edges, uniform = _edges(x, bins, range, w)
    if w is not None and w.dtype.kind == "c":
        raise NotTraceable("a histogram with complex weights is not compiled")
    counts = _searched(x, edges, w) if uniform is None else _uniform(x, edges, w, *uniform)
    result, bounds = Tracer(counts), Tracer(edges)
    if density:
        widths = _np.diff(bounds).astype(float)
        result = result / widths / result.sum()
    return result, bounds


def _difference(x: Node, y: Any) -> Node:
    """The difference of what is not negative, which of integers is unsigned."""
    dtype = common_dtype(x, operand(y))
    if dtype.char not in _UNSIGNED:
        return build.cast(call("subtract", x, y), dtype)
    target = np.dtype(_UNSIGNED[dtype.char])
    return call(
        "subtract", *(build.cast(build.cast(wrap(v).node, dtype), target) for v in (Tracer(x), y))
    )


def _uniform(
    x: Node, edges: Node, weights: Node | None, first: Any, last: Any, count: Dim, same: Node
) -> Node:
    """By NumPy's formula, and the neighbouring edges where that is not exact."""
    keep = call("logical_and", call("greater_equal", x, first), call("less_equal", x, last))
    wide = build.cast(x, edges.dtype)
    denominator = _difference(wrap(last).node, first)
    offset = _difference(wide, first)
    if same.op.name != "const":
        half = build.constant(0.5, FLOAT64)
        offset = build.where(same, half, build.cast(offset, FLOAT64))
        denominator = build.where(
            same, build.constant(1.0, FLOAT64), build.cast(denominator, FLOAT64)
        )
    scaled = call(
        "multiply",
        call("divide", offset, denominator),
        dim_node(count) if not isinstance(count, int) else count,
    )
    end = dim_node(dims.sub(count, 1))
    at = build.cast(build.where(keep, scaled, build.constant(0.0, scaled.dtype)), INT64)
    at = call("minimum", at, end)
    shape = x.shape

    def edge(places: Node) -> Node:
        return build.gather(edges, shape, (("index", 0),), places)

    at = call("maximum", at, 0)
    below = call("less", wide, edge(at))
    at = call("subtract", at, build.cast(below, INT64))
    at = call("maximum", at, 0)
    beyond = call("greater_equal", wide, edge(call("add", at, 1)))
    beyond = call("logical_and", beyond, call("not_equal", at, end))
    at = call("add", at, build.cast(beyond, INT64))
    return _sums(build.where(keep, at, dim_node(count)), weights, count)


def _sums(at: Node, weights: Node | None, count: Dim) -> Node:
    """What falls into each bin; a bin more takes what falls into none."""
    found = counted(at, weights, dims.add(count, 1))
    kept = build.view(found, (count,), ((0, 1, 0),))
    return kept if weights is None else build.cast(kept, weights.dtype)


def _searched(x: Node, edges: Node, weights: Node | None) -> Node:
    """Where each element lies between edges, the last of which belongs to the bin before it."""
    count = dims.sub(edges.shape[0], 1)
    if not at_least(count, 1):
        raise NotTraceable("a histogram without bins is not compiled")
    dtype = common_dtype(x, edges)
    x, bounds = build.cast(x, dtype), build.cast(edges, dtype)
    if weights is None:
        at = call("subtract", sequences.search(bounds, x, "right"), 1)
        last = build.view(bounds, (), ((count, 0, None),))
        at = build.where(call("equal", x, last), dim_node(dims.sub(count, 1)), at)
        inside = call(
            "logical_and", call("greater_equal", at, 0), call("less", at, dim_node(count))
        )
        return _sums(build.where(inside, at, dim_node(count)), None, count)
    order = build.sort(x, 0, positions=True)
    sorted_, w = (build.gather(v, v.shape, (("index", 0),), order) for v in (x, weights))
    running = _np.cumsum(Tracer(w))
    before = _np.concatenate((Tracer(build.full((1,), build.constant(0, weights.dtype))), running))
    places = [
        sequences.search(sorted_, build.view(bounds, (n,), ((start, 1, 0),)), side)
        for n, start, side in ((count, 0, "left"), (1, count, "right"))
    ]
    at = build.concatenate(places, 0)
    found = build.gather(before.node, at.shape, (("index", 0),), at)
    return build.cast(_np.diff(Tracer(found)).node, weights.dtype)
