"""Sorting and the largest elements, under Theano's names and by its rules."""

from __future__ import annotations

from typing import Any

from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic, creation
from tracejit.tensor.nparray import numpy_op


def sort(a: Any, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> Any:
    """Sorted along `axis`, or as a vector where that is None."""
    return _sorted("sort", a, axis, kind, order)


def argsort(a: Any, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> Any:
    """The order that sorts along `axis`, as int64."""
    return _sorted("argsort", a, axis, kind, order)


def _sorted(name: str, a: Any, axis: int | None, kind: str, order: Any) -> Any:
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")
    a = as_tensor_variable(a)
    if axis is None:
        a, axis = basic.flatten(a), 0
    if not -a.ndim <= axis < a.ndim:
        raise ValueError(f"axis {axis} is out of bounds for an array of {a.ndim} axes")
    dtype = "int64" if name == "argsort" else a.dtype
    return numpy_op(name, (a, axis, kind), types=[TensorType(dtype, a.broadcastable)])


def topk(
    x: Any, kth: int, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> Any:
    """The `kth` largest elements along `axis`, the largest first; of the ravel where that is None.

    A negative `kth` takes the smallest, the smallest first. They are in this order whether or not
    `sorted` asks for it. ValueError for 0.
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[0]


def argtopk(
    x: Any, kth: int, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> Any:
    """The positions of what `topk` gives, as `idx_dtype`."""
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[1]


def topk_and_argtopk(
    x: Any, kth: int, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> list[Any]:
    """``[topk, argtopk]``."""
    x = as_tensor_variable(x)
    if axis is None:
        x, axis = basic.flatten(x), 0
    axis %= x.ndim
    count = int(basic.get_scalar_constant_value(kth))
    if count == 0:
        raise ValueError("topk() of no elements")
    whole = (slice(None),) * axis
    order = argsort(x, axis)
    part = slice(None, -count) if count < 0 else slice(None, -count - 1, -1)
    places = order[(*whole, part)]
    key = [
        basic.dimshuffle(
            creation.arange(basic.shape_i(x, k)), ["x" if j != k else 0 for j in range(x.ndim)]
        )
        for k in range(x.ndim)
    ]
    key[axis] = places
    return [x[tuple(key)], cast(places, idx_dtype)]


__all__ = ["argsort", "argtopk", "sort", "topk", "topk_and_argtopk"]
