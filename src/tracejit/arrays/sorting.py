"""Sorting, by NumPy's own sorts, and what is made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays.common import (
    axis_index,
    axis_tuple,
    call,
    dim_node,
    given,
    has_elements,
    strong,
)
from tracejit.arrays.reductions import keep
from tracejit.arrays.statistics import divide
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT32, FLOAT64, INT64
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, value

#: As NumPy 2.4 does, a heapsort is what its default is: neither promises an order of equals.
KINDS = {
    "quicksort": "quicksort", "heapsort": "quicksort", "mergesort": "stable", "stable": "stable",
}  # fmt: skip


#: What is sorted faster, and what NumPy computes means in.
WIDER: dict[str, np.dtype[Any]] = {
    **{char: np.dtype(np.int16) for char in "?bB"},
    "e": FLOAT32,
}


def kind_of(kind: Any, order: Any = None, stable: Any = None) -> str:
    """The sort that NumPy's arguments name."""
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")
    if stable is not None:
        if kind is not None:
            raise ValueError("`kind` and keyword parameters can't be provided at the same time. ")
        return "stable" if stable else "quicksort"
    found = KINDS.get("quicksort" if kind is None else str(kind).lower())
    if found is None:
        raise ValueError(f"sort kind must be one of 'quick', 'heap', or 'stable' (got {kind!r})")
    return found


def _sorted(a: Any, axis: Any, kind: str, positions: bool) -> Node:
    x = strong(a)
    k = 0
    if axis is None:
        x = build.reshape(x, (build.size(x),))
    elif not x.ndim and positions:  # argsort alone takes it for a row of one
        x, k = build.reshape(x, (1,)), axis_index(axis, 1)
    else:
        k = axis_index(axis, x.ndim)
    result = build.sort(x, k, kind, positions)
    # Sorted along another axis, it would lie as it is sorted.
    return result if k == x.ndim - 1 else build.ordered(result, "C")


@implements(np.sort)
def sort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Tracer:
    """``np.sort``."""
    return Tracer(_sorted(a, axis, kind_of(kind, order, stable), False))


@implements(np.argsort)
def argsort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Tracer:
    """``np.argsort``."""
    return Tracer(_sorted(a, axis, kind_of(kind, order, stable), True))


@implements(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Tracer:
    """``np.median``: the middle element, or the mean of the middle two."""
    if overwrite_input:
        raise NotTraceable("np.median(overwrite_input=True) is not compiled", "leave it out")
    return value(_median(strong(a), axis, keepdims, numbers=False))


@implements(np.nanmedian)
def nanmedian(
    a: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: Any = np._NoValue,
) -> Tracer:
    """``np.nanmedian``: of what is not NaN; NaN where there is nothing else."""
    if overwrite_input:
        raise NotTraceable("np.nanmedian(overwrite_input=True) is not compiled", "leave it out")
    x = strong(a)
    return value(_median(x, axis, keepdims, numbers=x.dtype.kind in "fc"))


def _median(x: Node, axis: Any, keepdims: Any, numbers: bool) -> Node:
    axes = tuple(range(x.ndim))
    if given(axis):  # unlike the reductions, it gives a 0-d array no axis 0
        axes = tuple(sorted(axis_tuple(axis, x.ndim)))
    if not has_elements(x.shape[k] for k in axes):
        raise NotTraceable("the median of no elements is not compiled")
    dtype = x.dtype if x.dtype.kind in "fc" else FLOAT64
    if x.dtype.char in WIDER:
        x = build.cast(x, WIDER[x.dtype.char])
    kept = [k for k in range(x.ndim) if k not in axes]
    count = dims.product(x.shape[k] for k in axes)
    rows = build.transpose(x, [*kept, *axes])
    rows = build.reshape(rows, (*(x.shape[k] for k in kept), count))
    pairs = build.middle(rows, numbers)
    low, high = (last_of(pairs, k) for k in (0, 1))
    items = dim_node(count)
    if numbers:
        number = build.cast(call("logical_not", call("isnan", rows)), INT64)
        items = build.reduce("sum", number, (len(kept),))
    low, high = (build.cast(p, FLOAT64) if p.dtype.kind in "iu" else p for p in (low, high))
    odd = call("not_equal", call("remainder", items, 2), 0)
    one, two = (build.constant(k, INT64) for k in (1, 2))
    sums = build.where(odd, low, call("add", low, high))
    mean = divide(sums, build.where(odd, one, two))  # which infinite complex numbers do not survive
    result = build.where(call("isnan", high), high, mean)
    result = build.cast(result, dtype)
    return keep(result, axes) if keepdims is True else result


def last_of(x: Node, place: Dim) -> Node:
    """The element of each row at a place."""
    shape = x.shape[:-1]
    return build.view(x, shape, (*((0, 1, k) for k in range(len(shape))), (place, 0, None)))


__all__ = ["WIDER", "argsort", "kind_of", "last_of", "median", "nanmedian", "sort"]
