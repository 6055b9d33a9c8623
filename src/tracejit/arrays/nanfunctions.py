"""Reductions that skip NaN, by the algorithms of ``numpy/lib/_nanfunctions_impl.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays import reductions, statistics
from tracejit.arrays.common import call, given, keep, reduced_axes, select, strong
from tracejit.arrays.reductions import reduce
from tracejit.errors import DTypeError
from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, INT64
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, value


def _replaced(x: Node, fill: float) -> tuple[Node, Node | None]:
    """`x` with NaN replaced, and where they were; no mask for integers."""
    if x.dtype.kind not in "fc":
        return x, None
    mask = call("isnan", x)
    filled = build.constant(x.dtype.type(fill), x.dtype)
    return select(mask, build.broadcast_to(filled, x.shape), x), mask


def _flag(x: Any) -> Any:
    return x if given(x) else False


@implements(np.nanmin)
def nanmin(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = np._NoValue,
    where: Any = np._NoValue,
) -> Tracer:
    """``np.nanmin``: NaN where all are."""
    return reduce(np.fmin, a, axis, None, _flag(keepdims), initial, where)


@implements(np.nanmax)
def nanmax(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = np._NoValue,
    where: Any = np._NoValue,
) -> Tracer:
    """``np.nanmax``: NaN where all are."""
    return reduce(np.fmax, a, axis, None, _flag(keepdims), initial, where)


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = np._NoValue,
    where: Any = np._NoValue,
) -> Tracer:
    """``np.nansum``."""
    x, _ = _replaced(strong(a), 0)
    return reduce(np.add, Tracer(x), axis, dtype, _flag(keepdims), initial, where)


@implements(np.nanprod)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = np._NoValue,
    where: Any = np._NoValue,
) -> Tracer:
    """``np.nanprod``."""
    x, _ = _replaced(strong(a), 1)
    return reduce(np.multiply, Tracer(x), axis, dtype, _flag(keepdims), initial, where)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Tracer:
    """``np.nancumsum``."""
    x, _ = _replaced(strong(a), 0)
    return reductions.cumsum(Tracer(x), axis, dtype, out)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Tracer:
    """``np.nancumprod``."""
    x, _ = _replaced(strong(a), 1)
    return reductions.cumprod(Tracer(x), axis, dtype, out)


def _position(function: Any, a: Any, axis: Any, fill: float, keepdims: Any) -> Tracer:
    x, mask = _replaced(strong(a), fill)
    result = function(Tracer(x), axis, keepdims=_flag(keepdims))
    if mask is None:
        return result
    axes = reduced_axes(axis, x.ndim)
    missing = build.reduce("all", mask, axes)
    if _flag(keepdims):
        missing = keep(missing, axes)
    # A slice of NaN alone is an error. A negative integer power is the one that a program can
    # raise; the call is then done again by NumPy, whose own message the user sees.
    sign = select(missing, build.constant(-1, INT64), build.constant(1, INT64))
    return value(call("power", result.node, sign))


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Tracer:
    """``np.nanargmin``."""
    return _position(reductions.argmin, a, axis, np.inf, keepdims)


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Tracer:
    """``np.nanargmax``."""
    return _position(reductions.argmax, a, axis, -np.inf, keepdims)


def _need_inexact(dtype: Any) -> None:
    if dtype is not None and np.dtype(dtype).kind not in "fc":
        raise DTypeError("If a is inexact, then dtype must be inexact")


def _present(mask: Node, axis: Any, keepdims: Any, where: Any) -> Node:
    """How many elements are not NaN."""
    return statistics.total(call("logical_not", mask), axis, INT64, keepdims, where)


@implements(np.nanmean)
def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    *,
    where: Any = np._NoValue,
) -> Tracer:
    """``np.nanmean``."""
    keepdims = _flag(keepdims)
    x, mask = _replaced(strong(a), 0)
    if mask is None:
        return statistics.mean(Tracer(x), axis, dtype, keepdims=keepdims, where=where)
    _need_inexact(dtype)
    count = _present(mask, axis, keepdims, where)
    return value(statistics.divide(statistics.total(x, axis, dtype, keepdims, where), count))


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = np._NoValue,
    mean: Any = np._NoValue,
    correction: Any = np._NoValue,
) -> Tracer:
    """``np.nanvar``: NaN where there are no more than `ddof` numbers."""
    keepdims = _flag(keepdims)
    x, mask = _replaced(strong(a), 0)
    if mask is None:
        return statistics.var(
            Tracer(x), axis, dtype, None, ddof, keepdims,
            where=where, mean=mean, correction=correction,
        )  # fmt: skip
    _need_inexact(dtype)
    ddof = statistics._ddof(ddof, correction)
    count = _present(mask, axis, True, where)
    if given(mean):
        centre = strong(mean)
    else:
        centre = statistics.divide(statistics.total(x, axis, dtype, True, where), count)
    deviation = build.cast(call("subtract", x, centre), x.dtype)
    zeros = build.constant(x.dtype.type(0), x.dtype)
    deviation = select(mask, build.broadcast_to(zeros, x.shape), deviation)
    if x.dtype.kind == "c":
        squares = build.real(call("multiply", deviation, call("conjugate", deviation)))
    else:
        squares = call("multiply", deviation, deviation)
    result = statistics.total(squares, axis, dtype, keepdims, where)
    if not keepdims:
        count = build.squeeze(count, reduced_axes(axis, x.ndim))
    freedom = call("subtract", count, ddof)
    result = statistics.divide(result, freedom)
    bad = build.cast(call("less_equal", freedom, 0), BOOL)
    return value(select(bad, build.constant(result.dtype.type(np.nan), result.dtype), result))


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = np._NoValue,
    mean: Any = np._NoValue,
    correction: Any = np._NoValue,
) -> Tracer:
    """``np.nanstd``."""
    node = nanvar(
        a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction
    ).node
    return value(statistics.root(node))
