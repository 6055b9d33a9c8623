"""Arrays made from shapes, ranges, numbers and nested lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tracejit.arrays.common import (
    call,
    coerce,
    dim_node,
    dtype_argument,
    length,
    placed,
    select,
    shape_argument,
    span,
    zero,
)
from tracejit.arrays.tables import FUNCTIONS, creates, implements
from tracejit.errors import ShapeError
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import INT64
from tracejit.memory import Memory
from tracejit.variable import Variable, as_array, is_number, operand, supported, value, wrap

# Filled arrays ----------------------------------------------------------------------------------


def _filled(shape: Any, fill: Any, dtype: np.dtype[Any], order: str) -> Variable:
    return _fresh(Variable(build.full(shape_argument(shape), coerce(fill, dtype))), order)


def _fresh(x: Variable, order: str) -> Variable:
    """A fresh array of a known memory order."""
    x.memory = Memory(x, whole=order == "C")
    return x


@creates(np.zeros, np.empty)
def zeros(shape: Any, dtype: Any = float, order: str = "C", **other: Any) -> Variable:
    """``np.zeros``; also ``np.empty``, whose content is anything."""
    return _filled(shape, 0, dtype_argument(dtype or float), order)


@creates(np.ones)
def ones(shape: Any, dtype: Any = None, order: str = "C", **other: Any) -> Variable:
    """``np.ones``."""
    return _filled(shape, 1, dtype_argument(dtype or float), order)


@creates(np.full)
def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", **other: Any
) -> Variable:
    """``np.full``."""
    fill = operand(fill_value)
    target = as_array(fill_value).node.dtype if dtype is None else dtype_argument(dtype)
    node = build.broadcast_to(coerce(fill, target), shape_argument(shape))
    return _fresh(Variable(node), order)


@implements(np.zeros_like, np.empty_like)
def zeros_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    **other: Any,
) -> Variable:
    """``np.zeros_like``."""
    return full_like(a, 0, dtype, order, subok, shape)


@implements(np.ones_like)
def ones_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    **other: Any,
) -> Variable:
    """``np.ones_like``."""
    return full_like(a, 1, dtype, order, subok, shape)


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    **other: Any,
) -> Variable:
    """``np.full_like``."""
    like = as_array(a).node
    target = like.dtype if dtype is None else dtype_argument(dtype)
    wanted = like.shape if shape is None else shape_argument(shape)
    return Variable(build.broadcast_to(coerce(operand(fill_value), target), wanted))


# From values ------------------------------------------------------------------------------------


@creates(np.array)
def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str = "K",
    ndmin: int = 0,
    **other: Any,
) -> Variable:
    """``np.array``: a Variable's copy, or nested lists joined."""
    if isinstance(object, (list, tuple)):
        result = _nested(object, dtype)
    else:
        source = as_array(object)
        target = source.node.dtype if dtype is None else dtype_argument(dtype)
        if not copy and source.kind == "array" and target == source.node.dtype:
            result = _in_order(source, order)
        elif isinstance(object, Variable) and object.kind != "number":
            result = Variable(placed(build.cast(source.node, target), order))
        else:
            result = Variable(coerce(operand(object), target))
    missing = ndmin - result.node.ndim
    return Variable(build.expand_dims(result.node, range(missing))) if missing > 0 else result


@creates(np.asarray, np.asanyarray)
def asarray(a: Any, dtype: Any = None, order: Any = None, **other: Any) -> Variable:
    """``np.asarray``: the Variable itself where nothing has to change."""
    return array(a, dtype, copy=None, order=order or "K")


def _in_order(x: Variable, order: str) -> Variable:
    """`x` in memory order `order`: itself if it is known to be so, or a copy."""
    if order not in ("C", "F") or not x.node.ndim or build.solver().in_order(x.node, order):
        return x
    return Variable(placed(x.node, order))


def _contiguous(a: Any, dtype: Any, order: str) -> Variable:
    """`a` in memory order `order`, with at least one axis."""
    result = asarray(a, dtype, order)
    return result if result.node.ndim else Variable(build.expand_dims(result.node, (0,)))


@creates(np.ascontiguousarray)
def ascontiguousarray(a: Any, dtype: Any = None, **other: Any) -> Variable:
    """``np.ascontiguousarray``."""
    return _contiguous(a, dtype, "C")


@creates(np.asfortranarray)
def asfortranarray(a: Any, dtype: Any = None, **other: Any) -> Variable:
    """``np.asfortranarray``."""
    return _contiguous(a, dtype, "F")


@creates(np.isscalar)
def isscalar(element: Any) -> bool:
    """``np.isscalar``."""
    return element.kind != "array" if isinstance(element, Variable) else np.isscalar(element)


def traced(x: Any) -> bool:
    """Whether a nested list holds a Variable."""
    stack = [x]
    while stack:
        item = stack.pop()
        if isinstance(item, Variable):
            return True
        if isinstance(item, (list, tuple)):
            stack.extend(item)
    return False


def _leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, (list, tuple)):
        for item in x:
            yield from _leaves(item)
    else:
        yield x


