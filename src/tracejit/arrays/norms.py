"""``np.linalg.norm``, by the cases of ``numpy/linalg/_linalg.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays.common import axis_tuple, call, keep
from tracejit.arrays.linalg import svdvals
from tracejit.arrays.reductions import reduce
from tracejit.errors import ShapeError
from tracejit.ir import build, dims
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT64
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, as_array, value


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Tracer:
    """``np.linalg.norm``."""
    a = as_array(x).node
    if a.dtype.kind not in "fc":
        a = build.cast(a, FLOAT64)
    if axis is None:
        whole = ord is None or (ord in ("f", "fro") and a.ndim == 2) or (ord == 2 and a.ndim == 1)
        axes = tuple(range(a.ndim))
        if whole:
            return _result(_euclidean(a, axes), axes, keepdims)
    else:
        axes = axis_tuple(axis, a.ndim, "Duplicate axes given.")
    if len(axes) == 1:
        return _result(_of_vectors(a, ord, axes), axes, keepdims)
    if len(axes) == 2:
        return _result(_of_matrices(a, ord, axes), axes, keepdims)
    raise ShapeError("Improper number of dimensions to norm.")


def _result(x: Node, axes: tuple[int, ...], keepdims: Any) -> Tracer:
    return value(keep(x, sorted(axes)) if keepdims else x)


def _over(ufunc: np.ufunc, x: Node, axes: tuple[int, ...]) -> Node:
    return reduce(ufunc, Tracer(x), axes).node


def _euclidean(x: Node, axes: tuple[int, ...]) -> Node:
    if x.dtype.kind == "c":
        square = call("add", call("square", build.real(x)), call("square", build.imag(x)))
    else:
        square = call("square", x)
    return call("sqrt", _over(np.add, square, axes))


def _of_vectors(x: Node, order: Any, axes: tuple[int, ...]) -> Node:
    if order is None or order == 2:
        return _euclidean(x, axes)
    if isinstance(order, str):
        raise ValueError(f"Invalid norm order '{order}' for vectors")
    size = call("absolute", x)
    if order == np.inf:
        return _over(np.maximum, size, axes)
    if order == -np.inf:
        return _over(np.minimum, size, axes)
    if order == 0:
        return _over(np.add, build.cast(call("not_equal", x, 0), size.dtype), axes)
    if order == 1:
        return _over(np.add, size, axes)
    powers = _over(np.add, call("power", size, order), axes)
    return call("power", powers, build.constant(1.0 / order, size.dtype))


def _of_matrices(x: Node, order: Any, axes: tuple[int, ...]) -> Node:
    if order in (None, "f", "fro"):
        return _euclidean(x, axes)
    if order in (2, -2, "nuc"):
        others = [k for k in range(x.ndim) if k not in axes]
        values = svdvals(Tracer(build.transpose(x, [*others, *axes]))).node
        over = {2: np.maximum, -2: np.minimum, "nuc": np.add}[order]
        return _over(over, values, (values.ndim - 1,))
    if order not in (1, -1, np.inf, -np.inf):
        raise ValueError("Invalid norm order for matrices.")
    row, column = axes
    summed, left = (row, column) if order in (1, -1) else (column, row)
    sums = _over(np.add, call("absolute", x), (summed,))
    extreme = np.maximum if order > 0 else np.minimum
    return _over(extreme, sums, (left - (left > summed),))


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: Any = False, ord: Any = "fro") -> Tracer:
    """``np.linalg.matrix_norm``."""
    return norm(x, ord, (-2, -1), keepdims)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: Any = False, ord: Any = 2) -> Tracer:
    """``np.linalg.vector_norm``: along several axes as along one."""
    a = as_array(x).node
    if axis is not None and not isinstance(axis, tuple):
        return norm(x, ord, axis, keepdims)
    axes = tuple(range(a.ndim)) if axis is None else axis_tuple(axis, a.ndim)
    rest = [k for k in range(a.ndim) if k not in axes]
    row = build.transpose(a, [*axes, *rest])
    shape = (dims.product(a.shape[k] for k in axes), *(a.shape[k] for k in rest))
    result = norm(value(build.reshape(row, shape)), ord, 0)
    return value(keep(result.node, sorted(axes)) if keepdims else result.node)
