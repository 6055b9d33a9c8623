"""Values as symbolic variables: constants, and lists joined to arrays; casts and the order of axes.

Constants take the smallest dtype that holds them, and axes broadcast by their static pattern:
Theano's rules.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.symbolic.graph import Constant, Variable, leaves
from tracejit.symbolic.infer import apply
from tracejit.symbolic.replay import replay
from tracejit.symbolic.type import TensorType, dtype_name
from tracejit.symbolic.variables import TensorConstant


class AsTensorError(TypeError):
    """A value of which no tensor variable can be made."""


# Constants -------------------------------------------------------------------------------------


def autocast(value: Any) -> np.ndarray:
    """A Python number as an array of the smallest dtype that holds it (Theano's rule).

    An int takes int8, int16, int32 or int64; a float takes float32 if that is exact or is
    ``config.floatX``, else float64. Under ``config.cast_policy = "numpy+floatX"`` ints are int64
    and floats floatX.
    """
    if isinstance(value, int):
        if config.cast_policy == "numpy+floatX":
            return np.asarray(value, np.int64)
        for name in ("int8", "int16", "int32", "int64"):
            info = np.iinfo(name)
            if info.min <= value <= info.max:
                return np.asarray(value, name)
        return np.asarray(value)
    if isinstance(value, float):
        if config.floatX == "float32" or config.cast_policy == "numpy+floatX":
            return np.asarray(value, config.floatX)
        with np.errstate(all="ignore"):
            exact = float(np.float32(value)) == value or value != value
        return np.asarray(value, "float32" if exact else "float64")
    return np.asarray(value)


def constant(x: Any, name: str | None = None, ndim: int | None = None, dtype: Any = None) -> Any:
    """A constant variable. Axes of length 1 broadcast; `ndim` adds leading ones."""
    if isinstance(x, Variable):
        raise TypeError("constant() takes a value, not a Variable")
    if dtype is not None:
        array = np.array(x, dtype_name(dtype))
    elif isinstance(x, (np.ndarray, np.generic)):
        array = np.array(x)
    elif isinstance(x, (int, float, complex)) and not isinstance(x, bool):
        array = autocast(x)
    else:
        array = np.array(x)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"constant() cannot make an array of {x!r}")
    if ndim is not None:
        if array.ndim > ndim:
            raise ValueError(f"ndim={ndim} is less than the value's {array.ndim}")
        array = array.reshape((1,) * (ndim - array.ndim) + array.shape)
    array.flags.writeable = False
    kind = TensorType(array.dtype, [n == 1 for n in array.shape])
    return TensorConstant(kind, array, name)


def as_tensor_variable(x: Any, name: str | None = None, ndim: int | None = None) -> Any:
    """`x` as a variable: a variable itself, a number, an array, or a nested list of these."""
    if hasattr(x, "_as_TensorVariable"):
        return x._as_TensorVariable()
    if isinstance(x, Variable):
        if not isinstance(x.type, TensorType):
            raise AsTensorError(f"Variable type field must be a TensorType, not {x.type}", x)
        if ndim is None or x.type.ndim == ndim:
            return x
        if x.type.ndim > ndim:
            if not all(x.type.broadcastable[: x.type.ndim - ndim]):
                raise ValueError(
                    f"{x} has {x.type.ndim} axes and cannot become one of {ndim}: its leading axes "
                    "do not broadcast"
                )
            return dimshuffle(x, range(x.type.ndim - ndim, x.type.ndim))
        return shape_padleft(x, ndim - x.type.ndim)
    if isinstance(x, (list, tuple)) and any(_holds_variable(v) for v in x):
        return stack([as_tensor_variable(v) for v in x])
    if isinstance(x, (bool, np.bool_)):
        raise AsTensorError(
            "Cannot cast True or False as a tensor variable. Please use np.array(True) or "
            "np.array(False) if you need these constants. This error might be caused by using the "
            "== operator on Variables. v == w does not do what you think it does, use "
            "tracejit.tensor.eq(v, w) instead."
        )
    try:
        return constant(x, name, ndim)
    except (TypeError, ValueError) as error:
        raise AsTensorError(f"Cannot convert {x!r} to TensorType: {error}") from None


def _holds_variable(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(map(_holds_variable, x))
    return isinstance(x, Variable)


# Casts and axes --------------------------------------------------------------------------------


def cast(x: Any, dtype: Any) -> Any:
    """`x` as `dtype` ("floatX" allowed); complex numbers do not become real ones."""
    x, name = as_tensor_variable(x), dtype_name(dtype)
    if x.dtype == name:
        return x
    if x.dtype.startswith("complex") and not name.startswith("complex"):
        raise TypeError(
            "Casting from complex to real is ambiguous: consider real(), imag(), abs_()"
        )
    if isinstance(x, Constant) and not x.type.ndim:
        with np.errstate(all="ignore"):
            return constant(x.data.astype(name))
    return applied("cast", [x], name)


def applied(row: str, operands: list[Any], dtype: str) -> Any:
    """Row `row` of the elementwise table over operands that broadcast; the result has `dtype`."""
    ndim = max(v.ndim for v in operands)
    patterns = tuple(
        (True,) * (ndim - v.ndim) + v.broadcastable if v.ndim else (True,) * ndim for v in operands
    )
    operands = [v if v.ndim in (0, ndim) else shape_padleft(v, ndim - v.ndim) for v in operands]
    pattern = [all(p[k] for p in patterns) for k in range(ndim)]
    (result,) = apply("elemwise", operands, (row, dtype, patterns), [TensorType(dtype, pattern)])
    return result


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


def shape_padleft(x: Any, n_ones: int = 1) -> Any:
    """`n_ones` axes that broadcast, before the others."""
    x = as_tensor_variable(x)
    return dimshuffle(x, ["x"] * n_ones + list(range(x.ndim)))


def shape_padaxis(x: Any, axis: int) -> Any:
    """An axis that broadcasts, at position `axis`."""
    x = as_tensor_variable(x)
    order: list[Any] = list(range(x.ndim))
    if not -(x.ndim + 1) <= axis <= x.ndim:
        raise IndexError(f"axis {axis} is out of bounds for a result of {x.ndim + 1} axes")
    order.insert(axis if axis >= 0 else axis + x.ndim + 1, "x")
    return dimshuffle(x, order)


def patternbroadcast(x: Any, broadcastable: Any) -> Any:
    """`x` with another broadcast pattern; axes that newly broadcast must have length 1."""
    x, pattern = as_tensor_variable(x), tuple(map(bool, broadcastable))
    if pattern == x.broadcastable:
        return x
    return apply("rebroadcast", [x], pattern, [TensorType(x.dtype, pattern)])[0]


# Joining ---------------------------------------------------------------------------------------


class NotScalarConstantError(Exception):
    """A scalar whose value is not constant."""


def get_scalar_constant_value(x: Any) -> Any:
    """The value of a scalar whose graph has no inputs, as a 0-d array.

    NotScalarConstantError where it has.
    """
    v = as_tensor_variable(x)
    if v.ndim and not all(v.broadcastable):
        raise NotScalarConstantError(f"{v} is not a scalar")
    if not all(isinstance(leaf, Constant) for leaf in leaves([v])):
        raise NotScalarConstantError(f"{v} is not constant")
    return np.asarray(replay([v], {})[0]).reshape(())


def make_vector(*scalars: Any, dtype: str = "int64") -> Any:
    """A vector of scalars."""
    items = [as_tensor_variable(s) for s in scalars]
    return apply("make_vector", items, dtype, [TensorType(dtype, [len(items) == 1])])[0]


def is_made(x: Any) -> bool:
    """Whether `x` is a vector of lengths or other integers that are scalars of their own."""
    return x.owner is not None and x.owner.opcode == "make_vector" and x.dtype == "int64"


def scalars_of(x: Any) -> list[Any] | None:
    """The elements of such a vector, or of a constant one of integers; else None."""
    if is_made(x):
        return list(x.owner.inputs)
    if isinstance(x, Constant) and x.data.ndim == 1 and x.data.dtype.kind == "i":
        return [constant(n) for n in x.data]
    return None


def join(axis: Any, *tensors: Any) -> Any:
    """`tensors` one after the other along `axis`."""
    parts = [as_tensor_variable(t) for t in tensors]
    if not parts:
        raise ValueError("Cannot join an empty list of tensors")
    if isinstance(axis, Variable):
        axis = int(get_scalar_constant_value(axis))
    ndim = parts[0].ndim
    if any(p.ndim != ndim for p in parts):
        raise TypeError(f"Join() can only join tensors with the same number of dimensions: {parts}")
    if ndim == 0:
        raise TypeError("Join cannot handle arguments of dimension 0. Use T.stack.")
    if not -ndim <= axis < ndim:
        raise IndexError(f"Join axis {axis} out of bounds [{-ndim}, {ndim})")
    axis %= ndim
    dtype = np.result_type(*(np.dtype(p.dtype) for p in parts)).name
    parts = [cast(p, dtype) for p in parts]
    if len(parts) == 1:
        return parts[0]
    if ndim == 1 and dtype == "int64" and any(map(is_made, parts)):
        scalars = [scalars_of(p) for p in parts]
        if None not in scalars:
            return make_vector(*(s for found in scalars for s in found or ()))
    # An axis broadcasts where any part's does: then the others must have length 1 too.
    pattern = [any(p.broadcastable[k] for p in parts) for k in range(ndim)]
    pattern[axis] = False
    return apply("join", parts, (axis, tuple(pattern)), [TensorType(dtype, pattern)])[0]


def stack(tensors: Any, *rest: Any, axis: int = 0) -> Any:
    """A list of tensors of one shape along a new axis: ``stack(tensors, axis=0)``.

    Tensors as operands, ``stack(a, b)``, are taken with a DeprecationWarning.
    """
    if not isinstance(tensors, (list, tuple)):
        warnings.warn(
            "stack(*tensors) interface is deprecated, use stack(tensors, axis=0) instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        tensors = (tensors, *rest)
    elif rest:
        (axis,) = rest
    parts = [as_tensor_variable(t) for t in tensors]
    if not parts:
        raise ValueError("stack() needs at least one tensor")
    if all(p.ndim == 0 for p in parts):
        dtype = np.result_type(*(np.dtype(p.dtype) for p in parts)).name
        return make_vector(*(cast(p, dtype) for p in parts), dtype=dtype)
    return join(axis, *(shape_padaxis(p, axis) for p in parts)) if len(parts) > 1 else (
        shape_padaxis(parts[0], axis)
    )  # fmt: skip