def _nested(x: Any, dtype: Any) -> Variable:
    leaves = list(_leaves(x))
    if not traced(x) and not any(isinstance(leaf, np.ndarray) for leaf in leaves):
        found: Variable = build.solver().array_input(np.array(x, dtype))
        return found
    if dtype is None:
        # In a list, Python numbers have NumPy's default dtypes.
        target = supported(np.result_type(*[as_array(leaf).node.dtype for leaf in leaves]))
    else:
        target = dtype_argument(dtype)
    return Variable(_joined(x, target))


def _joined(x: Any, dtype: np.dtype[Any]) -> Node:
    if not isinstance(x, (list, tuple)):
        return coerce(operand(x), dtype)
    if not x:
        return build.full((0,), zero(dtype))
    parts = [build.expand_dims(_joined(item, dtype), (0,)) for item in x]
    try:
        if len({p.ndim for p in parts}) == 1:
            return build.concatenate(parts, 0)
    except ShapeError:
        pass
    raise ShapeError(
        "setting an array element with a sequence. The requested array has an inhomogeneous "
        f"shape after 1 dimensions. The detected shape was ({len(parts)},) + inhomogeneous part."
    )


# Matrices ---------------------------------------------------------------------------------------


@creates(np.eye)
def eye(
    N: Any, M: Any = None, k: Any = 0, dtype: Any = float, order: str = "C", **other: Any
) -> Variable:
    """``np.eye``."""
    rows, columns = shape_argument((N, N if M is None else M))
    row = build.expand_dims(span(rows, length(k)), (1,))
    return Variable(build.cast(call("equal", row, build.iota(columns)), dtype_argument(dtype)))


@creates(np.identity)
def identity(n: Any, dtype: Any = None, **other: Any) -> Variable:
    """``np.identity``."""
    return eye(n, dtype=dtype or float)


def lower_mask(rows: Dim, columns: Dim, k: Any) -> Node:
    """Where column ``j <= i + k``."""
    row = build.expand_dims(span(rows, length(k)), (1,))
    return call("greater_equal", row, build.iota(columns))


@creates(np.tri)
def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = float, **other: Any) -> Variable:
    """``np.tri``."""
    rows, columns = shape_argument((N, N if M is None else M))
    return Variable(build.cast(lower_mask(rows, columns, k), dtype_argument(dtype)))


def _triangle(m: Any, k: Any, lower: bool) -> Variable:
    x = as_array(m).node
    if not x.ndim:
        raise IndexError("tuple index out of range")
    rows = x.shape[-1] if x.ndim == 1 else x.shape[-2]
    mask = lower_mask(rows, x.shape[-1], k if lower else dims.sub(length(k), 1))
    nothing = zero(x.dtype)
    if x.ndim == 1:
        x = build.broadcast_to(x, (rows, rows))
    mask = build.broadcast_to(mask, x.shape)
    return Variable(select(mask, x, nothing) if lower else select(mask, nothing, x))


@implements(np.tril)
def tril(m: Any, k: Any = 0) -> Variable:
    """``np.tril``."""
    return _triangle(m, k, True)


@implements(np.triu)
def triu(m: Any, k: Any = 0) -> Variable:
    """``np.triu``."""
    return _triangle(m, k if isinstance(k, int) else length(k), False)


@implements(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Variable, ...]:
    """``np.meshgrid``."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    flat = [build.reshape(n, (build.size(n),)) for n in (as_array(x).node for x in xi)]
    axes = list(range(len(flat)))
    if indexing == "xy" and len(flat) > 1:
        axes[0], axes[1] = 1, 0
    grids = [
        build.expand_dims(n, [j for j in range(len(flat)) if j != axis])
        for n, axis in zip(flat, axes, strict=True)
    ]
    if not sparse:
        shape = build.broadcast_shapes([g.shape for g in grids]) if grids else ()
        grids = [build.broadcast_to(g, shape) for g in grids]
    return tuple(Variable(g, owned=copy) for g in grids)


# Functions of nested lists, which do not dispatch -------------------------------------------------


def _of_list(function: Any) -> None:
    def listed(a: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(a, Variable) or not traced([a, *args]):
            return function(a, *args, **kwargs)
        if function is np.prod and not args and not kwargs and all(map(is_number, a)):
            whole = [wrap(v).node for v in a]
            if all(n.dtype == INT64 for n in whole):
                return value(dim_node(dims.product(map(dims.from_node, whole))))
        return FUNCTIONS[function](a, *args, **kwargs)

    creates(function)(listed)


for _function in (
    np.prod, np.sum, np.max, np.min, np.mean, np.any, np.all, np.var, np.std, np.argmax, np.argmin,
    np.cumsum, np.cumprod, np.ptp, np.count_nonzero, np.where, np.clip, np.dot, np.diff, np.outer,
    np.round, np.repeat, np.tile, np.roll, np.flip, np.transpose, np.reshape, np.ravel, np.squeeze,
    np.expand_dims, np.broadcast_to, np.take, np.shape, np.ndim, np.size,
):  # fmt: skip
    _of_list(_function)
