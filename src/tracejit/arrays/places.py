"""Places of several axes as one number and back, bits of bytes, choices by number, repeats."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays import late
from tracejit.arrays.common import (
    at_least,
    axis_index,
    broadcast,
    call,
    check_cast,
    common_dtype,
    dim_node,
    length,
    listed,
    shape_argument,
    strong,
)
from tracejit.errors import DTypeError, NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, INT64, UINT8
from tracejit.trace.tables import METHODS, implements, method
from tracejit.trace.tracer import Tracer, operand, supported, value

_MODES = ("raise", "wrap", "clip")


def _required(holds: Node) -> None:
    every = build.reduce("all", holds, tuple(range(holds.ndim)))
    build.solver().require(every, every, every)


def _mode(mode: Any) -> str:
    if mode not in _MODES:
        raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")
    return str(mode)


def _placed(i: Node, length: Dim, mode: str) -> Node:
    """Positions on an axis, which a mode brings there, or NumPy refuses."""
    n = dim_node(length)
    if mode == "wrap":
        return call("remainder", i, n)
    if mode == "clip":
        return call("minimum", call("maximum", i, 0), call("subtract", n, 1))
    _required(call("logical_and", call("greater_equal", i, 0), call("less", i, n)))
    return i


def _whole(x: Any) -> Node:
    node = strong(x)
    if node.dtype.kind not in "iu":
        raise TypeError("only int indices permitted")
    return build.cast(node, INT64)


def _order(order: Any) -> bool:
    if order not in ("C", "F"):
        raise ValueError(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})")
    return bool(order == "F")


# Places -----------------------------------------------------------------------------------------


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Tracer:
    """``np.ravel_multi_index``."""
    lengths = shape_argument(dims)
    rows = list(multi_index) if isinstance(multi_index, Tracer) else listed(multi_index)
    if len(rows) != len(lengths):
        raise ValueError(f"parameter multi_index must be a sequence of length {len(lengths)}")
    modes = [mode] * len(rows) if isinstance(mode, str) else list(mode)
    places = broadcast(*map(_whole, rows))
    places = [_placed(p, n, _mode(m)) for p, n, m in zip(places, lengths, modes, strict=True)]
    pairs = list(zip(places, lengths, strict=True))
    total: Node | None = None
    for place, n in pairs[::-1] if _order(order) else pairs:
        more = place if total is None else call("multiply", total, dim_node(n))
        total = more if total is None else call("add", more, place)
    assert total is not None
    return value(total)


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Tracer, ...]:
    """``np.unravel_index``."""
    lengths = shape_argument(shape)
    at = _whole(indices)
    size = dims.product(lengths)
    _required(call("logical_and", call("greater_equal", at, 0), call("less", at, dim_node(size))))
    forwards = _order(order)
    found: list[Node] = []
    for n in lengths if forwards else lengths[::-1]:
        found.append(call("remainder", at, dim_node(n)))
        at = call("floor_divide", at, dim_node(n))
    return tuple(value(f) for f in (found if forwards else found[::-1]))


# Choices ----------------------------------------------------------------------------------------


@implements(np.choose)
@method("choose")
def choose(a: Any, choices: Any, out: Any = None, mode: Any = "raise") -> Tracer:
    """``np.choose``: from the first of several arrays that a number names."""
    at = _whole(a) if strong(a).dtype != BOOL else build.cast(strong(a), INT64)
    rows = list(choices)
    if not rows:
        raise ValueError("0-length sequence.")
    dtype = supported(common_dtype(*(operand(Tracer(strong(r))) for r in rows)))
    at, *values = broadcast(at, *(build.cast(strong(r), dtype) for r in rows))
    at = _placed(at, len(rows), _mode(mode))
    result = values[-1]
    for k in range(len(rows) - 2, -1, -1):
        result = build.where(call("equal", at, k), values[k], result)
    return value(result)


# Repeats ----------------------------------------------------------------------------------------


def repeated(x: Node, counts: Node, axis: int) -> Tracer:
    """Each element along an axis as often as its count tells."""
    check_cast(counts.dtype, INT64, "safe")
    counts = build.cast(counts, INT64)
    n = x.shape[axis]
    if counts.ndim > 1:
        raise ValueError("object too deep for desired array")
    if not counts.ndim or (isinstance(counts.shape[0], int) and counts.shape[0] == 1):
        counts = build.broadcast_to(counts, (n,))
    elif not build.solver().equal(counts.shape[0], n):
        raise ValueError("operands could not be broadcast together with shape of the counts")
    _required(call("greater_equal", counts, 0))
    ends = build.accumulate("add", counts, 0)
    total = METHODS["convert"](int, value(build.reduce("sum", counts, (0,))))
    length: Dim = total if isinstance(total, int) else late.larger(dims.from_node(total.node), 0)
    # How many of the elements have ended before each place.
    one = build.broadcast_to(build.constant(1, INT64), ends.shape)
    marks = build.full((dims.add(length, 1),), build.constant(0, INT64))
    marks = build.scatter(marks, one, [ends], [False], "add")
    at = build.accumulate("add", build.view(marks, (length,), ((0, 1, 0),)), 0)
    shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
    picks = tuple(("index", 0) if k == axis else ("axis", k) for k in range(x.ndim))
    at = build.expand_dims(at, [1 + k for k in range(x.ndim - axis - 1)])
    return Tracer(build.gather(x, shape, picks, at))


# Bits -------------------------------------------------------------------------------------------


def _weights(bitorder: str) -> np.ndarray:
    if bitorder not in ("big", "little"):
        raise ValueError("'order' must be either 'little' or 'big'")
    shifts = np.arange(8)
    return shifts[::-1] if bitorder == "big" else shifts


@implements(np.packbits)
def packbits(a: Any, /, axis: Any = None, bitorder: str = "big") -> Tracer:
    """``np.packbits``: eight truth values a byte."""
    x = strong(a)
    if x.dtype.kind not in "biu":
        raise TypeError("Expected an input array of integer or boolean data type")
    shifts = _weights(bitorder)
    x = build.cast(build.cast(x, BOOL), UINT8)
    if axis is None:
        x, axis = build.reshape(x, (build.size(x),)), 0
    elif not x.ndim:
        raise NotTraceable("np.packbits of a scalar is not compiled")
    k = axis_index(axis, x.ndim)
    n = x.shape[k]
    count = dims.floordiv(dims.add(n, 7), 8)
    result: Node | None = None
    places = build.iota(count)
    shape = (*x.shape[:k], count, *x.shape[k + 1 :])
    picks = tuple(("index", 0) if j == k else ("axis", j) for j in range(x.ndim))
    end = call("subtract", dim_node(n), 1)
    for bit, shift in enumerate(shifts.tolist()):
        at = call("add", call("multiply", places, 8), bit)
        inside = call("less_equal", at, end)
        after = [1 + j for j in range(x.ndim - k - 1)]
        at = build.expand_dims(call("maximum", call("minimum", at, end), 0), after)
        one = build.gather(x, shape, picks, at)
        one = build.where(build.expand_dims(inside, after), one, build.constant(0, UINT8))
        one = call("left_shift", one, build.constant(shift, UINT8))
        result = one if result is None else call("bitwise_or", result, one)
    assert result is not None
    return Tracer(result)


@implements(np.unpackbits)
def unpackbits(a: Any, /, axis: Any = None, count: Any = None, bitorder: str = "big") -> Tracer:
    """``np.unpackbits``: the bits of each byte."""
    x = strong(a)
    if x.dtype != UINT8:
        raise DTypeError("Expected an input array of unsigned byte data type")
    shifts = _weights(bitorder)
    if axis is None:
        x, axis = build.reshape(x, (build.size(x),)), 0
    elif not x.ndim:
        raise NotTraceable("np.unpackbits of a scalar is not compiled")
    k = axis_index(axis, x.ndim)
    whole = dims.mul(x.shape[k], 8)
    by = build.cast(build.solver().array_input(shifts.astype(np.uint8)).node, UINT8)
    wide = build.expand_dims(x, (k + 1,))
    by = build.expand_dims(by, [1 + j for j in range(x.ndim - k - 1)])
    bits = call("bitwise_and", call("right_shift", wide, by), build.constant(1, UINT8))
    flat = build.reshape(bits, (*x.shape[:k], whole, *x.shape[k + 1 :]))
    if count is None:
        return Tracer(flat)
    key: list[Any] = [slice(None)] * x.ndim
    key[k] = slice(None, count)
    more = dims.sub(length(count), whole)
    if not at_least(0, more):  # zeros follow
        shape = (*x.shape[:k], more, *x.shape[k + 1 :])
        zeros = build.full(shape, build.constant(0, UINT8))
        return Tracer(build.concatenate([flat, zeros], k))
    return Tracer(flat)[tuple(key)]
