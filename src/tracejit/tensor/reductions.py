"""Reductions under Theano's names and by its rules of dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable, cast, constant, is_made
from tracejit.symbolic.elementwise import apply_row
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import opcode
from tracejit.symbolic.type import TensorType, dtype_name
from tracejit.tensor import basic, elementwise
from tracejit.tensor.creation import diagonal
from tracejit.tensor.nparray import numpy_op


@opcode("reduce")
def _reduce(attr: Any, x: Any) -> Any:
    """attr: (NumPy's function, axes). Dtypes are those of the operand."""
    name, axes = attr
    if not axes:
        return x
    function = getattr(np, name)
    if name in ("sum", "prod"):
        return function(x, axis=axes, dtype=x.dtype)
    return function(x, axis=axes)


def axes_of(x: Any, axis: Any) -> tuple[int, ...]:
    """The axes that `axis` (an int, several, or None for all) names, from 0."""
    if axis is None:
        return tuple(range(x.ndim))
    if hasattr(axis, "type") or isinstance(axis, np.ndarray):
        axis = basic.get_scalar_constant_value(axis)
    items = axis if isinstance(axis, (list, tuple)) else (axis,)
    axes = tuple(sorted(int(a) + (x.ndim if a < 0 else 0) for a in items))
    for a in axes:
        if not 0 <= a < x.ndim:
            raise ValueError(f"Not enough dimensions on {x} to reduce on axis {axis}")
    return axes


def _reduced(name: str, x: Any, axes: tuple[int, ...], keepdims: bool, dtype: str) -> Any:
    pattern = [b for k, b in enumerate(x.broadcastable) if k not in axes]
    (result,) = apply("reduce", [x], (name, axes), [TensorType(dtype, pattern)])
    return _kept(result, x.ndim, axes) if keepdims else result


def _kept(result: Any, ndim: int, axes: tuple[int, ...]) -> Any:
    """A reduction's result with its axes back: they broadcast."""
    places = iter(range(result.ndim))
    return basic.dimshuffle(result, ["x" if k in axes else next(places) for k in range(ndim)])


_WIDER = {"float16": "float32", "float32": "float64", "complex64": "complex128"}


def _accumulated(name: str, x: Any, axis: Any, dtype: Any, keepdims: bool, acc: Any) -> Any:
    """Sums and products: ints as int64, float32 in float64, float16 in float32."""
    x = as_tensor_variable(x)
    if dtype is None and not keepdims and is_made(x) and axes_of(x, axis):
        # Of lengths: what is known of each stays known.
        several = elementwise.add if name == "sum" else elementwise.mul
        return several(*x.owner.inputs) if x.owner.inputs else constant(np.int64(name == "prod"))
    kind = np.dtype(x.dtype)
    wide = {"b": "int64", "i": "int64", "u": "uint64"}.get(kind.kind)
    result = dtype_name(dtype) if dtype is not None else (wide or x.dtype)
    if acc is not None:
        acc = dtype_name(acc)
        wider = np.dtype(acc).kind in "fc" and kind.kind in "biu"
        if not wider and np.result_type(kind, np.dtype(acc)) != np.dtype(acc):
            raise TypeError(f"Cannot build {name} of {x.dtype} with acc_dtype={acc}")
    else:
        if np.dtype(result).kind in "biu" and kind.kind in "fc":
            raise TypeError(f"Cannot build {name} of {x.dtype} with dtype={result}")
        # No narrower than the operand or the result.
        least = np.result_type(np.dtype(wide or x.dtype), np.dtype(result)).name
        acc = _WIDER.get(least, least)
    return cast(_reduced(name, cast(x, acc), axes_of(x, axis), keepdims, acc), result)


def sum(
    input: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None
) -> Any:
    """The sum over `axis`. Integers give int64; float32 is added in float64, float16 in float32.

    `acc_dtype` is what is added in; TypeError where it does not hold every value of the operand.
    """
    return _accumulated("sum", input, axis, dtype, keepdims, acc_dtype)


def prod(
    input: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None,
    no_zeros_in_input: bool = False,
) -> Any:  # fmt: skip
    """The product over `axis`. Integers give int64."""
    return _accumulated("prod", input, axis, dtype, keepdims, acc_dtype)


def count_of(x: Any, axes: tuple[int, ...], dtype: str) -> Any:
    """How many elements a reduction over `axes` takes, as a scalar of `dtype`."""
    total: Any = constant(np.int64(1))
    for k in axes:
        total = apply_row("multiply", total, basic.shape_i(x, k))
    return cast(total, dtype)


def mean(
    input: Any, axis: Any = None, dtype: Any = None, op: bool = False, keepdims: bool = False,
    acc_dtype: Any = None,
) -> Any:  # fmt: skip
    """The mean over `axis`. Integers give float64; float32 is added in float64.

    The sum of float16 may be no float16, where the mean is one.
    """
    x = as_tensor_variable(input)
    axes = axes_of(x, axis)
    if (x.dtype if dtype is None else dtype_name(dtype)) == "float16":
        half = cast(mean(x, axes, "float32", op, keepdims, acc_dtype), "float16")
        half.name = "mean"
        return half
    given = dtype if dtype is not None else ("float64" if np.dtype(x.dtype).kind in "biu" else None)
    total = sum(x, axes, given, keepdims, acc_dtype)
    if np.dtype(total.dtype).kind in "biu":
        total = cast(total, "float64")
    count = count_of(x, axes, "float64" if total.dtype == "float64" else total.dtype)
    result = apply_row("divide", total, count)
    result.name = "mean"
    return result


def var(
    input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
) -> Any:
    """The variance over `axis`; `corrected` subtracts the error of the mean."""
    x = as_tensor_variable(input)
    axes = axes_of(x, axis)
    if x.dtype == "float16":
        return _of_half(var, "var", x, axes, ddof, keepdims, corrected)
    centred = apply_row("subtract", x, mean(x, axes, keepdims=True))
    squares = elementwise.sqr(elementwise.abs_(centred))
    if ddof == 0:
        result = mean(squares, axes, keepdims=keepdims)
    else:
        total = sum(squares, axes, keepdims=keepdims)
        count = elementwise.sub(count_of(x, axes, total.dtype), constant(ddof, dtype=total.dtype))
        result = apply_row("divide", total, count)
    if corrected:
        error = sum(centred, axes, keepdims=keepdims)
        count = count_of(x, axes, error.dtype)
        result = elementwise.sub(result, elementwise.sqr(apply_row("divide", error, count)))
    result.name = "var"
    return result


def _of_half(reduction: Any, name: str, x: Any, *args: Any) -> Any:
    """What a reduction of float16 gives, computed in float32."""
    result = cast(reduction(cast(x, "float32"), *args), "float16")
    result.name = name
    return result


def std(
    input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
) -> Any:
    """The standard deviation over `axis`."""
    x = as_tensor_variable(input)
    if x.dtype == "float16":
        return _of_half(std, "std", x, axis, ddof, keepdims, corrected)
    result = elementwise.sqrt(var(input, axis, ddof, keepdims, corrected))
    result.name = "std"
    return result


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The maximum over `axis`; nan where there is one."""
    x = as_tensor_variable(x)
    return _reduced("max", x, axes_of(x, axis), keepdims, x.dtype)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The minimum over `axis`; nan where there is one."""
    x = as_tensor_variable(x)
    return _reduced("min", x, axes_of(x, axis), keepdims, x.dtype)


def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The position of the first maximum over `axis` (one, several, or all), as int64."""
    return _position("argmax", x, axis, keepdims)


def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The position of the first minimum over `axis`, as int64."""
    return _position("argmin", x, axis, keepdims)


def _position(name: str, x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_tensor_variable(x)
    axes = axes_of(x, axis)
    kept = [k for k in range(x.ndim) if k not in axes]
    moved = basic.dimshuffle(x, [*kept, *axes])
    flat = basic.flatten(moved, len(kept) + 1) if len(axes) > 1 or not x.ndim else moved
    pattern = [x.broadcastable[k] for k in kept]
    kind = [TensorType("int64", pattern)]
    result = numpy_op(name, (flat, len(kept)), types=kind)
    return _kept(result, x.ndim, axes) if keepdims else result


def max_and_argmax(a: Any, axis: Any = None, keepdims: bool = False) -> list[Any]:
    """The maximum over `axis` and its position."""
    return [max(a, axis, keepdims), argmax(a, axis, keepdims)]


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether all elements over `axis` are true."""
    return _truth("all", x, axis, keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether some element over `axis` is true."""
    return _truth("any", x, axis, keepdims)


def _truth(name: str, x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_tensor_variable(x)
    if x.dtype != "bool":
        x = apply_row("not_equal", x, constant(0))
    return _reduced(name, x, axes_of(x, axis), keepdims, "bool")


def ptp(a: Any, axis: Any = None) -> Any:
    """The range of values over `axis`."""
    return elementwise.sub(max(a, axis), min(a, axis))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The `ord`-norm over `axis`."""
    x = as_tensor_variable(x)
    if x.dtype == "float16":
        return _of_half(norm, "norm", x, ord, axis, keepdims)
    if ord is None:
        ord = 2
    if ord == 0:
        return sum(elementwise.neq(x, 0), axis, keepdims=keepdims)
    if ord == float("inf"):
        return max(elementwise.abs_(x), axis, keepdims)
    if ord == -float("inf"):
        return min(elementwise.abs_(x), axis, keepdims)
    total = sum(elementwise.pow(elementwise.abs_(x), ord), axis, keepdims=keepdims)
    return elementwise.pow(total, 1.0 / ord)


def cumsum(x: Any, axis: int | None = None) -> Any:
    """The running sum along `axis`, or of the ravel, in the dtype of `x`."""
    return _running("cumsum", x, axis)


def cumprod(x: Any, axis: int | None = None) -> Any:
    """The running product along `axis`, or of the ravel, in the dtype of `x`."""
    return _running("cumprod", x, axis)


def _running(name: str, x: Any, axis: int | None) -> Any:
    x = as_tensor_variable(x)
    return numpy_op(name, (x, axis, x.dtype))


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))``, without overflow."""
    x = as_tensor_variable(x)
    if x.dtype == "float16":
        return _of_half(logsumexp, "logsumexp", x, axis, keepdims)
    axes = axes_of(x, axis)
    top = max(x, axes, keepdims=True)
    finite = elementwise.switch(elementwise.isinf(top), elementwise.sgn(top) * 0, top)
    total = sum(elementwise.exp(elementwise.sub(x, finite)), axes, keepdims=True)
    result = elementwise.add(elementwise.log(total), finite)
    return (
        result
        if keepdims
        else basic.dimshuffle(result, [k for k in range(x.ndim) if k not in axes])
    )


def allclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether all elements are `isclose`."""
    return all(elementwise.isclose(a, b, rtol, atol, equal_nan))


def trace(x: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    return sum(diagonal(x))


__all__ = [
    "all",
    "allclose",
    "any",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "logsumexp",
    "max",
    "max_and_argmax",
    "mean",
    "min",
    "norm",
    "prod",
    "ptp",
    "std",
    "sum",
    "trace",
    "var",
]
