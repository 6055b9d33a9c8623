"""What NumPy computes along a line by functions of C's: interpolation, correlation."""

from __future__ import annotations

import sys
from typing import Any

from tracejit.arrays.common import at_least, call, common_dtype, dim_node, same, strong
from tracejit.ir import build, dims, scalars, sequences
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import COMPLEX128, FLOAT64
from tracejit.trace.tables import creates
from tracejit.trace.tracer import Tracer, operand, supported, value

_base: Any = sys.modules["numpy.lib._function_base_impl"]
_multiarray: Any = sys.modules["numpy._core.multiarray"]


def _at(x: Node, places: Node, more: int = 0) -> Node:
    places = call("add", places, more) if more else places
    return build.gather(x, places.shape, (("index", 0),), places)


@creates(_base.compiled_interp, _base.compiled_interp_complex)
def _interpolated(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Tracer:
    """``np.interp`` of real numbers, or of complex ones part by part."""
    v, points, values = strong(x), strong(xp), strong(fp)
    if points.ndim != 1 or values.ndim != 1:
        raise ValueError("object too deep for desired array")
    count = points.shape[0]
    if same(count, 0):
        raise ValueError("array of sample points is empty")
    if not build.solver().equal(count, values.shape[0]):
        raise ValueError("fp and xp are not of the same length.")
    v, points = build.cast(v, FLOAT64), build.cast(points, FLOAT64)
    if values.dtype.kind != "c":
        ends = [None if e is None else build.cast(strong(e), FLOAT64) for e in (left, right)]
        return value(_part(v, points, build.cast(values, FLOAT64), ends, reciprocal=False))
    values = build.cast(values, COMPLEX128)
    given = [None if e is None else build.cast(strong(e), COMPLEX128) for e in (left, right)]
    parts = []
    for part in (build.real, build.imag):
        ends = [None if e is None else part(e) for e in given]
        parts.append(_part(v, points, part(values), ends, reciprocal=True))
    zero = build.constant(0.0, FLOAT64)
    parts[1] = build.where(call("isnan", v), zero, parts[1])
    return value(build.apply(scalars.COMPLEX, parts, COMPLEX128))


def _part(v: Node, xp: Node, fp: Node, ends: list[Node | None], reciprocal: bool) -> Node:
    count: Dim = xp.shape[0]
    first, last = (build.view(fp, (), ((k, 0, None),)) for k in (0, dims.sub(count, 1)))
    left, right = (e if e is not None else f for e, f in zip(ends, (first, last), strict=True))
    low, high = (build.view(xp, (), ((k, 0, None),)) for k in (0, dims.sub(count, 1)))
    below, above = call("less", v, low), call("greater", v, high)
    if not at_least(count, 2):
        inner = build.broadcast_to(first, v.shape)
        return build.where(below, left, build.where(above, right, inner))
    found = call("subtract", sequences.search(xp, v, "right"), 1)
    j = call("minimum", call("maximum", found, 0), dim_node(dims.sub(count, 2)))
    rises = [build.view(n, (dims.sub(count, 1),), ((1, 1, 0),)) for n in (fp, xp)]
    starts = [build.view(n, (dims.sub(count, 1),), ((0, 1, 0),)) for n in (fp, xp)]
    x0, x1, y0, y1 = _at(xp, j), _at(xp, j, 1), _at(fp, j), _at(fp, j, 1)
    if v.ndim and at_least(build.size(v), count):  # else it would take longer than the search
        rise, run = (call("subtract", b, a) for a, b in zip(starts, rises, strict=True))
        slope = _at(_quotient(rise, run, reciprocal), j)
    else:
        slope = _quotient(call("subtract", y1, y0), call("subtract", x1, x0), reciprocal)
    result = call("add", call("multiply", slope, call("subtract", v, x0)), y0)
    other = call("add", call("multiply", slope, call("subtract", v, x1)), y1)
    flat = call("logical_and", call("isnan", other), call("equal", y0, y1))
    result = build.where(call("isnan", result), build.where(flat, y0, other), result)
    result = build.where(call("equal", v, x0), y0, result)
    result = build.where(call("greater_equal", v, high), last, result)
    result = build.where(below, left, build.where(above, right, result))
    return build.where(call("isnan", v), v, result)


def _quotient(rise: Node, run: Node, reciprocal: bool) -> Node:
    if reciprocal:
        return call("multiply", rise, call("divide", 1.0, run))
    return call("divide", rise, run)


# Correlation --------------------------------------------------------------------------------------

_MODES = {"v": "valid", "s": "same", "f": "full", 0: "valid", 1: "same", 2: "full"}


def _correlated(a: Any, v: Any, mode: Any = "valid") -> tuple[Node, bool]:
    """The sums of products, and whether the two vectors had to be exchanged."""
    x, weights = strong(a), strong(v)
    named = mode if isinstance(mode, int) else str(mode)[:1].lower()
    found = _MODES.get(named)
    if found is None:
        raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")
    if x.ndim > 1 or weights.ndim > 1:
        raise ValueError("object too deep for desired array")
    x, weights = (n if n.ndim else build.expand_dims(n, (0,)) for n in (x, weights))
    dtype = supported(common_dtype(operand(Tracer(x)), operand(Tracer(weights))))
    x, weights = build.cast(x, dtype), build.cast(weights, dtype)
    for n, name in ((x, "first"), (weights, "second")):
        if same(n.shape[0], 0):
            raise ValueError(f"{name} array argument cannot be empty")
    exchanged = not at_least(x.shape[0], weights.shape[0])
    if exchanged:
        x, weights = weights, x
    long, short = x.shape[0], weights.shape[0]
    less = dims.sub(short, 1)
    if found == "valid":
        left: Dim = 0
        count: Dim = dims.sub(long, less)
    elif found == "same":
        left, count = dims.floordiv(short, 2), long
    else:
        left, count = less, dims.add(long, less)
    return sequences.correlate(x, weights, left, count), exchanged


@creates(_multiarray.correlate)
def correlate(a: Any, v: Any, mode: Any = 0) -> Tracer:
    """``multiarray.correlate``, which ``np.convolve`` is made of."""
    return Tracer(_correlated(a, v, mode)[0])


@creates(_multiarray.correlate2)
def correlate2(a: Any, v: Any, mode: Any = 0) -> Tracer:
    """``multiarray.correlate2``, which ``np.correlate`` is."""
    weights = strong(v)
    if weights.dtype.kind == "c":
        weights = call("conjugate", weights)
    result, exchanged = _correlated(a, Tracer(weights), mode)
    return Tracer(build.flip(result, (0,)) if exchanged else result)


__all__ = ["correlate", "correlate2"]
