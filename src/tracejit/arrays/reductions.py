"""Reductions and running reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays.common import (
    axis_index,
    call,
    coerce,
    dtype_argument,
    given,
    has_elements,
    is_empty,
    keep,
    reduced_axes,
    select,
    strong,
    zero,
)
from tracejit.errors import DTypeError, NotTraceable, ShapeError
from tracejit.ir import build, dims, ops
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, INT64, UINT8
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, operand, supported, value, wrap

UINT64 = np.dtype(np.uint64)
LOGICAL = (np.logical_or, np.logical_and, np.logical_xor)
#: What does the same to truth values.
SAME: dict[np.ufunc, np.ufunc] = {np.logical_xor: np.bitwise_xor}
#: Functions of which one reduction is the logarithm of a sum of powers.
LOG_SUMS = {np.logaddexp: ("exp", "log"), np.logaddexp2: ("exp2", "log2")}
#: Ufuncs whose vector loops do not reduce from left to right.
UNFIT = (np.power, np.arctan2)
WITHOUT_IDENTITY = ("max", "min", "fmax_reduce", "fmin_reduce")


def reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Any,
    dtype: Any = None,
    keepdims: Any = False,
    initial: Any = np._NoValue,
    where: Any = True,
) -> Tracer:
    """``ufunc.reduce`` with NumPy's dtypes, empty cases, ``initial`` and ``where``."""
    x = strong(array)
    axes = reduced_axes(axis, x.ndim)
    x = build.cast(x, accumulator(ufunc, x.dtype, dtype))
    row = ops.REDUCED.get(SAME.get(ufunc, ufunc))
    if row is None:
        return _by_scan(ufunc, x, axes, keepdims, initial, where)
    name = row.name
    if not given(where):
        where = True
    if (name in WITHOUT_IDENTITY or initial is None) and not given(initial):
        if where is not True:
            raise ValueError(
                f"reduction operation '{ufunc.__name__}' does not have an identity, so to use a "
                "where mask one has to specify 'initial'"
            )
        refuse_empty(
            x,
            axes,
            f"zero-size array to reduction operation {ufunc.__name__} which has no identity",
        )
    if where is not True:
        x = _masked(x, where, build.constant(ops.identity(name, x.dtype), x.dtype))
    if given(initial):
        result = _from(name, x, axes, _initial(initial, x.dtype))
    else:
        result = build.reduce(name, x, axes)
    return value(keep(result, axes) if keepdims is True else result)


def _initial(initial: Any, dtype: np.dtype[Any]) -> Node:
    x = operand(initial)
    if isinstance(x, float) and dtype.kind in "iu":
        x = int(x)  # as NumPy does: ValueError for nan, OverflowError for infinities
    if isinstance(x, complex) and dtype.kind != "c":
        raise TypeError("float() argument must be a string or a real number, not 'complex'")
    if isinstance(x, Node) and x.dtype.kind == "c" and dtype.kind != "c":
        raise NotTraceable("a complex initial= of a real array is not compiled")
    first = coerce(x, dtype)
    if first.ndim:
        raise NotTraceable("initial= of an array with axes is not compiled")
    return first


def _from(name: str, x: Node, axes: tuple[int, ...], first: Node) -> Node:
    """The reduction of `first` and then `x`."""
    combine = ops.REDUCTIONS[name].combine
    if name == "prod" and axes and x.dtype.kind in "fc":
        # First of all, since a product may leave the range of its dtype on the way.
        if is_empty([x.shape[k] for k in axes]):
            return build.broadcast_to(first, build.reduce(name, x, axes).shape)
        start: Node = build.constant(True, BOOL)
        for k in axes:
            place = build.view(build.iota(x.shape[k]), x.shape, ((0, 1, k),))
            start = call("bitwise_and", start, call("equal", place, 0))
        return build.reduce(name, select(start, call(combine, first, x), x), axes)
    result = build.cast(call(combine, first, build.reduce(name, x, axes)), x.dtype)
    if name == "sum" and x.dtype.kind in "fc" and not _positive(first):
        # A sum of negative zeros alone is one: it begins with that of `first`.
        nothing = call("bitwise_and", call("equal", x, 0), _negative(x))
        nothing = build.reduce("all", nothing, axes)
        begin = build.broadcast_to(first, result.shape)
        result = select(call("bitwise_and", nothing, call("equal", first, 0)), begin, result)
    return result


