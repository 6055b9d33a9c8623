"""Shapes and the order of axes, under Theano's names and by its rules."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.symbolic.convert import (
    NotScalarConstantError,
    as_tensor_variable,
    constant,
    dimshuffle,
    get_scalar_constant_value,
    make_vector,
    patternbroadcast,
    scalars_of,
    shape_padaxis,
    shape_padleft,
)
from tracejit.symbolic.elementwise import apply_row
from tracejit.symbolic.graph import Constant
from tracejit.symbolic.infer import apply
from tracejit.symbolic.type import TensorType


def shape_i(x: Any, axis: int) -> Any:
    """The length of one axis, an int64 scalar."""
    x = as_tensor_variable(x)
    if isinstance(x, Constant):
        return constant(np.int64(x.data.shape[axis]))
    if x.broadcastable[axis]:
        return constant(np.int64(1))
    owner = x.owner
    if owner is not None and owner.opcode == "make_vector":
        return constant(np.int64(len(owner.inputs)))
    if owner is not None and owner.opcode == "elemwise":  # the same as that of an operand
        for v, pattern in zip(owner.inputs, owner.attr[2], strict=True):
            if not pattern[axis]:
                return shape_i(v, axis)
    return apply("shape_i", [x], axis, [TensorType("int64", ())])[0]


def shape(x: Any) -> Any:
    """The shape of `x`, a vector of int64."""
    x = as_tensor_variable(x)
    return make_vector(*(shape_i(x, k) for k in range(x.ndim)))


def size(x: Any) -> Any:
    """The number of elements of `x`."""
    x = as_tensor_variable(x)
    total: Any = constant(np.int64(1))
    for k in range(x.ndim):
        total = shape_i(x, k) if k == 0 else apply_row("multiply", total, shape_i(x, k))
    return total


def static_length(x: Any) -> int | None:
    """The length of the first axis where it is known while the graph is built."""
    if x.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    if isinstance(x, Constant):
        return len(x.data)
    if x.owner is not None and x.owner.opcode == "make_vector":
        return len(x.owner.inputs)
    return 1 if x.broadcastable[0] else None


def lengths(shape: Any, ndim: int | None = None) -> list[Any]:
    """The entries of a shape: a tuple or list of ints and scalars, a scalar, or a vector."""
    if isinstance(shape, (tuple, list)):
        entries = [as_tensor_variable(s) for s in shape]
    else:
        vector = as_tensor_variable(shape)
        if vector.ndim == 0:
            entries = [vector]
        elif vector.ndim == 1:
            count = static_length(vector) if ndim is None else ndim
            if count is None:
                raise ValueError(
                    "the number of axes cannot be told from a symbolic shape: give ndim"
                )
            entries = scalars_of(vector) or _entries(vector, count)
        else:
            raise TypeError(f"a shape is a vector, not an array of {vector.ndim} axes")
    for entry in entries:
        if entry.ndim or np.dtype(entry.dtype).kind not in "iub":
            raise TypeError(f"Shape must be integers; got {entry} of {entry.type}")
    return entries


def _entries(vector: Any, count: int) -> list[Any]:
    whole = specify_shape(vector, (count,))
    return [whole[k] for k in range(count)]


def ones_of(entries: Sequence[Any]) -> list[bool]:
    return [isinstance(e, Constant) and int(e.data) == 1 for e in entries]


def reshape(x: Any, newshape: Any, ndim: int | None = None) -> Any:
    """`x` under another shape; one length may be -1. `ndim` is needed for a vector of lengths."""
    x, entries = as_tensor_variable(x), lengths(newshape, ndim)
    if ndim is not None and len(entries) != ndim:
        raise ValueError(f"ndim={ndim}, but the shape has {len(entries)} lengths")
    pattern = ones_of(entries)
    return apply("reshape", [x, *entries], tuple(pattern), [TensorType(x.dtype, pattern)])[0]


def specify_shape(x: Any, shape: Any) -> Any:
    """`x`, which must have this shape: else ValueError at run time."""
    x = as_tensor_variable(x)
    return apply("specify_shape", [x, *lengths(shape, x.ndim)])[0]


def flatten(x: Any, ndim: int | None = None, outdim: int | None = None) -> Any:
    """`x` with `ndim` axes (1): the trailing ones become one."""
    x = as_tensor_variable(x)
    ndim = outdim if ndim is None else ndim
    ndim = 1 if ndim is None else ndim
    if ndim < 1 or (ndim > 1 and ndim > x.ndim):
        raise ValueError(f"ndim {ndim} out of bound [1, {x.ndim + 1})")
    kept = [shape_i(x, k) for k in range(ndim - 1)]
    pattern = [*x.broadcastable[: ndim - 1], all(x.broadcastable[ndim - 1 :]) and x.ndim > 0]
    last = constant(np.int64(1)) if pattern[-1] else constant(np.int64(-1))
    operands = [x, *kept, last]
    return apply("reshape", operands, tuple(pattern), [TensorType(x.dtype, pattern)])[0]


def transpose(x: Any, axes: Any = None) -> Any:
    """Axes permuted, or reversed."""
    x = as_tensor_variable(x)
    order = range(x.ndim)[::-1] if axes is None else [int(a) % x.ndim for a in axes]
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"axes {axes} are no order of {x.ndim} axes")
    return dimshuffle(x, order)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    x = as_tensor_variable(x)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return dimshuffle(x, order)


def shape_padright(x: Any, n_ones: int = 1) -> Any:
    """`n_ones` axes that broadcast, after the others."""
    x = as_tensor_variable(x)
    return dimshuffle(x, list(range(x.ndim)) + ["x"] * n_ones)


def squeeze(x: Any) -> Any:
    """Without the axes that broadcast by their type."""
    x = as_tensor_variable(x)
    return dimshuffle(x, [k for k, b in enumerate(x.broadcastable) if not b])


def addbroadcast(x: Any, *axes: int) -> Any:
    """`x` whose `axes` broadcast: they must have length 1."""
    x = as_tensor_variable(x)
    return patternbroadcast(x, [b or k in axes for k, b in enumerate(x.broadcastable)])


def unbroadcast(x: Any, *axes: int) -> Any:
    """`x` whose `axes` no longer broadcast."""
    x = as_tensor_variable(x)
    return patternbroadcast(x, [b and k not in axes for k, b in enumerate(x.broadcastable)])


def tensor_copy(x: Any, name: str | None = None) -> Any:
    """A new variable of the same value."""
    x = as_tensor_variable(x)
    pattern = x.broadcastable
    (result,) = apply("elemwise", [x], ("cast", x.dtype, (pattern,)), [x.type])
    result.name = name
    return result


def __getattr__(name: str) -> Any:
    """Theano's module of this name has nearly all that ``tracejit.tensor`` has."""
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(sys.modules["tracejit.tensor"], name)


__all__ = [
    "NotScalarConstantError",
    "addbroadcast",
    "dimshuffle",
    "flatten",
    "get_scalar_constant_value",
    "make_vector",
    "patternbroadcast",
    "reshape",
    "shape",
    "shape_padaxis",
    "shape_padleft",
    "shape_padright",
    "size",
    "specify_shape",
    "squeeze",
    "swapaxes",
    "tensor_copy",
    "transpose",
    "unbroadcast",
]
