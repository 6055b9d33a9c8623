"""Less used functions, under the names of ``theano.tensor.extra_ops``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.type import TensorType
from tracejit.tensor import (
    basic,
    creation,
    elementwise,
    extra_functions,
    joining,
    reductions,
    subtensor,
)
from tracejit.tensor.nparray import numpy_op

bartlett = extra_functions.bartlett
unravel_index, ravel_multi_index = (
    extra_functions.unravel_index,
    extra_functions.ravel_multi_index,
)
squeeze = basic.squeeze
repeat = joining.repeat
cumsum, cumprod = reductions.cumsum, reductions.cumprod


def to_one_hot(y: Any, nb_class: Any, dtype: Any = None) -> Any:
    """A matrix of `dtype` (floatX) whose row `k` has a one at ``y[k]`` and zeros elsewhere."""
    y = as_tensor_variable(y)
    rows = basic.shape_i(y, 0)
    empty = creation.zeros((rows, nb_class), dtype)
    return subtensor.set_subtensor(empty[creation.arange(rows), y], 1)


def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    """The differences of neighbours along `axis`, taken `n` times."""
    return numpy_op("diff", (as_tensor_variable(x), n, axis))


def bincount(
    x: Any, weights: Any = None, minlength: Any = None, assert_nonneg: bool = False
) -> Any:
    """How often each number up to the maximum occurs in a vector of natural numbers.

    With `weights`, the sum of the weights of each. The counts have the dtype of `x` or of
    `weights`, and are at least `minlength`. TypeError for other ranks; ValueError at run time for
    negative numbers, whether or not `assert_nonneg` asks for it.
    """
    x = as_tensor_variable(x)
    if x.ndim != 1 or np.dtype(x.dtype).kind not in "biu":
        raise TypeError("Inputs must be integers of dimension 1.")
    dtype = x.dtype
    args: tuple[Any, ...] = (cast(x, "int64"),)
    if weights is not None:
        weights = as_tensor_variable(weights)
        dtype = weights.dtype
        args += (weights,)
    least = {} if minlength is None else {"minlength": as_tensor_variable(minlength)}
    wide = "int64" if weights is None else "float64"
    counts = numpy_op("bincount", args, least, lengths=True, types=[TensorType(wide, [False])])
    return cast(counts, dtype)


def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """The slices of `x` along `axis`, or elements of its ravel, where a vector is not zero."""
    return subtensor.take(x, subtensor.flatnonzero(condition), axis)


def searchsorted(x: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Where to insert each of `v` into a sorted vector `x`, as int64: as `numpy.searchsorted`."""
    x, v = as_tensor_variable(x), as_tensor_variable(v)
    if x.ndim != 1:
        raise TypeError("searchsorted() takes a vector of sorted numbers")
    if side not in ("left", "right"):
        raise ValueError(f"side is 'left' or 'right', not {side!r}")
    args = (x, v, side) if sorter is None else (x, v, side, as_tensor_variable(sorter))
    return numpy_op("searchsorted", args, types=[TensorType("int64", v.broadcastable)])


def fill_diagonal(a: Any, val: Any) -> Any:
    """`a` of two or more axes with the scalar `val` where all indices are equal.

    TypeError where the dtype of `a` does not hold `val`.
    """
    a = as_tensor_variable(a)
    if a.ndim < 2:
        raise TypeError("fill_diagonal() takes an array of two or more axes")
    places = _places(a)
    on = elementwise.eq(places[0], places[1])
    for p in places[2:]:
        on = elementwise.and_(on, elementwise.eq(places[0], p))
    return _filled(a, val, on)


def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> Any:
    """`fill_diagonal` of a matrix, `offset` above the diagonal."""
    a = as_tensor_variable(a)
    if a.ndim != 2:
        raise TypeError("fill_diagonal_offset() takes a matrix")
    rows, columns = _places(a)
    return _filled(a, val, elementwise.eq(elementwise.add(rows, offset), columns))


def _places(a: Any) -> list[Any]:
    """The index of each element along each axis."""
    order: list[list[Any]] = [["x"] * a.ndim for _ in range(a.ndim)]
    for k in range(a.ndim):
        order[k][k] = 0
    return [basic.dimshuffle(creation.arange(basic.shape_i(a, k)), order[k]) for k in range(a.ndim)]