def _negative(x: Node) -> Node:
    if x.dtype.kind != "c":
        return call("signbit", x)
    return call("bitwise_and", call("signbit", build.real(x)), call("signbit", build.imag(x)))


def _positive(x: Node) -> bool:
    """Whether `x` is known to be no negative zero."""
    if x.op is not ops.CONST:
        return False
    known = build.constant_value(x)
    return bool(known != 0) or not bool(np.signbit(known.real) or np.signbit(known.imag))


def accumulator(ufunc: np.ufunc, dtype: np.dtype[Any], wanted: Any) -> np.dtype[Any]:
    """The dtype in which NumPy reduces: sums and products of small integers use 64 bits."""
    if given(wanted):
        dtype = dtype_argument(wanted)
    elif ufunc in (np.add, np.multiply):
        if dtype.kind in "bi":
            dtype = INT64
        elif dtype.kind == "u":
            dtype = UINT64
    if ufunc in LOGICAL:
        return BOOL
    left, right, out = build.resolve(ufunc, (dtype, dtype))
    if not left == right == out:
        raise DTypeError(
            f"the resolved dtypes are not compatible with {ufunc.__name__}.reduce. "
            f"Resolved ({left!r}, {right!r}, {out!r})"
        )
    return supported(out)


def _masked(x: Node, where: Any, fill: Node) -> Node:
    mask = strong(where)
    if mask.dtype != BOOL:
        raise DTypeError(
            f"Cannot cast array data from {mask.dtype!r} to dtype('bool') according to the rule "
            "'safe'"
        )
    return select(build.broadcast_to(mask, x.shape), x, fill)


def refuse_empty(x: Node, axes: tuple[int, ...], text: str) -> None:
    """ValueError where there is nothing along `axes`: required, where only values tell."""
    if not has_elements(x.shape[k] for k in axes):
        raise ShapeError(text)


def _by_scan(
    ufunc: np.ufunc, x: Node, axes: tuple[int, ...], keepdims: Any, initial: Any, where: Any
) -> Tracer:
    """A reduction that has no row: the last of the running one."""
    if len(axes) > 1:
        raise ValueError(
            f"reduction operation '{ufunc.__name__}' is not reorderable, so at most one axis may "
            "be specified"
        )
    row = ops.row_of(ufunc)
    if row is None or row.nin != 2 or given(initial) or where is not True or ufunc in UNFIT:
        raise NotTraceable(f"{ufunc.__name__}.reduce is not compiled")
    if not axes:
        return value(x)
    if ufunc.identity is not None and is_empty([x.shape[axes[0]]]):
        raise NotTraceable(f"{ufunc.__name__}.reduce of an empty array is not compiled")
    refuse_empty(
        x, axes, f"zero-size array to reduction operation {ufunc.__name__} which has no identity"
    )
    if ufunc in LOG_SUMS and x.dtype.char in "fd":
        result = _log_sum(x, axes, *LOG_SUMS[ufunc])
    else:
        result = last(build.accumulate(row.name, x, axes[0]), axes[0])
    return value(keep(result, axes) if keepdims is True else result)


def _log_sum(x: Node, axes: tuple[int, ...], power: str, logarithm: str) -> Node:
    """The logarithm of the sum of powers, whose largest is 1 where the elements are finite."""
    most = keep(build.reduce("max", x, axes), axes)
    shift = select(call("isfinite", most), most, build.broadcast_to(zero(x.dtype), most.shape))
    powers = call(power, call("subtract", x, shift))
    total = call(logarithm, build.reduce("sum", powers, axes))
    return call("add", total, build.reshape(shift, total.shape))


