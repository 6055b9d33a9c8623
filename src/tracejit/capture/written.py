"""Functions of NumPy's as Python code that a trace can follow: copies of them are traced.

NumPy writes them by generators, by objects, or by branches that choose another array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

#: NumPy, whose functions take traced values.
_np: Any = np
_average = np.average._implementation  # type: ignore[attr-defined]
_histogramdd = np.histogramdd._implementation  # type: ignore[attr-defined]


def apply_along_axis(func1d: Any, axis: Any, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """``np.apply_along_axis``: a loop over the other axes."""
    arr = _np.asanyarray(arr)
    nd = arr.ndim
    axis = normalize_axis_index(axis, nd)
    rows = _np.moveaxis(arr, axis, -1)
    outer = rows.shape[:-1]
    for length in outer:
        if length == 0:
            raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    first = _np.asanyarray(func1d(rows[(0,) * (nd - 1)], *args, **kwargs))
    buff = _np.zeros(outer + first.shape, first.dtype)
    if nd == 1:
        buff[...] = first
    else:
        for index in _np.ndindex(outer):
            buff[index] = _np.asanyarray(func1d(rows[index], *args, **kwargs))
    depth = first.ndim
    order = [*range(axis), *range(nd - 1, nd - 1 + depth), *range(axis, nd - 1)]
    return _np.transpose(buff, order)


def vectorized(function: Any, otypes: Any, arrays: Any, fill: Any) -> Any:
    """What ``np.vectorize`` calls for each element: Python's numbers."""
    arrays = _np.broadcast_arrays(*arrays)
    shape = arrays[0].shape
    rows = [a.reshape(-1) for a in arrays]
    count = rows[0].shape[0]
    if otypes is None and count == 0:
        raise ValueError("cannot call `vectorize` on size 0 inputs unless `otypes` is set")
    if otypes is None:
        first = function(*fill([row[0] for row in rows]))
        several = isinstance(first, tuple)
        outputs = first if several else (first,)
        otypes = [_np.asarray(value).dtype for value in outputs]
    else:
        several = len(otypes) > 1
    results = [_np.empty(count, otype) for otype in otypes]
    for k in range(count):
        found = function(*fill([row[k] for row in rows]))
        if several:
            for n in range(len(otypes)):
                results[n][k] = found[n]
        else:
            results[0][k] = found
    shaped = tuple(r.reshape(shape) for r in results)
    return shaped if several else shaped[0]


def polymul(a1: Any, a2: Any) -> Any:
    """``np.polymul``: without the zeros that it begins with."""
    first, second = _np.atleast_1d(a1), _np.atleast_1d(a2)
    if not (_np.isfinite(first).all() and _np.isfinite(second).all()):
        raise ValueError("coefficients that are not finite")
    return _np.convolve(first, second)[_zeros(first) + _zeros(second) :]


def _zeros(p: Any) -> Any:
    """How many zeros a polynomial begins with; one coefficient stays."""
    some = p != 0
    return _np.where(some.any(), _np.argmax(some), p.shape[0] - 1)[()]


def average(
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: Any = np._NoValue,
) -> Any:
    """``np.average``: a mean where there are no weights."""
    options = {} if keepdims is _np._NoValue else {"keepdims": keepdims}
    if weights is not None:
        return _average(a, axis, weights, returned, **options)
    a = _np.asanyarray(a)
    mean = _np.mean(a, axis, **options)
    each = _np.asanyarray(mean)
    number = a.size / each.size
    return (mean, _np.full(each.shape, number, each.dtype)[()]) if returned else mean


def histogramdd(sample: Any, *args: Any, **kwargs: Any) -> Any:
    """``np.histogramdd``, each of whose columns is a value of its own."""
    columns = getattr(sample, "ndim", 0) == 2 and sample.shape[1] > 0
    return _histogramdd([*_np.transpose(sample)] if columns else sample, *args, **kwargs)


def roots(p: Any) -> Any:
    """``np.roots`` of a polynomial that neither begins nor ends with a zero."""
    p = _np.atleast_1d(p)
    if p.ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    if len(p) and not (p[0] != 0) & (p[-1] != 0):
        raise ValueError("zeros at the ends: how many roots are left depends on values")
    if len(p) < 2:
        return _np.array([])
    if p.dtype.kind not in "fc":
        p = p.astype(float)
    companion = _np.diag(_np.ones((len(p) - 2,), p.dtype), -1)
    companion[0, :] = -p[1:] / p[0]
    return _np.linalg.eigvals(companion)


