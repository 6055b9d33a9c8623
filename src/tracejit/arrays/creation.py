"""Arrays made from shapes, ranges, numbers and nested lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tracejit.arrays.common import (
    call,
    coerce,
    dtype_argument,
    length,
    placed,
    refuse_others,
    require_fits,
    same,
    select,
    shape_argument,
    span,
    whole_number,
    zero,
)
from tracejit.arrays.lists import stacked
from tracejit.arrays.picking import nonzero
from tracejit.arrays.shaping import broadcast_arrays, in_order
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, INT64
from tracejit.trace.lists import TracedList
from tracejit.trace.memory import Memory
from tracejit.trace.mixed import Mixed
from tracejit.trace.tables import SEVERAL, creates, implements
from tracejit.trace.tracer import (
    Tracer,
    as_array,
    operand,
    supported,
    view_of,
)

# Filled arrays ----------------------------------------------------------------------------------


def _filled(shape: Any, fill: Any, dtype: np.dtype[Any], order: str, other: Any) -> Tracer:
    wanted = shape_argument(shape)
    return _fresh(build.full(wanted, coerce(fill, dtype)), order, other)


def _fresh(node: Node, order: str, other: dict[str, Any], orders: str = "CF") -> Tracer:
    """A fresh array in a known memory order; what else was asked for is looked at."""
    refuse_others(other)
    if other:
        raise TypeError(f"got an unexpected keyword argument {next(iter(other))!r}")
    if order not in orders or not order:
        raise ValueError(f"order must be one of {', '.join(orders)} (got {order!r})")
    x = Tracer(placed(node, order))
    x.memory = Memory(x, whole=order == "C")
    return x


@creates(np.zeros, np.empty)
def zeros(shape: Any, dtype: Any = float, order: Any = "C", **other: Any) -> Tracer:
    """``np.zeros``; also ``np.empty``, whose content is anything."""
    return _filled(shape, 0, dtype_argument(dtype or float), order or "C", other)


@creates(np.ndarray)
def ndarray(
    shape: Any,
    dtype: Any = float,
    buffer: Any = None,
    offset: Any = 0,
    strides: Any = None,
    order: Any = None,
) -> Tracer:
    """``np.ndarray`` of a shape, whose content is anything."""
    if buffer is not None or strides is not None:
        raise NotTraceable("an array over the memory of another one is made", "use slices")
    return zeros(shape, dtype, order)


@creates(np.ones)
def ones(shape: Any, dtype: Any = None, order: Any = "C", **other: Any) -> Tracer:
    """``np.ones``."""
    return _filled(shape, 1, dtype_argument(dtype or float), order or "C", other)


@creates(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", **other: Any) -> Tracer:
    """``np.full``."""
    if isinstance(fill_value, Mixed):
        made: Tracer = fill_value.each(lambda v: full(shape, v, dtype, order, **other))
        return made
    fill = operand(fill_value)
    target = as_array(fill_value).node.dtype if dtype is None else dtype_argument(dtype)
    node = build.broadcast_to(coerce(fill, target), shape_argument(shape))
    return _fresh(node, order or "C", other)


@implements(np.zeros_like, np.empty_like)
def zeros_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    **other: Any,
) -> Tracer:
    """``np.zeros_like``."""
    return full_like(a, 0, dtype, order, subok, shape, **other)


@implements(np.ones_like)
def ones_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    **other: Any,
) -> Tracer:
    """``np.ones_like``."""
    return full_like(a, 1, dtype, order, subok, shape, **other)


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    **other: Any,
) -> Tracer:
    """``np.full_like``."""
    like = as_array(a).node
    target = like.dtype if dtype is None else dtype_argument(dtype)
    wanted = like.shape if shape is None else shape_argument(shape)
    node = build.broadcast_to(coerce(operand(fill_value), target), wanted)
    return _fresh(node, order, other, "CFKA")


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
) -> Tracer:
    """``np.array``: a Tracer's copy, or nested lists joined."""
    if copy is False and (order in ("C", "F") or not _is_array(object, dtype)):
        raise NotTraceable("whether copy=False is possible depends on the memory layout")
    refuse_others(other)
    if isinstance(object, range):
        object = list(object)
    if isinstance(object, TracedList) and object.store is not None:
        result = stacked(object, dtype)
        result = Tracer(placed(result.node, "F")) if order == "F" else result
    elif isinstance(object, (list, tuple)):
        result = _nested(object, dtype)
        result = Tracer(placed(result.node, "F")) if order == "F" else result
    else:
        source = as_array(object)
        target = source.node.dtype if dtype is None else dtype_argument(dtype)
        if not copy and source.kind == "array" and target == source.node.dtype:
            result = in_order(source, order)
        elif isinstance(object, Tracer) and object.kind != "number":
            result = Tracer(placed(build.cast(source.node, target), order))
        else:
            result = Tracer(coerce(operand(object), target))
    missing = whole_number(ndmin) - result.node.ndim
    if missing <= 0:
        return result
    return view_of(result, lambda n: build.expand_dims(n, range(missing)))


def _is_array(x: Any, dtype: Any) -> bool:
    """Whether `x` is an array of `dtype`, if that is given."""
    if not isinstance(x, Tracer) or x.kind != "array":
        return False
    return dtype is None or dtype_argument(dtype) == x.node.dtype


@creates(np.asarray, np.asanyarray)
def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, copy: bool | None = None, **other: Any
) -> Tracer:
    """``np.asarray``: the Tracer itself where nothing has to change."""
    return array(a, dtype, copy=copy, order=order or "K")


