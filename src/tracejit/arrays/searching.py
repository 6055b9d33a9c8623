"""Places in sorted arrays, counts of numbers, and partial orders."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays import late
from tracejit.arrays.common import (
    at_least,
    axis_index,
    call,
    check_cast,
    dim_node,
    has_elements,
    join,
    length,
    strong,
    zero,
)
from tracejit.arrays.indexing import getitem
from tracejit.arrays.sorting import argsort, sort
from tracejit.errors import ShapeError
from tracejit.ir import build, sequences
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT64, INT64
from tracejit.trace.tables import METHODS, implements, method
from tracejit.trace.tracer import Tracer, as_array, number, value

_DEPTHS = ("object of too small depth for desired array", "object too deep for desired array")

# Sorted arrays ----------------------------------------------------------------------------------


@implements(np.searchsorted)
@method("searchsorted")
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Tracer:
    """``np.searchsorted``."""
    x, sought = (as_array(n).node for n in (a, v))
    x, sought = join(Tracer(x), Tracer(sought))
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got {side!r})")
    if x.ndim != 1:
        raise ValueError(_DEPTHS[bool(x.ndim)])
    if sorter is not None:
        order = strong(sorter)
        if order.dtype.kind not in "iu":
            raise TypeError("sorter must only contain integers")
        if order.ndim != 1 or not build.solver().equal(order.shape[0], x.shape[0]):
            raise ValueError("sorter.size must equal len(a)")
        x = getitem(Tracer(x), Tracer(order)).node
    return value(sequences.search(x, sought, side))


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Tracer:
    """``np.digitize``: bins may also fall; where they do neither, NumPy raises."""
    v, edges = strong(x), strong(bins)
    if v.dtype.kind == "c":
        raise TypeError("x may not be complex")
    check_cast(edges.dtype, FLOAT64, "safe")
    if edges.ndim != 1:
        raise ValueError("object of too small depth for desired array")
    side = "left" if right else "right"
    bounds = Tracer(edges)
    before, after = bounds[:-1].node, bounds[1:].node
    up, down = (
        build.reduce("all", call(name, before, after), (0,))
        for name in ("less_equal", "greater_equal")
    )
    fixed = build.solver().fixed(up), build.solver().fixed(down)
    if fixed[0] is not None and (fixed[0] or fixed[1]):
        rising: Node | None = None
        turned = not fixed[0]
    else:
        holds = call("logical_or", up, down)
        build.solver().require(holds, holds, holds)
        rising, turned = up, False
    ordered = edges
    if turned or rising is not None:
        falling = build.flip(edges, (0,))
        ordered = falling if rising is None else build.where(rising, edges, falling)
    a, sought = join(Tracer(ordered), Tracer(v))
    found = sequences.search(a, sought, side)
    if not turned and rising is None:
        return value(found)
    other = sequences.search(a, sought, side)
    rest = call("subtract", dim_node(edges.shape[0]), other)
    return value(rest if rising is None else build.where(rising, found, rest))


# Counts -----------------------------------------------------------------------------------------


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: Any = 0) -> Tracer:
    """``np.bincount``: as long as the largest number tells."""
    i = strong(x)
    least = length(minlength)
    if not at_least(least, 0):
        raise ValueError("'minlength' must not be negative")
    if i.ndim != 1:
        raise ValueError(_DEPTHS[bool(i.ndim)])
    w = None if weights is None else strong(weights)
    if w is not None:
        check_cast(w.dtype, FLOAT64, "safe")
        if w.ndim != 1 or not build.solver().equal(w.shape[0], i.shape[0]):
            raise ValueError("The weights and list don't have the same length.")
    target = INT64 if w is None else FLOAT64
    if not has_elements(i.shape):
        return Tracer(build.full((least,), zero(target)))
    check_cast(i.dtype, INT64, "safe")
    i = build.cast(i, INT64)
    low = call("greater_equal", build.reduce("min", i, (0,)), 0)
    build.solver().require(low, low, low)
    return Tracer(counted(i, w, late.larger(_after(i), least)))


def _after(i: Node) -> Dim:
    """The number after the largest one."""
    most = build.reduce("max", i, (0,))
    found: Dim = length(METHODS["convert"](int, value(call("add", most, 1))))
    return late.larger(found, 0)


def counted(i: Node, weights: Node | None, count: Dim) -> Node:
    """How often, or with how much weight, there is each number below `count`; others are none."""
    target = INT64 if weights is None else FLOAT64
    one = build.constant(1, INT64)
    each = build.broadcast_to(one, i.shape) if weights is None else build.cast(weights, target)
    return build.scatter(build.full((count,), zero(target)), each, [i], [False], "add")


# Partial orders ---------------------------------------------------------------------------------


def _places(kth: Any, n: Dim) -> None:
    """Raise what NumPy raises for places that an axis of `n` elements does not have."""
    entries = kth
    if isinstance(kth, Tracer):
        if kth.node.dtype.kind not in "iu":
            raise TypeError("Partition index must be integer")
        entries = METHODS["tolist"](kth) if kth.node.shape else (kth,)
    elif not isinstance(kth, (list, tuple)):
        entries = (kth,)
    for k in entries:
        place = length(k)
        if not at_least(place, 0):
            place = length(number(place) + number(n))
        if not at_least(place, 0) or at_least(place, n):
            raise ValueError(f"kth(={k}) out of bounds ({build.solver().value(n)})")


def _kind(kind: str, order: Any) -> None:
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")
    if kind != "introselect":
        raise ValueError(f"select kind must be 'introselect' (got {kind!r})")


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Tracer:
    """``np.partition``: all is in order, of which NumPy promises those at some places."""
    _kind(kind, order)
    x = as_array(a)
    k = None if axis is None else axis_index(axis, x.node.ndim)
    _places(kth, build.size(x.node) if k is None else x.node.shape[k])
    return sort(x, axis)


@implements(np.argpartition)
@method("argpartition")
def argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Tracer:
    """``np.argpartition``: as `partition`."""
    _kind(kind, order)
    x = as_array(a)
    k = None if axis is None else axis_index(axis, max(x.node.ndim, 1))
    _places(kth, build.size(x.node) if k is None or not x.node.ndim else x.node.shape[k])
    return argsort(x, axis)


@method("partition")
def partition_inplace(
    x: Tracer, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> None:
    """``x.partition(kth)``."""
    _kind(kind, order)
    _places(kth, x.node.shape[axis_index(axis, x.node.ndim)])
    METHODS["sort"](x, axis)


@implements(np.lexsort)
def lexsort(keys: Any, axis: Any = -1) -> Tracer:
    """``np.lexsort``: by the last key, then by the one before."""
    rows = [strong(key) for key in (list(keys) if isinstance(keys, Tracer) else keys)]
    if not rows:
        raise TypeError("need sequence of keys with len > 0 in lexsort")
    first = rows[0].shape
    for row in rows:
        if row.ndim != len(first) or not all(map(build.solver().equal, first, row.shape)):
            raise ShapeError("all keys need to be the same shape")
    if not first:
        axis_index(axis, 1)
        return value(zero(INT64))
    k = axis_index(axis, len(first))
    order = build.sort(rows[0], k, "stable", positions=True)
    for row in rows[1:]:
        found = build.sort(_along(row, order, k), k, "stable", positions=True)
        order = _along(order, found, k)
    return Tracer(build.ordered(order, "C") if k < len(first) - 1 else order)


def _along(x: Node, places: Node, axis: int) -> Node:
    """The elements at places along an axis."""
    picks = tuple(("index", 0) if k == axis else ("axis", k) for k in range(x.ndim))
    return build.gather(x, places.shape, picks, places)
