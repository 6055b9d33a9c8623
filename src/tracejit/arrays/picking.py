"""Elements picked by position: nonzero, take, compress, diagonals."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tracejit.arrays.common import (
    at_least,
    axis_index,
    call,
    check_cast,
    dim_node,
    given,
    is_empty,
    length,
    require_positions,
    select,
    strong,
    zero,
)
from tracejit.arrays.reductions import reduce
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build, dims
from tracejit.ir.alias import Step
from tracejit.ir.build import Index
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, INT64
from tracejit.trace.tables import implements, method
from tracejit.trace.tracer import Tracer, as_array, value, view_of, wrap


@implements(np.nonzero)
def nonzero(a: Any) -> tuple[Tracer, ...]:
    """``np.nonzero``: one array of positions an axis."""
    x = strong(a)
    if not x.ndim:
        raise ValueError(
            "Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() "
            "instead."
        )
    places = build.nonzero(build.cast(x, BOOL))
    return tuple(
        Tracer(build.view(places, places.shape[:1], ((0, 1, 0), (k, 0, None))))
        for k in range(x.ndim)
    )


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> Tracer:
    """``np.flatnonzero``."""
    x = strong(a)
    return nonzero(Tracer(build.reshape(x, (build.size(x),))))[0]


@implements(np.argwhere)
def argwhere(a: Any) -> Tracer:
    """``np.argwhere``."""
    x = strong(a)
    if not x.ndim:
        raise NotTraceable("np.argwhere of a scalar is not compiled")
    return Tracer(build.nonzero(build.cast(x, BOOL)))


@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Tracer:
    """``np.take``."""
    x, i = strong(a), strong(indices)
    check_cast(i.dtype, INT64, "same_kind")
    i = build.cast(i, INT64)
    if not given(axis) or not x.ndim:
        if given(axis):
            axis_index(axis, 1)
        x, axis = build.reshape(x, (build.size(x),)), 0
    k = axis_index(axis, x.ndim)
    n = x.shape[k]
    if mode == "wrap":
        i = call("remainder", i, dim_node(n))
    elif mode == "clip":
        i = call("minimum", call("maximum", i, 0), dim_node(dims.sub(n, 1)))
    elif mode != "raise":
        raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")
    if is_empty([n]) and not is_empty(i.shape):
        raise IndexError("cannot do a non-empty take from an empty axes.")
    result = _taken(x, i, k)
    if mode == "raise":
        require_positions(result, i, n, result.shape)
    return value(result)


def _taken(x: Node, i: Node, axis: int) -> Node:
    shape = (*x.shape[:axis], *i.shape, *x.shape[axis + 1 :])
    after = x.ndim - axis - 1
    if i.ndim:
        i = build.expand_dims(i, [i.ndim + j for j in range(after)])
    picks = [
        ("index", 0) if k == axis else ("axis", k if k < axis else k - x.ndim + len(shape))
        for k in range(x.ndim)
    ]
    return build.gather(x, shape, tuple(picks), i)


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Tracer:
    """``np.take_along_axis``."""
    x, i = strong(arr), strong(indices)
    if i.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if axis is None:
        x, axis = build.reshape(x, (build.size(x),)), 0
    if x.ndim != i.ndim:
        raise ShapeError("`indices` and `arr` must have the same number of dimensions")
    k = axis_index(axis, x.ndim)
    others = build.broadcast_shapes(
        [
            tuple(1 if j == k else d for j, d in enumerate(x.shape)),
            tuple(1 if j == k else d for j, d in enumerate(i.shape)),
        ]
    )
    shape = tuple(i.shape[k] if j == k else d for j, d in enumerate(others))
    x = build.broadcast_to(x, tuple(x.shape[k] if j == k else d for j, d in enumerate(others)))
    picks = tuple(("index", 0) if j == k else ("axis", j) for j in range(x.ndim))
    result = build.gather(x, shape, picks, i)
    require_positions(result, i, x.shape[k], shape)
    return Tracer(result)


@implements(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Tracer:
    """``np.compress``: the elements, or slices, where the condition holds."""
    x, mask = strong(a), strong(condition)
    if mask.ndim != 1:
        raise ShapeError("condition must be a 1-d array")
    if axis is None:
        x, axis = build.reshape(x, (build.size(x),)), 0
    k = axis_index(axis, x.ndim)
    same = build.solver().equal(x.shape[k], mask.shape[0])
    if not same and not at_least(x.shape[k], mask.shape[0]):
        raise NotTraceable("np.compress by a condition longer than the axis is not compiled")
    return Tracer(_taken(x, nonzero(Tracer(mask))[0].node, k))


@method("compress")
def compress_method(x: Tracer, condition: Any, axis: Any = None, out: Any = None) -> Tracer:
    """``x.compress(condition)``."""
    return compress(condition, x, axis, out)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Tracer:
    """``np.extract``."""
    mask, x = strong(condition), strong(arr)
    flat = [Tracer(build.reshape(n, (build.size(n),))) for n in (mask, x)]
    return compress(flat[0], flat[1])


@implements(np.diagonal)
def diagonal(a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Tracer:
    """``np.diagonal``: a read-only view."""
    i, j = operator.index(axis1), operator.index(axis2)

    def take(x: np.ndarray, k: int) -> np.ndarray:
        return np.diagonal(x, k, i, j)

    step = Step(lambda n: diagonal_of(n, offset, i, j), take, (length(offset),), distinct=True)
    return view_of(as_array(a), step, read_only=True)


@implements(np.linalg.diagonal)
def matrix_diagonal(x: Any, /, *, offset: Any = 0) -> Tracer:
    """``np.linalg.diagonal``."""
    return diagonal(x, offset, -2, -1)


def diagonal_of(x: Node, offset: Any, axis1: Any, axis2: Any) -> Node:
    """The diagonal as the last axis of a view."""
    if x.ndim < 2:
        raise ShapeError("diag requires an array of at least two dimensions")
    i, j = axis_index(axis1, x.ndim), axis_index(axis2, x.ndim)
    if i == j:
        raise ShapeError("axis1 and axis2 cannot be the same")
    k = length(offset)
    right = at_least(k, 0)
    row, column = (0, k) if right else (dims.mul(-1, k), 0)
    rows, columns = dims.sub(x.shape[i], row), dims.sub(x.shape[j], column)
    count = rows if at_least(columns, rows) else columns
    count = count if at_least(count, 0) else 0
    rest = [m for m in range(x.ndim) if m not in (i, j)]
    index: list[Index] = [
        (0, 1, rest.index(m)) if m in rest else (0, 0, None) for m in range(x.ndim)
    ]
    index[i], index[j] = (row, 1, len(rest)), (column, 1, len(rest))
    return build.view(x, (*(x.shape[m] for m in rest), count), tuple(index))


@implements(np.diag)
def diag(v: Any, k: Any = 0) -> Tracer:
    """``np.diag``: the diagonal of a matrix, or the matrix of a diagonal."""
    x = as_array(v).node
    if x.ndim == 2:
        return diagonal(v, k)
    if x.ndim != 1:
        raise ShapeError("Input must be 1- or 2-d.")
    offset = length(k)
    positive = at_least(offset, 0)
    side = dims.add(x.shape[0], offset if positive else dims.mul(-1, offset))
    rows = build.expand_dims(build.iota(side), (1,))
    columns = build.iota(side)
    on = call("equal", columns, call("add", rows, dim_node(offset)))
    # Element i of the diagonal stands in row i, or in column i below the main one.
    place = rows if positive else columns
    place = build.broadcast_to(place, (side, side))
    inside = call("minimum", place, dim_node(dims.sub(x.shape[0], 1)))
    if is_empty(x.shape):
        return Tracer(build.full((side, side), zero(x.dtype)))
    values = build.gather(x, (side, side), (("index", 0),), inside)
    return Tracer(select(on, values, zero(x.dtype)))


@implements(np.trace)
def trace(
    a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1, dtype: Any = None, out: Any = None
) -> Tracer:
    """``np.trace``."""
    node = diagonal_of(wrap(a).node, offset, axis1, axis2)
    return reduce(np.add, Tracer(node), -1, dtype)