def _contiguous(a: Any, dtype: Any, order: str) -> Tracer:
    """`a` in memory order `order`, with at least one axis."""
    result = asarray(a, dtype, order)
    return result if result.node.ndim else view_of(result, lambda n: build.expand_dims(n, (0,)))


@creates(np.ascontiguousarray)
def ascontiguousarray(a: Any, dtype: Any = None, **other: Any) -> Tracer:
    """``np.ascontiguousarray``."""
    return _contiguous(a, dtype, "C")


@creates(np.asfortranarray)
def asfortranarray(a: Any, dtype: Any = None, **other: Any) -> Tracer:
    """``np.asfortranarray``."""
    return _contiguous(a, dtype, "F")


@creates(np.isscalar)
def isscalar(element: Any) -> bool:
    """``np.isscalar``."""
    element = element.example() if type(element) in SEVERAL else element
    return element.kind != "array" if isinstance(element, Tracer) else np.isscalar(element)


def traced(x: Any) -> bool:
    """Whether a nested list holds a Tracer."""
    stack = [x]
    while stack:
        item = stack.pop()
        if isinstance(item, Tracer) or (isinstance(item, TracedList) and item.store is not None):
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


def _nested(x: Any, dtype: Any) -> Tracer:
    leaves = list(_leaves(x))
    if not traced(x) and not any(isinstance(leaf, np.ndarray) for leaf in leaves):
        constant: Tracer = build.solver().array_input(np.array(x, dtype))
        return Tracer(constant.node)
    if dtype is None:
        # In a list, Python numbers have NumPy's default dtypes.
        target = supported(np.result_type(*[as_array(leaf).node.dtype for leaf in leaves]))
    else:
        target = dtype_argument(dtype)
    return Tracer(_joined(x, target))


def _joined(x: Any, dtype: np.dtype[Any]) -> Node:
    if not isinstance(x, (list, tuple)):
        node = operand(x)
        if isinstance(node, Node) and not (isinstance(x, Tracer) and x.kind == "array"):
            require_fits(node, dtype)
        return coerce(node, dtype)
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
) -> Tracer:
    """``np.eye``."""
    rows, columns = shape_argument((N, N if M is None else M))
    row = build.expand_dims(span(rows, length(k)), (1,))
    node = build.cast(call("equal", row, build.iota(columns)), dtype_argument(dtype))
    return _fresh(node, order or "C", other)


@creates(np.identity)
def identity(n: Any, dtype: Any = None, **other: Any) -> Tracer:
    """``np.identity``."""
    return eye(n, dtype=dtype or float)


def lower_mask(rows: Dim, columns: Dim, k: Dim) -> Node:
    """Where column ``j <= i + k``."""
    row = build.expand_dims(span(rows, k), (1,))
    return call("greater_equal", row, build.iota(columns))


@creates(np.tri)
def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = float, **other: Any) -> Tracer:
    """``np.tri``."""
    rows, columns = shape_argument((N, N if M is None else M))
    return Tracer(build.cast(lower_mask(rows, columns, length(k)), dtype_argument(dtype)))


def _triangle(m: Any, k: Dim, lower: bool) -> Tracer:
    x = as_array(m).node
    if not x.ndim:
        raise IndexError("tuple index out of range")
    rows = x.shape[-1] if x.ndim == 1 else x.shape[-2]
    mask = lower_mask(rows, x.shape[-1], k if lower else dims.sub(k, 1))
    nothing = zero(x.dtype)
    if x.ndim == 1:
        x = build.broadcast_to(x, (rows, rows))
    mask = build.broadcast_to(mask, x.shape)
    return Tracer(select(mask, x, nothing) if lower else select(mask, nothing, x))


@implements(np.tril)
def tril(m: Any, k: Any = 0) -> Tracer:
    """``np.tril``."""
    return _triangle(m, length(k), True)


@implements(np.triu)
def triu(m: Any, k: Any = 0) -> Tracer:
    """``np.triu``."""
    return _triangle(m, length(k), False)


@implements(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> Sequence[Tracer]:
    """``np.meshgrid``."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    axes = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        axes[0], axes[1] = 1, 0

    def along(x: Any, axis: int) -> Tracer:
        shape: list[Dim] = [1] * len(xi)
        shape[axis] = build.size(x.node)
        return _reshaped(x, tuple(shape))

    grids = tuple(map(along, map(as_array, xi), axes))
    if not sparse and grids:
        grids = broadcast_arrays(*grids)
    if copy:
        return tuple(Tracer(placed(g.node, "C")) for g in grids)
    return list(grids) if sparse else grids


@implements(np.ix_)
@creates(np.ix_)
def ix_(*args: Any) -> tuple[Tracer, ...]:
    """``np.ix_``."""
    lines = []
    for k, arg in enumerate(args):
        x = as_array(arg)
        if x.node.ndim != 1:
            raise ValueError("Cross index must be 1 dimensional")
        if x.node.dtype == BOOL:
            [x] = nonzero(x)
        elif not isinstance(arg, (Tracer, np.ndarray)) and same(x.node.shape[0], 0):
            x = Tracer(build.cast(x.node, INT64))
        shape: list[Dim] = [1] * len(args)
        shape[k] = x.node.shape[0]
        lines.append(_reshaped(x, tuple(shape)))
    return tuple(lines)


def _reshaped(x: Tracer, shape: tuple[Dim, ...]) -> Tracer:
    return view_of(x, lambda n: build.reshape(n, shape))
