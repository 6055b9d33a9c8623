"""Making arrays, under Theano's names and by its rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.symbolic.convert import as_tensor_variable, cast, constant
from tracejit.symbolic.elementwise import apply_row
from tracejit.symbolic.graph import Constant, Variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.type import TensorType, dtype_name
from tracejit.tensor import basic
from tracejit.tensor.nparray import numpy_op


def alloc(value: Any, *shape: Any) -> Any:
    """`value` broadcast to a shape of ints and integer scalars."""
    value = as_tensor_variable(value)
    if len(shape) == 1 and isinstance(shape[0], (list, tuple)):
        shape = tuple(shape[0])
    entries = basic.lengths(shape)
    if value.ndim > len(entries):
        raise TypeError(
            f"The value of {value.ndim} axes has more than the {len(entries)} asked for"
        )
    pattern = basic.ones_of(entries)
    lead = (True,) * (len(entries) - value.ndim) + value.broadcastable
    kind = TensorType(value.dtype, pattern)
    return apply("alloc", [value, *entries], lead, [kind])[0]


def _shape_given(shape: Any) -> list[Any]:
    return basic.lengths(
        shape if isinstance(shape, (list, tuple, Variable, np.ndarray)) else [shape]
    )


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Zeros of `dtype` (floatX)."""
    dtype = dtype_name("floatX" if dtype is None else dtype)
    return alloc(constant(0, dtype=dtype), *_shape_given(shape))


def ones(shape: Any, dtype: Any = None) -> Any:
    """Ones of `dtype` (floatX)."""
    dtype = dtype_name("floatX" if dtype is None else dtype)
    return alloc(constant(1, dtype=dtype), *_shape_given(shape))


def fill(model: Any, value: Any) -> Any:
    """`value` in the shape of `model`; it has the dtype of `value`."""
    model, value = as_tensor_variable(model), as_tensor_variable(value)
    if not model.ndim:
        return value
    entries = [basic.shape_i(model, k) for k in range(model.ndim)]
    lead = (True,) * (model.ndim - value.ndim) + value.broadcastable
    kind = TensorType(value.dtype, model.broadcastable)
    return apply("alloc", [value, *entries], lead, [kind])[0]


second = fill


def zeros_like(model: Any, dtype: Any = None, opt: bool = False) -> Any:
    """Zeros in the shape of `model`."""
    model = as_tensor_variable(model)
    return fill(model, constant(0, dtype=model.dtype if dtype is None else dtype))


def ones_like(model: Any, dtype: Any = None, opt: bool = False) -> Any:
    """Ones in the shape of `model`."""
    model = as_tensor_variable(model)
    return fill(model, constant(1, dtype=model.dtype if dtype is None else dtype))


def eye(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    """Ones on the `k`-th diagonal of an (n, m) matrix."""
    dtype = dtype_name("floatX" if dtype is None else dtype)
    n = as_tensor_variable(n)
    m = n if m is None else as_tensor_variable(m)
    rows = basic.dimshuffle(arange(n), (0, "x"))
    columns = basic.dimshuffle(arange(m), ("x", 0))
    return cast(apply_row("equal", apply_row("add", rows, k), columns), dtype)


def identity_like(x: Any) -> Any:
    """The identity matrix in the shape of `x`."""
    x = as_tensor_variable(x)
    return eye(basic.shape_i(x, 0), basic.shape_i(x, 1), 0, x.dtype)


def tri(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    """Ones at and below the `k`-th diagonal."""
    dtype = dtype_name("floatX" if dtype is None else dtype)
    m = n if m is None else m
    rows, columns = basic.dimshuffle(arange(n), (0, "x")), basic.dimshuffle(arange(m), ("x", 0))
    return cast(apply_row("greater_equal", apply_row("add", rows, k), columns), dtype)


def tril(m: Any, k: Any = 0) -> Any:
    """The lower triangle of a matrix, times 0 elsewhere: nan stays nan."""
    return _times_mask(m, k, lower=True)


def triu(m: Any, k: Any = 0) -> Any:
    """The upper triangle of a matrix, times 0 elsewhere: nan stays nan."""
    return _times_mask(m, apply_row("subtract", k, 1), lower=False)


def _times_mask(m: Any, k: Any, lower: bool) -> Any:
    m = as_tensor_variable(m)
    mask = tri(basic.shape_i(m, 0), basic.shape_i(m, 1), k, "bool")
    if not lower:
        mask = apply_row("logical_not", mask)
    return apply_row("multiply", m, cast(mask, m.dtype))


def triangle(m: Any, k: Any, lower: bool) -> Any:
    """`m` at and below its `k`-th diagonal, or above it, whatever is elsewhere."""
    m = as_tensor_variable(m)
    below = tri(basic.shape_i(m, 0), basic.shape_i(m, 1), k, "bool")
    zero = constant(np.zeros((), m.dtype))
    return apply_row("where", below, *((m, zero) if lower else (zero, m)))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """``start, start + step, …`` below `stop`: int64 for integers, else floats."""
    if stop is None:
        start, stop = 0, start
    items = [as_tensor_variable(v) for v in (start, stop, step)]
    found = np.result_type(*(np.dtype(v.dtype) for v in items))
    if dtype is None:
        dtype = "int64" if found.kind in "iub" else found.name
        if found.kind == "f" and all(isinstance(v, Constant) for v in items):
            dtype = config.floatX
    dtype = dtype_name(dtype)
    whole = found.kind in "iub"
    result = numpy_op(
        "arange", (items[0], items[1], items[2]), {}, lengths=whole,
        types=[TensorType("int64" if whole else found.name, [False])],
    )  # fmt: skip
    return cast(result, dtype)


def diag(v: Any, k: int = 0) -> Any:
    """A diagonal matrix of a vector, or the diagonal of a matrix."""
    v = as_tensor_variable(v)
    if v.ndim not in (1, 2):
        raise ValueError(f"diag() is for vectors and matrices, not arrays of {v.ndim} axes")
    kind = TensorType(v.dtype, (False,) * (3 - v.ndim))
    return numpy_op("diag", (v, k), types=[kind])


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal over two axes."""
    return numpy_op("diagonal", (as_tensor_variable(x), offset, axis1, axis2))


__all__ = [
    "alloc",
    "arange",
    "diag",
    "diagonal",
    "eye",
    "fill",
    "identity_like",
    "ones",
    "ones_like",
    "second",
    "tri",
    "tril",
    "triu",
    "zeros",
    "zeros_like",
]