def last(x: Node, axis: int) -> Node:
    """The last slice of `x` along `axis`."""
    kept = [k for k in range(x.ndim) if k != axis]
    index = tuple(
        (dims.sub(d, 1), 1, None) if k == axis else (0, 1, kept.index(k))
        for k, d in enumerate(x.shape)
    )
    return build.view(x, tuple(x.shape[k] for k in kept), index)


def accumulate(ufunc: np.ufunc, array: Any, axis: Any, dtype: Any = None) -> Tracer:
    """``ufunc.accumulate``."""
    x = strong(array)
    if x.ndim == 0:
        raise TypeError("cannot accumulate on a scalar")
    row = ops.row_of(ufunc)
    if row is None or row.nin != 2:
        raise NotTraceable(f"{ufunc.__name__}.accumulate is not compiled")
    x = build.cast(x, accumulator(ufunc, x.dtype, dtype))
    if row.trap and x.dtype.kind in row.trap_kinds:
        raise NotTraceable(f"{ufunc.__name__}.accumulate of integers is not compiled")
    return value(build.accumulate(row.name, x, axis_index(axis, x.ndim)))


def _function(ufunc: np.ufunc, *functions: Any) -> None:
    """Declare the NumPy functions that are a ufunc's ``reduce`` over all axes by default."""

    def plain(
        a: Any,
        axis: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = np._NoValue,
        where: Any = True,
    ) -> Tracer:
        return reduce(ufunc, a, axis, None, keepdims, initial, where)

    def typed(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = np._NoValue,
        where: Any = True,
    ) -> Tracer:
        return reduce(ufunc, a, axis, dtype, keepdims, initial, where)

    implements(*functions)(typed if ufunc in (np.add, np.multiply) else plain)


_function(np.add, np.sum)
_function(np.multiply, np.prod)
_function(np.maximum, np.max, np.amax)
_function(np.minimum, np.min, np.amin)


@implements(np.any)
def any_(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
) -> Tracer:
    """``np.any``."""
    return reduce(np.logical_or, a, axis, None, keepdims, np._NoValue, where)


@implements(np.all)
def all_(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
) -> Tracer:
    """``np.all``."""
    return reduce(np.logical_and, a, axis, None, keepdims, np._NoValue, where)


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: Any = False) -> Tracer:
    """``np.count_nonzero``."""
    x = strong(a)
    axes = reduced_axes(axis, x.ndim)
    result = build.reduce("sum", build.cast(build.cast(x, BOOL), INT64), axes)
    return value(keep(result, axes) if keepdims is True else result)


def _position(name: str, a: Any, axis: Any, keepdims: Any) -> Tracer:
    x = strong(a)
    if given(axis) and not x.ndim:
        axis_index(axis, 1)
        axis = None
    axes = (axis_index(axis, x.ndim),) if given(axis) else tuple(range(x.ndim))
    refuse_empty(x, axes, f"attempt to get {name} of an empty sequence")
    if not axes:
        result = zero(INT64)
    else:
        result = build.reduce(name, build.cast(x, UINT8) if x.dtype == BOOL else x, axes)
    return value(keep(result, axes) if keepdims is True else result)


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Tracer:
    """``np.argmax``."""
    return _position("argmax", a, axis, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Tracer:
    """``np.argmin``."""
    return _position("argmin", a, axis, keepdims)


def _running(ufunc: np.ufunc, a: Any, axis: Any, dtype: Any) -> Tracer:
    x = wrap(a)
    if not given(axis) or not x.node.ndim:
        if given(axis):
            axis_index(axis, 1)
        node = strong(x)
        x, axis = Tracer(build.reshape(node, (build.size(node),))), 0
    return accumulate(ufunc, x, axis, dtype)


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Tracer:
    """``np.cumsum``."""
    return _running(np.add, a, axis, dtype)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Tracer:
    """``np.cumprod``."""
    return _running(np.multiply, a, axis, dtype)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Tracer:
    """``np.ptp``: maximum less minimum."""
    high = reduce(np.maximum, a, axis, None, keepdims)
    return value(call("subtract", high, reduce(np.minimum, a, axis, None, keepdims)))
