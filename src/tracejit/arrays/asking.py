"""Answers that need no loop: from shapes and dtypes, and of which array has whose memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays.common import at_least, axis_tuple, length, listed
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.alias import Step
from tracejit.ir.node import Node
from tracejit.trace.tables import CREATORS, creates, implements
from tracejit.trace.tracer import Tracer, as_array, solver_value, view_of


@implements(np.min_scalar_type)
def min_scalar_type(a: Any, /) -> np.dtype[Any]:
    """``np.min_scalar_type``: that of an array with axes is its own."""
    x = as_array(a)
    if not x.node.shape:
        raise NotTraceable("the smallest type of a number depends on its value")
    return x.node.dtype


@implements(np.einsum_path)
def einsum_path(*operands: Any, **options: Any) -> Any:
    """``np.einsum_path``, for the lengths at hand."""

    def like(x: Any) -> Any:
        if not isinstance(x, Tracer):
            return x
        shape = tuple(map(solver_value, x.node.shape))
        return np.broadcast_to(np.zeros((), x.node.dtype), shape)

    return np.einsum_path(*map(like, operands), **options)


def _share(a: Any, b: Any) -> bool:
    """Whether two arrays are of one memory, if that is known."""
    x, y = as_array(a), as_array(b)
    if x is y or (x.memory is not None and x.memory is y.memory and x.path == y.path):
        return all(at_least(d, 1) for d in x.node.shape)
    one = x.memory is not None and x.memory is y.memory
    outside = [m is not None and bool(m.outside) for m in (x.memory, y.memory)]
    if one or all(outside):
        raise NotTraceable("whether arrays share memory depends on where they lie")
    return False


implements(np.shares_memory, np.may_share_memory)(lambda a, b, /, max_work=None: _share(a, b))


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any,
    window_shape: Any,
    axis: Any = None,
    *,
    subok: bool = False,
    writeable: bool = False,
) -> Tracer:
    """``np.lib.stride_tricks.sliding_window_view``: a read-only view."""
    if writeable:
        raise NotTraceable("a view of windows that is written into is not compiled")
    window = listed(window_shape)
    sizes = [length(d) for d in (window if isinstance(window, (tuple, list)) else (window,))]
    array = as_array(x)
    ndim = array.node.ndim
    axes = tuple(range(ndim)) if axis is None else _axes(axis, ndim)
    if not all(at_least(size, 0) for size in sizes):
        raise ValueError("`window_shape` cannot contain negative values")
    if len(axes) != len(sizes):
        raise ValueError("Must provide one window length for each axis")
    for k, size in zip(axes, sizes, strict=True):
        if not at_least(array.node.shape[k], size) or axes.count(k) > 1:
            raise ValueError("window shape cannot be larger than input array shape")

    def windows(n: Node) -> Node:
        counts = list(n.shape)
        for k, size in zip(axes, sizes, strict=True):
            counts[k] = dims.add(dims.sub(counts[k], size), 1)
        shape = (*counts, *sizes)
        picks: list[tuple[str, int]] = []
        places: list[Node] = []
        for k in range(ndim):
            if k not in axes:
                picks.append(("axis", k))
                continue
            j = ndim + axes.index(k)
            start, step = (build.view(build.iota(shape[a]), shape, ((0, 1, a),)) for a in (k, j))
            picks.append(("index", len(places)))
            places.append(build.elementwise("add", start, step))
        return build.gather(n, shape, tuple(picks), *places)

    def take(a: np.ndarray, *lengths: int) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(a, lengths, axes)

    return view_of(array, Step(windows, take, tuple(sizes), distinct=True), read_only=True)


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    entries = listed(axis)
    entries = entries if isinstance(entries, (tuple, list)) else (entries,)
    return tuple(axis_tuple(k, ndim)[0] for k in entries)


@creates(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> Any:
    """``np.require``: an array in an order of memory."""
    if not isinstance(a, Tracer):
        return np.require(a, dtype, requirements)
    words = [requirements] if isinstance(requirements, str) else list(requirements or ())
    known = {"C", "C_CONTIGUOUS", "CONTIGUOUS", "F", "F_CONTIGUOUS", "FORTRAN"}
    if any(str(word).upper() not in known for word in words):
        raise NotTraceable("np.require of more than an order is not compiled")
    orders = {"F" if str(word).upper().startswith("F") else "C" for word in words}
    if len(orders) > 1:
        raise ValueError('Cannot specify both "C" and "F" order')
    return CREATORS[np.asarray](a, dtype, orders.pop() if orders else None)
