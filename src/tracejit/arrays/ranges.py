"""Ranges of numbers: arange and linspace."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tracejit.arrays.common import (
    at_least,
    axis_index,
    call,
    coerce,
    common_dtype,
    dim_node,
    dtype_argument,
    length,
    refuse_others,
    select,
    span,
    strong,
)
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.types import INT64
from tracejit.trace.tables import creates, implements
from tracejit.trace.tracer import Tracer, operand, supported, value, wrap


@creates(np.arange)
def arange(*args: Any, **keywords: Any) -> Tracer:
    """``np.arange``; traced floats among its arguments are asked for under a guard."""
    refuse_others(keywords)
    start, stop, step, dtype = _range_arguments(args, keywords)
    nodes = [wrap(a).node for a in (start, stop, step)]
    whole = all(n.dtype.kind in "biu" for n in nodes)
    if dtype is None:
        # NumPy widens each argument to int64 at least.
        target = supported(np.result_type(INT64, *[n.dtype for n in nodes]))
        whole = whole and target == INT64
    else:
        target = dtype_argument(dtype)
    if whole:
        low, high, by = length(start), length(stop), length(step)
        count = _int_range(low, high, by)
        if target.kind in "iu":
            return Tracer(build.cast(span(count, low, by), target))
        first = dim_node(low)
        second = dim_node(dims.add(low, by))
    else:
        a, b, c = (python_number(x) for x in (start, stop, step))
        if c == 0:
            raise ZeroDivisionError("division by zero")
        count = max(0, math.ceil((b - a) / c))
        first, second = coerce(a, target), coerce(a + c, target)
    first, second = build.cast(first, target), build.cast(second, target)
    if target.kind == "b":
        raise NotTraceable("np.arange of bools is not compiled")
    delta = build.cast(call("subtract", second, first), target)
    ramp = build.cast(build.iota(count), target)
    return Tracer(call("add", first, call("multiply", ramp, delta)))


def _range_arguments(args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    """Start, stop, step and dtype."""
    places = ("start", "stop", "step", "dtype")
    named = dict(zip(places, args, strict=False))
    if len(args) > len(places) or not keywords.keys().isdisjoint(named):
        raise TypeError("arange() got an argument too many, or twice")
    named |= keywords
    start, stop, step, dtype = (named.pop(name, None) for name in places)
    if named:
        raise TypeError(f"arange() got an unexpected keyword argument {next(iter(named))!r}")
    if stop is None:
        if start is None or not args:
            raise TypeError("arange() requires stop to be specified.")
        start, stop = None, start
    return 0 if start is None else start, stop, 1 if step is None else step, dtype


def _int_range(low: Dim, high: Dim, step: Dim) -> Dim:
    """The length of ``range(low, high, step)``."""
    by = step if isinstance(step, int) else int(build.solver().concrete(step))
    if by == 0:
        raise ZeroDivisionError("division by zero")
    distance = dims.sub(high, low) if by > 0 else dims.sub(low, high)
    if not at_least(distance, 0):
        return 0
    size = abs(by)
    return distance if size == 1 else dims.floordiv(dims.add(distance, size - 1), size)


def python_number(x: Any) -> Any:
    """A number of Python's, for the arguments at hand."""
    if isinstance(x, Tracer):
        return x.concrete()
    return x.item() if isinstance(x, np.generic) else x


@creates(np.linspace)
@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: Any = 0,
    **other: Any,
) -> Any:
    """``np.linspace``, by NumPy's own formula."""
    refuse_others(other)
    if other:
        raise TypeError(f"linspace() got an unexpected keyword argument {next(iter(other))!r}")
    count = length(num)
    if not at_least(count, 0):
        known = build.solver().value(count)
        raise ValueError(f"Number of samples, {known}, must be non-negative.")
    div = dims.sub(count, 1) if endpoint else count
    ends = [operand(start), operand(stop)]
    computed = common_dtype(*ends)
    computed = common_dtype(*ends, 1.0) if computed.kind not in "fc" else computed
    target = computed if dtype is None else dtype_argument(dtype)
    first, final = strong(start), strong(stop)
    delta = call("subtract", build.cast(final, computed), build.cast(first, computed))
    place = build.iota(count)
    ramp = build.cast(place, computed)
    ramp = build.expand_dims(ramp, range(1, 1 + delta.ndim))
    if at_least(div, 1):
        step = build.cast(call("divide", delta, dim_node(div)), computed)
        flat = call("equal", step, build.constant(0, computed))
        any_flat = build.reduce("any", flat, tuple(range(flat.ndim)))
        fraction = build.cast(call("divide", ramp, dim_node(div)), computed)
        by_delta = call("multiply", fraction, delta)
        y = select(any_flat, by_delta, call("multiply", ramp, step))
    else:
        step = None
        y = call("multiply", ramp, delta)
    y = build.cast(call("add", y, first), computed)
    final = build.cast(final, computed)
    if endpoint and at_least(count, 2):
        last = call("equal", place, dim_node(dims.sub(count, 1)))
        last = build.expand_dims(last, range(1, y.ndim))
        y = select(last, build.broadcast_to(final, y.shape), y)
    if y.ndim > 1:
        order = list(range(1, y.ndim))
        order.insert(axis_index(axis, y.ndim), 0)
        y = build.transpose(y, order)
    if target.kind in "iu":
        y = call("floor", y)
    result = Tracer(build.cast(y, target))
    if not retstep:
        return result
    return result, np.nan if step is None else value(step)