def polydiv(u: Any, v: Any) -> Any:
    """``np.polydiv``."""
    u = _np.atleast_1d(u) + 0.0
    v = _np.atleast_1d(v) + 0.0
    w = u[0] + v[0]
    m = len(u) - 1
    n = len(v) - 1
    scale = 1.0 / v[0]
    q = _np.zeros((max(m - n + 1, 1),), w.dtype)
    r = u.astype(w.dtype)
    for k in range(0, m - n + 1):
        d = scale * r[k]
        q[k] = d
        r[k : k + n + 1] -= d * v
    close = _np.isclose(r, 0, rtol=1e-14)
    lead = _np.where(close.all(), r.shape[0] - 1, _np.argmin(close))[()]
    return q, r[lead:]


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """``np.gradient``: where distances are all the same is found by their values."""
    f = _np.asanyarray(f)
    count = f.ndim
    axes = tuple(range(count)) if axis is None else normalize_axis_tuple(axis, count)
    n = len(varargs)
    if n == 0:
        dx: list[Any] = [1.0] * len(axes)
    elif n == 1 and _np.ndim(varargs[0]) == 0:
        dx = [varargs[0]] * len(axes)
    elif n == len(axes):
        dx = []
        for k in range(n):
            distances = _np.asanyarray(varargs[k])
            if distances.ndim > 1:
                raise ValueError("distances must be either scalars or 1d")
            if distances.ndim == 1:
                if len(distances) != f.shape[axes[k]]:
                    raise ValueError(
                        "when 1d, distances must match the length of the corresponding dimension"
                    )
                if distances.dtype.kind in "iu":
                    distances = distances.astype(_np.float64)
                dx.append(_np.diff(distances))
            else:
                dx.append(varargs[k])
    else:
        raise TypeError("invalid number of arguments")
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    dtype = f.dtype
    if dtype.kind not in "fc":
        dtype = _np.dtype(_np.float64)
        if f.dtype.kind in "iu":
            f = f.astype(_np.float64)
    results = []
    for k in range(len(axes)):
        if f.shape[axes[k]] < edge_order + 1:
            raise ValueError(
                "Shape of array too small to calculate a numerical gradient, at least "
                "(edge_order + 1) elements are required."
            )
        if _np.ndim(dx[k]) == 0:
            results.append(_slopes(f, dtype, axes[k], dx[k], edge_order))
        else:
            even = _slopes(f, dtype, axes[k], dx[k][0], edge_order)
            other = _slopes(f, dtype, axes[k], dx[k], edge_order)
            results.append(_np.where((dx[k] == dx[k][0]).all(), even, other))
    return results[0] if len(axes) == 1 else tuple(results)


def _slopes(f: Any, dtype: Any, axis: int, dx: Any, edge_order: int) -> Any:
    """NumPy's differences along one axis, for one distance or for one each."""
    out = _np.empty_like(f, dtype=dtype)
    uniform = _np.ndim(dx) == 0
    y = _np.moveaxis(f, axis, -1)
    result = _np.moveaxis(out, axis, -1)
    if uniform:
        result[..., 1:-1] = (y[..., 2:] - y[..., :-2]) / (2.0 * dx)
    else:
        dx1 = dx[0:-1]
        dx2 = dx[1:]
        a = -(dx2) / (dx1 * (dx1 + dx2))
        b = (dx2 - dx1) / (dx1 * dx2)
        c = dx1 / (dx2 * (dx1 + dx2))
        result[..., 1:-1] = a * y[..., :-2] + b * y[..., 1:-1] + c * y[..., 2:]
    if edge_order == 1:
        result[..., 0] = (y[..., 1] - y[..., 0]) / (dx if uniform else dx[0])
        result[..., -1] = (y[..., -1] - y[..., -2]) / (dx if uniform else dx[-1])
        return out
    if uniform:
        a, b, c = -1.5 / dx, 2.0 / dx, -0.5 / dx
    else:
        dx1, dx2 = dx[0], dx[1]
        a = -(2.0 * dx1 + dx2) / (dx1 * (dx1 + dx2))
        b = (dx1 + dx2) / (dx1 * dx2)
        c = -dx1 / (dx2 * (dx1 + dx2))
    result[..., 0] = a * y[..., 0] + b * y[..., 1] + c * y[..., 2]
    if uniform:
        a, b, c = 0.5 / dx, -2.0 / dx, 1.5 / dx
    else:
        dx1, dx2 = dx[-2], dx[-1]
        a = (dx2) / (dx1 * (dx1 + dx2))
        b = -(dx2 + dx1) / (dx1 * dx2)
        c = (2.0 * dx2 + dx1) / (dx2 * (dx1 + dx2))
    result[..., -1] = a * y[..., -3] + b * y[..., -2] + c * y[..., -1]
    return out


def at_each(ufunc: Any, a: Any, indices: Any) -> None:
    """``ufunc.at`` of one operand: once for each time that a place comes."""
    places = _np.arange(a.size).reshape(a.shape)[indices].reshape(-1)
    where = _np.unravel_index(places, a.shape)
    for k in range(places.shape[0]):
        at = tuple(w[k] for w in where)
        a[at] = ufunc(a[at])
