"""Means and variances, by the algorithms of ``numpy/_core/_methods.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays.common import (
    axis_index,
    call,
    check_output,
    dim_node,
    given,
    strong,
)
from tracejit.arrays.reductions import reduce
from tracejit.arrays.shaping import broadcast_to
from tracejit.ir import build, dims
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT32, FLOAT64, INT64
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, value


def total(x: Node, axis: Any, dtype: Any, keepdims: Any, where: Any) -> Node:
    """``np.sum`` of a node."""
    return reduce(np.add, Tracer(x), axis, dtype, keepdims, np._NoValue, where).node


def divide(x: Node, count: Any) -> Node:
    """``x / count`` in the dtype that NumPy divides in, cast back to that of `x`."""
    return build.cast(call("divide", x, count), x.dtype)


def _count(x: Node, axis: Any, keepdims: Any, where: Any) -> Node:
    """How many elements each result is made of."""
    if where is True:
        axes: Any = range(x.ndim)
        if axis is not None:
            axes = [axis_index(k, x.ndim) for k in (axis if isinstance(axis, tuple) else (axis,))]
        return dim_node(dims.product(x.shape[k] for k in axes))
    mask = broadcast_to(where, Tracer(x).shape).node
    return total(mask, axis, INT64, keepdims, True)


def _mask(where: Any) -> Any:
    return where if given(where) else True


@implements(np.mean)
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    *,
    where: Any = True,
) -> Tracer:
    """``np.mean``: integers in float64, float16 through float32."""
    x, where = strong(a), _mask(where)
    count = _count(x, axis, keepdims, where)
    half = False
    if dtype is None:
        half = x.dtype == np.float16
        dtype = FLOAT64 if x.dtype.kind in "biu" else FLOAT32 if half else None
    result = divide(total(x, axis, dtype, keepdims, where), count)
    return value(build.cast(result, x.dtype) if half else result)


def _ddof(ddof: Any, correction: Any) -> Any:
    if correction is np._NoValue:
        return ddof
    if ddof != 0:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    return correction


def squared(x: Node) -> Node:
    """The squared modulus, as NumPy's variance computes it."""
    if x.dtype.kind == "c":
        return call("add", call("square", build.real(x)), call("square", build.imag(x)))
    return call("square", x)


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = np._NoValue,
    correction: Any = np._NoValue,
) -> Tracer:
    """``np.var``: the mean of squared deviations, in two passes."""
    x, where = strong(a), _mask(where)
    ddof = _ddof(ddof, correction)
    if dtype is None and x.dtype.kind in "biu":
        dtype = FLOAT64
    count = _count(x, axis, keepdims, where)
    if given(mean):
        centre = strong(mean)
    else:
        sums = total(x, axis, dtype, True, where)
        items = count if where is True else build.reshape(count, sums.shape)
        centre = divide(sums, items)
    result = total(squared(call("subtract", x, centre)), axis, dtype, keepdims, where)
    if not (isinstance(ddof, int) and ddof == 0):
        count = call("maximum", call("subtract", count, ddof), 0)
    return value(divide(result, count))


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = np._NoValue,
    correction: Any = np._NoValue,
) -> Tracer:
    """``np.std``: the square root of the variance."""
    node = var(
        a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction
    ).node
    return value(root(node))


def root(x: Node) -> Node:
    """The square root in the dtype of `x`; an array's must hold it."""
    result = call("sqrt", x)
    if x.ndim:
        check_output(np.sqrt, result.dtype, x.dtype)
    return build.cast(result, x.dtype)