def _filled(a: Any, val: Any, on: Any) -> Any:
    value = as_tensor_variable(val)
    if value.ndim:
        raise TypeError("the value for a diagonal is a scalar")
    if np.result_type(np.dtype(a.dtype), np.dtype(value.dtype)) != np.dtype(a.dtype):
        raise TypeError(f"a diagonal of {a.dtype} does not hold {value.dtype}")
    result = elementwise.switch(on, cast(value, a.dtype), a)
    return basic.patternbroadcast(result, a.broadcastable)


class CumOp:
    """``CumOp(axis, mode)(x)``: `cumsum`, or `cumprod` in mode "mul"."""

    __props__ = ("axis", "mode")

    def __init__(self, axis: int | None = None, mode: str = "add") -> None:
        if mode not in ("add", "mul"):
            raise ValueError(f'{type(self).__name__}: Unknown mode "{mode}"')
        self.axis, self.mode = axis, mode

    def __call__(self, x: Any) -> Any:
        return (cumsum if self.mode == "add" else cumprod)(x, self.axis)


class RepeatOp:
    """``RepeatOp(axis)(x, repeats)``: see `repeat`."""

    __props__ = ("axis",)

    def __init__(self, axis: int | None = None) -> None:
        self.axis = axis

    def __call__(self, x: Any, repeats: Any) -> Any:
        return repeat(x, repeats, self.axis)


class DiffOp:
    """``DiffOp(n, axis)(x)``: see `diff`."""

    __props__ = ("n", "axis")

    def __init__(self, n: int = 1, axis: int = -1) -> None:
        if n < 0:
            raise ValueError(f"Op DiffOp: order must be 0 or more, not {n}")
        self.n, self.axis = n, axis

    def __call__(self, x: Any) -> Any:
        return diff(x, self.n, self.axis)


class SearchsortedOp:
    """``SearchsortedOp(side)(x, v, sorter)``: see `searchsorted`."""

    __props__ = ("side",)

    def __init__(self, side: str = "left") -> None:
        if side not in ("left", "right"):
            raise ValueError(f"'{side}' is an invalid value for keyword 'side'")
        self.side = side

    def __call__(self, x: Any, v: Any, sorter: Any = None) -> Any:
        return searchsorted(x, v, self.side, sorter)


class Bartlett:
    """``Bartlett()(M)``: see `bartlett`."""

    __props__ = ()

    def __call__(self, M: Any) -> Any:
        return bartlett(M)


class FillDiagonal:
    """``FillDiagonal()(a, val)``: see `fill_diagonal`."""

    __props__ = ()

    def __call__(self, a: Any, val: Any) -> Any:
        return fill_diagonal(a, val)


class FillDiagonalOffset:
    """``FillDiagonalOffset()(a, val, offset)``: see `fill_diagonal_offset`."""

    __props__ = ()

    def __call__(self, a: Any, val: Any, offset: Any) -> Any:
        return fill_diagonal_offset(a, val, offset)


def cpu_contiguous(x: Any) -> Any:
    """`x`: what needs an array side by side makes it so."""
    return as_tensor_variable(x)


class Unique:
    """``Unique()(x)`` gives the distinct elements of `x`, sorted, or slices along `axis`.

    With flags, a list: then the places of their first occurrences, the vector of the places of all
    elements among them, and their counts.
    """

    def __init__(
        self, return_index: bool = False, return_inverse: bool = False,
        return_counts: bool = False, axis: int | None = None,
    ) -> None:  # fmt: skip
        self.flags = {
            "return_index": return_index,
            "return_inverse": return_inverse,
            "return_counts": return_counts,
        }
        self.axis = axis

    def __call__(self, x: Any) -> Any:
        x = as_tensor_variable(x)
        asked = {name: True for name, flag in self.flags.items() if flag}
        results = numpy_op("unique", (x,), {**asked, "axis": self.axis})
        if "return_inverse" in asked:
            place = 1 + ("return_index" in asked)
            results[place] = basic.flatten(results[place])
        return results


__all__ = [
    "Bartlett",
    "CumOp",
    "DiffOp",
    "FillDiagonal",
    "FillDiagonalOffset",
    "RepeatOp",
    "SearchsortedOp",
    "Unique",
    "bartlett",
    "bincount",
    "compress",
    "cpu_contiguous",
    "cumprod",
    "cumsum",
    "diff",
    "fill_diagonal",
    "fill_diagonal_offset",
    "ravel_multi_index",
    "repeat",
    "searchsorted",
    "squeeze",
    "to_one_hot",
    "unravel_index",
]
