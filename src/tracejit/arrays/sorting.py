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
    is_empty,
    refuse_out,
    strong,
)
from tracejit.arrays.reductions import keep
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT64
from tracejit.trace.tables import implements
from tracejit.trace.variable import Variable, value

#: As NumPy 2.4 does, a heapsort is what its default is: neither promises an order of equals.
KINDS = {
    "quicksort": "quicksort", "heapsort": "quicksort", "mergesort": "stable", "stable": "stable",
}  # fmt: skip


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
    return build.sort(x, k, kind, positions)


@implements(np.sort)
def sort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Variable:
    """``np.sort``."""
    return Variable(_sorted(a, axis, kind_of(kind, order, stable), False))


@implements(np.argsort)
def argsort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Variable:
    """``np.argsort``."""
    return Variable(_sorted(a, axis, kind_of(kind, order, stable), True))


@implements(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Variable:
    """``np.median``: the middle element, or the mean of the middle two."""
    refuse_out(out)
    x = strong(a)
    if overwrite_input:
        raise NotTraceable("np.median(overwrite_input=True) is not compiled", "leave it out")
    axes = tuple(range(x.ndim))
    if given(axis):  # unlike the reductions, it gives a 0-d array no axis 0
        axes = tuple(sorted(axis_tuple(axis, x.ndim)))
    if is_empty(x.shape[k] for k in axes):
        raise NotTraceable("the median of no elements is not compiled")
    if x.dtype.kind not in "fc":
        x = build.cast(x, FLOAT64)
    kept = [k for k in range(x.ndim) if k not in axes]
    count = dims.product(x.shape[k] for k in axes)
    rows = build.transpose(x, [*kept, *axes])
    rows = build.reshape(rows, (*(x.shape[k] for k in kept), count))
    ordered = build.sort(rows, len(kept))
    places = [call("floor_divide", dim_node(dims.add(count, k)), 2) for k in (-1, 0)]
    low, high = (_element(ordered, p) for p in places)
    last = _element(ordered, dim_node(dims.sub(count, 1)))
    # Of one element the mean is itself, however large.
    mean = build.where(call("equal", *places), low, call("divide", call("add", low, high), 2))
    result = build.where(call("isnan", last), last, build.cast(mean, x.dtype))
    return value(keep(result, axes) if keepdims is True else result)


def _element(x: Node, at: Node) -> Node:
    """The element of each row at a position."""
    shape = x.shape[:-1]
    picks = (*(("axis", k) for k in range(len(shape))), ("index", 0))
    return build.gather(x, shape, picks, at)


__all__ = ["argsort", "kind_of", "median", "sort"]
