"""Arrays joined, split, repeated and shifted."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from tracejit.arrays.common import (
    at_least,
    axis_index,
    call,
    check_cast,
    dtype_argument,
    given,
    length,
    same,
)
from tracejit.arrays.indexing import slice_bounds
from tracejit.arrays.places import repeated
from tracejit.arrays.shaping import _at_least_1d, _at_least_2d, _at_least_3d
from tracejit.errors import ShapeError
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, as_array, supported, value, view_of, wrap

# Joining ----------------------------------------------------------------------------------------


def _sequence(arrays: Any) -> list[Tracer]:
    """The arrays of a list, or the rows of one array."""
    if isinstance(arrays, Tracer):
        return list(arrays)
    return [as_array(a) for a in arrays]


def _join(parts: list[Tracer], axis: int, dtype: Any, casting: str) -> Tracer:
    nodes = [p.node for p in parts]
    if dtype is None:
        target = supported(np.result_type(*[n.dtype for n in nodes]))
    else:
        target = dtype_argument(dtype)
    for n in nodes:
        check_cast(n.dtype, target, casting)
    joined = build.concatenate([build.cast(n, target) for n in nodes], axis)
    return Tracer(joined)


@implements(np.concatenate)
def concatenate(
    arrays: Any,
    /,
    axis: Any = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Tracer:
    """``np.concatenate``."""
    parts = _sequence(arrays)
    if not parts:
        raise ValueError("need at least one array to concatenate")
    if axis is None:
        parts = [Tracer(build.reshape(p.node, (build.size(p.node),))) for p in parts]
        axis = 0
    ndim = parts[0].node.ndim
    if not ndim:
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    k = axis_index(axis, ndim)
    for i, p in enumerate(parts):
        if p.node.ndim != ndim:
            raise ShapeError(
                "all the input arrays must have same number of dimensions, but the array at "
                f"index 0 has {ndim} dimension(s) and the array at index {i} has "
                f"{p.node.ndim} dimension(s)"
            )
    return _join(parts, k, dtype, casting)


@implements(np.stack)
def stack(
    arrays: Any,
    axis: Any = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Tracer:
    """``np.stack``."""
    parts = _sequence(arrays)
    if not parts:
        raise ValueError("need at least one array to stack")
    first = parts[0].node.shape
    for p in parts:
        if len(p.node.shape) != len(first) or not all(
            map(build.solver().equal, first, p.node.shape)
        ):
            raise ShapeError("all input arrays must have the same shape")
    k = axis_index(axis, len(first) + 1)
    wide = [Tracer(build.expand_dims(p.node, (k,))) for p in parts]
    return _join(wide, k, dtype, casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Tracer:
    """``np.hstack``."""
    parts = [_at_least_1d(p) for p in _sequence(tup)]
    axis = 0 if parts and parts[0].node.ndim == 1 else 1
    return concatenate(parts, axis, dtype=dtype, casting=casting)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Tracer:
    """``np.vstack``."""
    parts = [_at_least_2d(p) for p in _sequence(tup)]
    return concatenate(parts, 0, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Tracer:
    """``np.dstack``."""
    return concatenate([_at_least_3d(p) for p in _sequence(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Tracer:
    """``np.column_stack``."""
    parts = [
        p if p.node.ndim > 1 else Tracer(build.transpose(_at_least_2d(p).node, (1, 0)))
        for p in _sequence(tup)
    ]
    return concatenate(parts, 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Tracer:
    """``np.append``."""
    return concatenate((arr, values), axis)


# Splitting --------------------------------------------------------------------------------------


def _piece(x: Tracer, axis: int, start: Dim, count: Dim) -> Tracer:
    shape = (*x.node.shape[:axis], count, *x.node.shape[axis + 1 :])
    index = tuple((start if k == axis else 0, 1, k) for k in range(x.node.ndim))
    return view_of(x, lambda n: build.view(n, shape, index))


def _at(x: Tracer, indices: Any, axis: int) -> list[Tracer]:
    n = x.node.shape[axis]
    bounds = [0, *indices, None]
    pieces = []
    for low, high in itertools.pairwise(bounds):
        start, _, count = slice_bounds(slice(low, high), n)
        pieces.append(_piece(x, axis, start, count))
    return pieces


def _sections(x: Tracer, sections: int, axis: int) -> list[Tracer]:
    n = x.node.shape[axis]
    if sections <= 0:
        raise ValueError("number sections must be larger than 0.")
    rest = dims.mod(n, sections)
    extra = rest if isinstance(rest, int) else int(build.solver().concrete(rest))
    each = dims.exact_div(dims.sub(n, extra), sections)
    size = dims.floordiv(n, sections) if each is None else each
    pieces: list[Tracer] = []
    start: Dim = 0
    for k in range(sections):
        count = dims.add(size, 1) if k < extra else size
        pieces.append(_piece(x, axis, start, count))
        start = dims.add(start, count)
    return pieces


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Tracer]:
    """``np.array_split``."""
    x = as_array(ary)
    k = axis_index(axis, x.node.ndim)
    if isinstance(indices_or_sections, (list, tuple, np.ndarray)):
        return _at(x, [_index(i) for i in indices_or_sections], k)
    return _sections(x, operator.index(indices_or_sections), k)


def _index(i: Any) -> Any:
    return int(i) if isinstance(i, np.integer) else i


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Tracer]:
    """``np.split``."""
    x = as_array(ary)
    if not isinstance(indices_or_sections, (list, tuple, np.ndarray)):
        k = axis_index(axis, x.node.ndim)
        if not same(dims.mod(x.node.shape[k], operator.index(indices_or_sections)), 0):
            raise ValueError("array split does not result in an equal division")
    return array_split(x, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Tracer]:
    """``np.hsplit``."""
    x = as_array(ary)
    if not x.node.ndim:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(x, indices_or_sections, 1 if x.node.ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Tracer]:
    """``np.vsplit``."""
    if as_array(ary).node.ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Tracer]:
    """``np.dsplit``."""
    if as_array(ary).node.ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: Any = 0) -> tuple[Tracer, ...]:
    """``np.unstack``."""
    v = as_array(x)
    if not v.node.ndim:
        raise ValueError("Input array must be at least 1-d.")
    k = axis_index(axis, v.node.ndim)
    order = (k, *(j for j in range(v.node.ndim) if j != k))
    return tuple(view_of(v, lambda n: build.transpose(n, order)))


# Repeating and shifting -------------------------------------------------------------------------


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Tracer:
    """``np.repeat`` by one count, or one an element."""
    x = as_array(a).node
    if isinstance(repeats, (list, tuple)) and len(repeats) == 1:
        repeats = repeats[0]
    several = isinstance(repeats, (list, tuple, range, np.ndarray))
    if several or (isinstance(repeats, Tracer) and repeats.node.ndim):
        counts = as_array(repeats).node
        if axis is None:
            return repeated(build.reshape(x, (build.size(x),)), counts, 0)
        return repeated(x, counts, axis_index(axis, x.ndim))
    times = length(repeats)
    if not at_least(times, 0):
        raise ValueError("negative dimensions are not allowed")
    if axis is None or not x.ndim:
        x, axis = build.reshape(x, (build.size(x),)), 0 if axis is None else axis
    k = axis_index(axis, x.ndim)
    wide = build.expand_dims(x, (k + 1,))
    wide = build.broadcast_to(wide, (*x.shape[: k + 1], times, *x.shape[k + 1 :]))
    shape = (*x.shape[:k], dims.mul(x.shape[k], times), *x.shape[k + 1 :])
    return Tracer(build.reshape(wide, shape))


#: Parts that an array is joined from; of more, one loop repeats it.
_PARTS = 8


@implements(np.tile)
def tile(A: Any, reps: Any) -> Tracer:
    """``np.tile``."""
    x = as_array(A).node
    entries = reps if isinstance(reps, (tuple, list)) else (reps,)
    times: list[Dim] = [length(r) for r in entries]
    if not all(at_least(t, 0) for t in times):
        raise ValueError("negative dimensions are not allowed")
    x = build.expand_dims(x, range(max(0, len(times) - x.ndim)))
    times[:0] = [1] * (x.ndim - len(times))
    repeated = [k for k, t in enumerate(times) if t != 1]
    if len(repeated) == 1:
        [k] = repeated
        count = times[k]
        if isinstance(count, int) and 1 < count <= _PARTS:  # each part is written where it belongs
            return Tracer(build.concatenate([x] * count, k))
    wide: list[Dim] = []
    shape: list[Dim] = []
    for t, d in zip(times, x.shape, strict=True):
        wide += [t, d]
        shape.append(dims.mul(t, d))
    x = build.expand_dims(x, range(0, 2 * x.ndim, 2))
    return Tracer(build.reshape(build.broadcast_to(x, tuple(wide)), tuple(shape)))


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Tracer:
    """``np.roll``."""
    x = as_array(a).node
    if axis is None:
        flat = build.reshape(x, (build.size(x),))
        shifts = shift if isinstance(shift, (tuple, list)) else (shift,)
        for s in shifts:
            flat = _rolled(flat, length(s), 0)
        return Tracer(build.reshape(flat, x.shape))
    entries = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(axis_index(k, x.ndim) for k in entries)
    shifts = shift if isinstance(shift, (tuple, list)) else (shift,)
    if len(axes) > 1 and len(shifts) > 1 and len(axes) != len(shifts):
        raise ShapeError("shape mismatch: objects cannot be broadcast to a single shape")
    count = max(len(axes), len(shifts))
    for s, k in zip(shifts * (count // len(shifts)), axes * (count // len(axes)), strict=True):
        x = _rolled(x, length(s), k)
    return Tracer(x)


def _rolled(x: Node, shift: Dim, axis: int) -> Node:
    n = x.shape[axis]
    if same(n, 0) or same(shift, 0):
        return x
    if at_least(shift, 0) and at_least(n, shift):
        by = shift
    elif not at_least(shift, 0) and at_least(dims.add(n, shift), 0):
        by = dims.add(n, shift)
    else:
        by = dims.mod(shift, n)
    v = Tracer(x)
    first = _piece(v, axis, dims.sub(n, by), by).node
    return build.concatenate([first, _piece(v, axis, 0, dims.sub(n, by)).node], axis)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Tracer:
    """``np.rot90``."""
    x = as_array(m)
    if len(axes) != 2:
        raise ValueError("len(axes) must be 2.")
    i, j = (axis_index(a, x.node.ndim) for a in axes)
    if i == j:
        raise ValueError("Axes must be different.")
    order = list(range(x.node.ndim))
    order[i], order[j] = j, i
    turns = operator.index(k) % 4

    def turned(node: Node) -> Node:
        if turns == 1:
            return build.transpose(build.flip(node, (j,)), order)
        if turns == 2:
            return build.flip(node, (i, j))
        return build.flip(build.transpose(node, order), (j,)) if turns == 3 else node

    return view_of(x, turned)


@implements(np.diff)
def diff(
    a: Any,
    n: int = 1,
    axis: Any = -1,
    prepend: Any = np._NoValue,
    append: Any = np._NoValue,
) -> Tracer:
    """``np.diff``."""
    if n == 0:
        return wrap(a)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    x = as_array(a)
    if not x.node.ndim:
        raise ValueError("diff requires input that is at least one dimensional")
    k = axis_index(axis, x.node.ndim)
    parts = [_border(p, x.node, k) for p in (prepend,) if given(p)]
    parts += [x, *(_border(p, x.node, k) for p in (append,) if given(p))]
    if len(parts) > 1:
        x = concatenate(parts, k)
    row = "not_equal" if x.node.dtype == BOOL else "subtract"
    node = x.node
    for _ in range(n):
        v = Tracer(node)
        start, _, count = slice_bounds(slice(1, None), node.shape[k])
        _, _, other = slice_bounds(slice(None, -1), node.shape[k])
        node = call(row, _piece(v, k, start, count).node, _piece(v, k, 0, other).node)
    return value(node)


def _border(p: Any, x: Node, axis: int) -> Tracer:
    v = as_array(p)
    if v.node.ndim:
        return v
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    return Tracer(build.broadcast_to(v.node, shape))
