"""What ``scipy.signal`` does in C, as Python code that a trace can follow: copies of it are traced.

Filters go from one element of a line to the next, for all other lines at once. Their states are
numbers, or arrays, of their own, so that a loop has them in registers.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from tracejit.arrays.applied import applied
from tracejit.arrays.common import at_least, axis_index, call, is_empty
from tracejit.arrays.libraries import IN_C
from tracejit.arrays.ndimage import CONSTANT, REFLECT, WRAP, Edge
from tracejit.capture.namespace import replacement
from tracejit.capture.numpys import copy_of
from tracejit.capture.otherwise import replaces
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.node import Node
from tracejit.ir.scalars import held
from tracejit.trace.tracer import Tracer, as_array

#: NumPy, whose functions take traced values.
_np: Any = replacement(np)
#: Products that are written out in a sum.
MOST_PRODUCTS = 200


def linear_filter(b: Any, a: Any, x: Any, axis: int, zi: Any, order: int) -> Any:
    """A filter of coefficients of one length, the transposed direct form of the second kind."""
    first = a[0]
    b, a = b / first, a / first
    lines = _np.moveaxis(x, axis, 0)
    out = _np.zeros(lines.shape, x.dtype)
    states = [zi[k] + _np.zeros(lines.shape[1:], x.dtype) for k in range(order)]
    for n in range(lines.shape[0]):
        value = lines[n]
        result = states[0] + b[0] * value
        for k in range(order - 1):
            states[k] = states[k + 1] + value * b[k + 1] - result * a[k + 1]
        states[order - 1] = value * b[order] - result * a[order]
        out[n] = result
    return _np.moveaxis(out, 0, axis), states


def sections_filter(sos: Any, x: Any, axis: int, zi: Any, count: int) -> Any:
    """Sections of the second order, one after the other."""
    lines = _np.moveaxis(x, axis, 0)
    out = _np.zeros(lines.shape, x.dtype)
    zero = _np.zeros(lines.shape[1:], x.dtype)
    first = [zi[s, 0] + zero for s in range(count)]
    second = [zi[s, 1] + zero for s in range(count)]
    for n in range(lines.shape[0]):
        value = lines[n]
        for s in range(count):
            result = sos[s, 0] * value + first[s]
            first[s] = sos[s, 1] * value - sos[s, 4] * result + second[s]
            second[s] = sos[s, 2] * value - sos[s, 5] * result
            value = result
        out[n] = value
    return _np.moveaxis(out, 0, axis), first, second


def _linear_filter(b: Any, a: Any, x: Any, axis: Any = -1, zi: Any = None) -> Any:
    b, a, x = (as_array(v) for v in (b, a, x))
    given = (b, a, x) if zi is None else (b, a, x, as_array(zi))
    dtype = np.result_type(*(v.node.dtype for v in given))
    if dtype.char not in "fdFD" or x.node.ndim == 0:
        raise NotTraceable(f"filters of {dtype.name} are not compiled", "use float64")
    lengths = [int(_length(v.node.shape[0])) for v in (b, a)]
    size = max(lengths)
    b, a = (
        _np.concatenate([v.astype(dtype), _np.zeros(size - n, dtype)])
        for v, n in zip((b, a), lengths, strict=True)
    )
    _require(_np.not_equal(a[0], 0))
    x, axis = x.astype(dtype), int(axis) % x.node.ndim
    rest = tuple(d for k, d in enumerate(x.shape) if k != axis)
    if zi is None:
        start = _np.zeros((size - 1, *rest), dtype)
    else:
        start = _np.moveaxis(as_array(zi).astype(dtype), axis, 0)
        if start.ndim != x.ndim or not all(map(_same, start.shape, (size - 1, *rest))):
            raise NotTraceable("states of a filter that are broadcast are not compiled")
    out, states = copy_of(linear_filter)(b, a, x, axis, start, size - 1)
    if zi is None:
        return out
    return out, _np.moveaxis(_np.stack(states), 0, axis)


def _correlate_nd(x: Any, y: Any, out: Any, mode: Any) -> Any:
    """Sums of products over windows, of which the last axes of `x` are zeros but for mode 0."""
    x, y = as_array(x), _np.conjugate(as_array(y))
    shape = [_length(d) for d in y.node.shape]
    before, after = [0] * len(shape), [0] * len(shape)
    if mode == 2:
        before = [k - 1 for k in shape]
    elif mode == 1:
        x = x[tuple(slice(d) for d in out.shape)]
        before = [k // 2 for k in shape]
        after = [k - 1 - k // 2 for k in shape]
    return Tracer(_products(x.node, y.node, shape, before, after, 0, 0))


def _convolve_2d(x: Any, y: Any, flip: Any, mode: Any, boundary: Any, fill: Any) -> Any:
    x, y = as_array(x), as_array(y)
    dtype = np.result_type(x.node.dtype, y.node.dtype)
    shape = [_length(d) for d in y.node.shape]
    lower = [
        (k // 2 if flip else (k - 1) // 2) if mode == 1 else (k - 1) * mode // 2 for k in shape
    ]
    upper = [k - 1 - n if mode == 1 else n for k, n in zip(shape, lower, strict=True)]
    y = y[::-1, ::-1] if flip else y
    x, y = (v.astype(dtype).node for v in (x, y))
    return Tracer(_products(x, y, shape, lower, upper, boundary, fill))


def _products(
    x: Node, y: Node, shape: list[int], before: list[int], after: list[int], boundary: int,
    fill: Any,
) -> Node:  # fmt: skip
    """Sums of products over windows of an array with its borders: zeros, a mirror, a circle."""
    dtype = build.result_type(x, y)
    if math.prod(shape) > MOST_PRODUCTS or dtype.char == "e" or is_empty(x.shape):
        raise NotTraceable(f"sums of {math.prod(shape)} products are not compiled", "method='fft'")
    edge = Edge({0: CONSTANT, 4: REFLECT, 8: WRAP}[boundary],
                build.cast(as_array(fill).node, x.dtype))  # fmt: skip
    for axis in range(x.ndim):
        wide = max(before[axis], after[axis])
        if boundary and not at_least(x.shape[axis], wide + 1):
            raise NotTraceable("a window that is wider than the array is not compiled")
        x = edge.around(x, axis, before[axis], after[axis])
    count = [dims.sub(n, k - 1) for n, k in zip(x.shape, shape, strict=True)]
    if not all(at_least(d, 1) for d in count):
        raise NotTraceable("no windows are in the array")
    total = None
    for k in np.ndindex(*shape):
        part = build.view(x, tuple(count), tuple((i, 1, a) for a, i in enumerate(k)))
        term = call("multiply", part, build.view(y, (), tuple((i, 0, None) for i in k)))
        total = term if total is None else call("add", total, term)
    assert total is not None
    return build.cast(total, dtype)


def _same(a: Any, b: Any) -> bool:
    return bool(a == b)


def _length(d: Any) -> int:
    found = build.solver().value(d)
    if found is None or not build.solver().equal(d, found):
        raise NotTraceable("coefficients whose number values tell are not compiled")
    return found


def _require(holds: Any) -> None:
    node = held(as_array(holds).node)
    build.solver().require(node, node, node)


IN_C["scipy.signal._sigtools"] = {
    "_linear_filter": _linear_filter,
    "_correlateND": _correlate_nd,
    "_convolve2d": _convolve_2d,
}


# Helpers of SciPy's that ask for values -----------------------------------------------------------


@replaces("scipy.signal")
def sosfilt(sos: Any, x: Any, axis: Any = -1, zi: Any = None) -> Any:
    """``scipy.signal.sosfilt``, which raises of sections whose fourth numbers are not one."""
    s, v = as_array(sos), as_array(x)
    given = [s, v] if zi is None else [s, v, as_array(zi)]
    dtype = np.result_type(*(a.node.dtype for a in given))
    if s.node.ndim != 2 or _length(s.node.shape[1]) != 6 or v.node.ndim == 0:
        raise NotTraceable("sections of other shapes are not compiled")
    if dtype.char not in "fdFD":
        raise NotTraceable(f"filters of {dtype.name} are not compiled", "use float64")
    _require(_np.all(s[:, 3] == 1))
    axis, count = axis_index(axis, v.node.ndim), _length(s.node.shape[0])
    s, v = s.astype(dtype), v.astype(dtype)
    if zi is None:
        start = _np.zeros((count, 2, *(1,) * (v.ndim - 1)), dtype)
    else:
        expected = [count, *v.shape]
        expected[axis + 1] = 2
        if given[2].ndim != v.ndim + 1 or not all(map(_same, given[2].shape, expected)):
            raise ValueError("Invalid zi shape.")
        start = _np.moveaxis(given[2].astype(dtype), axis + 1, 1)
    out, first, second = copy_of(sections_filter)(s, v, axis, start, count)
    if zi is None:
        return out
    states = _np.stack([_np.stack([a, b]) for a, b in zip(first, second, strict=True)])
    return out, _np.moveaxis(states, 1, axis + 1)


@replaces("scipy.signal")
def lfiltic(b: Any, a: Any, y: Any, x: Any = None) -> Any:
    """``scipy.signal.lfiltic``: states that give what was given before."""
    given = [as_array(v) for v in (b, a, y, 0 if x is None else x)]
    dtype = np.result_type(*(v.node.dtype for v in given[: 3 if x is None else 4]))
    dtype = np.dtype(float) if dtype.kind in "biu" else dtype
    if any(v.node.ndim != 1 for v in given[:3]):
        raise NotTraceable("coefficients of other than one axis are not compiled")
    b, a, past = (v.astype(dtype) for v in given[:3])
    m, n = (_length(v.node.shape[0]) for v in (b, a))
    before = given[3].astype(dtype) if x is not None else _np.zeros(m, dtype)
    before, past = (
        _np.concatenate([v, _np.zeros(max(k - _length(v.node.shape[0]), 0), dtype)])
        for v, k in ((as_array(before), m), (past, n))
    )
    states = []
    for k in range(max(m, n) - 1):
        state = _np.zeros((), dtype)
        if k < m - 1:
            state = state + _np.sum(b[k + 1 :] * before[: m - 1 - k])
        if k < n - 1:
            state = state - _np.sum(a[k + 1 :] * past[: n - 1 - k])
        states.append(state)
    _require(_np.not_equal(a[0], 0))
    return _np.stack(states) / a[0] if states else _np.zeros(0, dtype)


@replaces("scipy.signal")
def _centered(arr: Any, newshape: Any) -> Any:
    """The middle of an array."""
    starts = [(n - new) // 2 for n, new in zip(arr.shape, newshape, strict=True)]
    return arr[tuple(slice(k, k + new) for k, new in zip(starts, newshape, strict=True))]


@replaces("scipy.signal")
def choose_conv_method(in1: Any, in2: Any, mode: Any = "full", measure: Any = False) -> Any:
    """The faster way by the formula; of integers the one that is exact."""
    x, y = as_array(in1), as_array(in2)
    if measure:
        raise NotTraceable("which method is faster is not measured in compiled functions")
    if x.node.dtype.kind in "biu" or y.node.dtype.kind in "biu":
        return "direct"
    return "fft" if copy_of(_signal()._signaltools._fftconv_faster)(x, y, mode) else "direct"


def _signal() -> Any:
    return sys.modules["scipy.signal"]


@replaces("scipy.signal")
def savgol_coeffs(*args: Any, **kwargs: Any) -> Any:
    """Coefficients of constants."""
    kwargs = {k: v for k, v in kwargs.items() if k not in ("xp", "device")}
    return applied(_signal().savgol_coeffs, *args, **kwargs)


@replaces("scipy.signal")
def _fit_edge(
    x: Any, window_start: Any, window_stop: Any, interp_start: Any, interp_stop: Any, axis: Any,
    polyorder: Any, deriv: Any, delta: Any, y: Any,
) -> Any:  # fmt: skip
    """`y`, whose values from one place to another are those of a polynomial through a window."""
    width, first, count = (
        int(n) for n in (window_stop - window_start, interp_start - window_start,
                         interp_stop - interp_start)
    )  # fmt: skip
    powers = np.arange(polyorder + 1)
    solved = np.linalg.pinv(np.arange(width)[:, None] ** powers.astype(float))
    slopes = np.array([math.perm(k, deriv) if k >= deriv else 0 for k in powers])
    places = np.arange(first, first + count)[:, None]
    at = slopes * places ** np.maximum(powers - deriv, 0.0) / delta**deriv
    weights = applied(np.matmul, at, solved).astype(x.dtype)
    window = _np.moveaxis(x, axis, 0)[window_start:window_stop]
    values = _np.tensordot(weights, window, 1)
    _np.moveaxis(y, axis, 0)[interp_start:interp_stop] = values
    return y


@replaces("scipy.signal")
def detrend(
    data: Any, axis: Any = -1, type: Any = "linear", bp: Any = 0, overwrite_data: Any = False
) -> Any:
    """``scipy.signal.detrend`` without breaks."""
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    x = as_array(data)
    if type in ("constant", "c"):
        return x - _np.mean(x, axis, keepdims=True)
    if isinstance(bp, Tracer) or np.any(bp) or overwrite_data:
        raise NotTraceable("trends with breaks, or in place, are not compiled")
    lines = _np.moveaxis(x if x.node.dtype.char in "dfDF" else x.astype(float), axis, -1)
    n = lines.shape[-1]
    if n < 2:
        raise NotTraceable("a trend of fewer than two elements is not compiled")
    real = np.dtype(lines.node.dtype.char.lower())
    t = (_np.arange(n) - (n - 1) / 2).astype(real)
    middle = _np.mean(lines, -1, keepdims=True)
    slope = _np.sum((lines - middle) * t, -1, keepdims=True) / _np.sum(t * t)
    return _np.moveaxis(lines - (middle + slope * t), -1, axis)


@replaces("scipy.signal")
def convolve(in1: Any, in2: Any, mode: Any = "full", method: Any = "auto") -> Any:
    """``scipy.signal.convolve``, which warns of what is not finite."""
    signal = _signal()
    x, y = as_array(in1), as_array(in2)
    if x.node.ndim != y.node.ndim or not x.node.ndim or method not in ("auto", "fft"):
        return copy_of(signal.convolve)(x, y, mode, method)
    if method == "auto":
        method = choose_conv_method(x, y, mode)
        if method == "direct":
            return copy_of(signal.convolve)(x, y, mode, method)
    out = copy_of(signal.fftconvolve)(x, y, mode)
    dtype = np.result_type(x.node.dtype, y.node.dtype)
    out = _np.round(out) if dtype.kind in "iu" else out
    _require(_np.isfinite(out.reshape(-1)[0]))
    return out.astype(dtype)


@replaces("scipy.fft", "next_fast_len")
def _next_fast_len(target: Any, real: Any = False) -> int:
    """A length that transforms take less time for, of which there is a program each."""
    length = int(target.concrete() if isinstance(target, Tracer) else target)
    return int(sys.modules["scipy.fft"].next_fast_len(length, bool(real)))
