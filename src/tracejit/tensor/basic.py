"""Shapes and the order of axes, under Theano's names and by its rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.tensor.elemwise import as_tensor_variable, constant, elemwise
from tracejit.tensor.graph import Constant
from tracejit.tensor.infer import apply
from tracejit.tensor.type import TensorType


class NotScalarConstantError(Exception):
    """A scalar whose value is not constant."""


def shape_i(x: Any, axis: int) -> Any:
    """The length of one axis, an int64 scalar."""
    x = as_tensor_variable(x)
    if isinstance(x, Constant):
        return constant(np.int64(x.data.shape[axis]))
    if x.broadcastable[axis]:
        return constant(np.int64(1))
    owner = x.owner
    if owner is not None and owner.op == "make_vector":
        return constant(np.int64(len(owner.inputs)))
    if owner is not None and owner.op == "elemwise":  # the same as that of an operand
        for v, pattern in zip(owner.inputs, owner.attr[2], strict=True):
            if not pattern[axis]:
                return shape_i(v, axis)
    return apply("shape_i", [x], axis, [TensorType("int64", ())])[0]


def make_vector(*scalars: Any, dtype: str = "int64") -> Any:
    """A vector of scalars."""
    items = [as_tensor_variable(s) for s in scalars]
    return apply("make_vector", items, dtype, [TensorType(dtype, [len(items) == 1])])[0]


def is_made(x: Any) -> bool:
    """Whether `x` is a vector of lengths or other integers that are scalars of their own."""
    return x.owner is not None and x.owner.op == "make_vector" and x.dtype == "int64"


def scalars_of(x: Any) -> list[Any] | None:
    """The elements of such a vector, or of a constant one of integers; else None."""
    if is_made(x):
        return list(x.owner.inputs)
    if isinstance(x, Constant) and x.data.ndim == 1 and x.data.dtype.kind == "i":
        return [constant(n) for n in x.data]
    return None


def shape(x: Any) -> Any:
    """The shape of `x`, a vector of int64."""
    x = as_tensor_variable(x)
    return make_vector(*(shape_i(x, k) for k in range(x.ndim)))


def size(x: Any) -> Any:
    """The number of elements of `x`."""
    x = as_tensor_variable(x)
    total: Any = constant(np.int64(1))
    for k in range(x.ndim):
        total = shape_i(x, k) if k == 0 else elemwise("multiply", total, shape_i(x, k))
    return total


def static_length(x: Any) -> int | None:
    """The length of the first axis where it is known while the graph is built."""
    if x.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    if isinstance(x, Constant):
        return len(x.data)
    if x.owner is not None and x.owner.op == "make_vector":
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


def dimshuffle(x: Any, pattern: Any) -> Any:
    """Axes in a new order; "x" is a new one that broadcasts, and only such ones may be dropped."""
    x, pattern = as_tensor_variable(x), tuple(pattern)
    for k in pattern:
        if k != "x" and not (isinstance(k, (int, np.integer)) and 0 <= k < x.ndim):
            raise ValueError(
                f"new_order[{pattern.index(k)}] is {k!r}, but the input only has {x.ndim} axes."
            )
    axes = [int(k) for k in pattern if k != "x"]
    if len(set(axes)) != len(axes):
        raise ValueError(f"an axis is named twice in {pattern}")
    for k in range(x.ndim):
        if k not in axes and not x.broadcastable[k]:
            raise ValueError(
                f"You cannot drop a non-broadcastable dimension: axis {k} of {x.type}, in the "
                f"order {pattern}."
            )
    pattern = tuple(k if k == "x" else int(k) for k in pattern)
    if pattern == tuple(range(x.ndim)):
        return x
    new = [True if k == "x" else x.broadcastable[k] for k in pattern]
    return apply("dimshuffle", [x], pattern, [TensorType(x.dtype, new)])[0]


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


def shape_padleft(x: Any, n_ones: int = 1) -> Any:
    """`n_ones` axes that broadcast, before the others."""
    x = as_tensor_variable(x)
    return dimshuffle(x, ["x"] * n_ones + list(range(x.ndim)))


def shape_padright(x: Any, n_ones: int = 1) -> Any:
    """`n_ones` axes that broadcast, after the others."""
    x = as_tensor_variable(x)
    return dimshuffle(x, list(range(x.ndim)) + ["x"] * n_ones)


def shape_padaxis(x: Any, axis: int) -> Any:
    """An axis that broadcasts, at position `axis`."""
    x = as_tensor_variable(x)
    order: list[Any] = list(range(x.ndim))
    if not -(x.ndim + 1) <= axis <= x.ndim:
        raise IndexError(f"axis {axis} is out of bounds for a result of {x.ndim + 1} axes")
    order.insert(axis if axis >= 0 else axis + x.ndim + 1, "x")
    return dimshuffle(x, order)


def squeeze(x: Any) -> Any:
    """Without the axes that broadcast by their type."""
    x = as_tensor_variable(x)
    return dimshuffle(x, [k for k, b in enumerate(x.broadcastable) if not b])


def patternbroadcast(x: Any, broadcastable: Any) -> Any:
    """`x` with another broadcast pattern; axes that newly broadcast must have length 1."""
    x, pattern = as_tensor_variable(x), tuple(map(bool, broadcastable))
    if pattern == x.broadcastable:
        return x
    return apply("rebroadcast", [x], pattern, [TensorType(x.dtype, pattern)])[0]


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


def real(x: Any) -> Any:
    """The real part."""
    x = as_tensor_variable(x)
    return elemwise("real", x) if x.dtype.startswith("complex") else x


def imag(x: Any) -> Any:
    """The imaginary part."""
    from tracejit.tensor import creation

    x = as_tensor_variable(x)
    return elemwise("imag", x) if x.dtype.startswith("complex") else creation.zeros_like(x)


def get_scalar_constant_value(x: Any) -> Any:
    """The value of a scalar whose graph has no inputs, as a 0-d array.

    NotScalarConstantError where it has.
    """
    from tracejit.tensor.graph import leaves
    from tracejit.tensor.replay import replay

    v = as_tensor_variable(x)
    if v.ndim and not all(v.broadcastable):
        raise NotScalarConstantError(f"{v} is not a scalar")
    if not all(isinstance(leaf, Constant) for leaf in leaves([v])):
        raise NotScalarConstantError(f"{v} is not constant")
    return np.asarray(replay([v], {})[0]).reshape(())


__all__ = [
    "NotScalarConstantError",
    "addbroadcast",
    "dimshuffle",
    "flatten",
    "get_scalar_constant_value",
    "imag",
    "make_vector",
    "patternbroadcast",
    "real",
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
