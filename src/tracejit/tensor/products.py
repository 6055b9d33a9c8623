"""Products of vectors and matrices, under Theano's names and by its rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.elementwise import apply_row
from tracejit.symbolic.infer import apply
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic
from tracejit.tensor.nparray import numpy_op


def _same_float(*xs: Any) -> list[Any]:
    operands = [as_tensor_variable(x) for x in xs]
    dtype = np.result_type(*(np.dtype(v.dtype) for v in operands)).name
    return [cast(v, dtype) for v in operands]


def dot(a: Any, b: Any) -> Any:
    """The product of vectors and matrices; of a scalar elementwise; else NumPy's ``dot``."""
    if hasattr(type(a), "__dot__"):
        return a.__dot__(b)
    if hasattr(type(b), "__rdot__"):
        return b.__rdot__(a)
    a, b = _same_float(a, b)
    if not (a.ndim and b.ndim):
        return apply_row("multiply", a, b)
    if b.ndim > 2 or a.ndim > 2:
        return tensordot(a, b, [[a.ndim - 1], [max(0, b.ndim - 2)]])
    pattern = [*a.broadcastable[:-1], *(b.broadcastable[1:])]
    kind = TensorType(a.dtype, pattern)
    return apply("numpy", [a, b], numpy_op.attr("dot", 2), [kind])[0]


def outer(x: Any, y: Any) -> Any:
    """The outer product of two arrays as vectors."""
    x, y = (v if v.ndim == 1 else basic.flatten(v) for v in map(as_tensor_variable, (x, y)))
    return apply_row("multiply", basic.dimshuffle(x, (0, "x")), basic.dimshuffle(y, ("x", 0)))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum of products over several axes."""
    a, b = _same_float(a, b)
    return numpy_op("tensordot", (a, b, axes))


def batched_dot(a: Any, b: Any) -> Any:
    """The product of each pair of slices along the first axes."""
    a, b = _same_float(a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise TypeError("batched_dot() needs operands with a first axis")
    # NumPy's products broadcast a first axis of length 1.
    rest = [basic.shape_i(b, k) for k in range(1, b.ndim)]
    b = basic.specify_shape(b, [basic.shape_i(a, 0), *rest])
    if a.ndim == 3 and b.ndim == 3:
        return numpy_op("matmul", (a, b))
    if a.ndim == 1 or b.ndim == 1:
        small, large = (a, b) if a.ndim == 1 else (b, a)
        order = [0, *["x"] * (large.ndim - 1)]
        return apply_row("multiply", basic.dimshuffle(small, order), large)
    return batched_tensordot(a, b, [[a.ndim - 1], [max(1, b.ndim - 2)]])


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """`tensordot` of each pair of slices along the first axes."""
    x, y = _same_float(x, y)
    if isinstance(axes, int):
        axes = [list(range(x.ndim - axes, x.ndim)), list(range(1, 1 + axes))]
    left, right = (list(map(int, np.atleast_1d(a))) for a in axes)
    letters = iter("bcdefghijklmnopqrstuvwxyz")
    first = ["a", *(next(letters) for _ in range(x.ndim - 1))]
    second = ["a", *(next(letters) for _ in range(y.ndim - 1))]
    for i, j in zip(left, right, strict=True):
        second[j] = first[i]
    out = [c for k, c in enumerate(first) if k not in left]
    out += [c for k, c in enumerate(second) if k and k not in right]
    return numpy_op("einsum", (f"{''.join(first)},{''.join(second)}->{''.join(out)}", x, y))


__all__ = [
    "batched_dot",
    "batched_tensordot",
    "dot",
    "outer",
    "tensordot",
]
