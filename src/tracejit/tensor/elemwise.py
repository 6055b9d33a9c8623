"""Elementwise functions by Theano's rules: constants take the smallest dtype that holds them,
integers become floats where a function needs them, axes broadcast by their static pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.ir import build, ops
from tracejit.tensor.graph import Constant, Variable
from tracejit.tensor.infer import apply
from tracejit.tensor.type import TensorType, dtype_name


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
    from tracejit.tensor.variables import TensorConstant

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
    from tracejit.tensor import basic, joining

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
            return basic.dimshuffle(x, range(x.type.ndim - ndim, x.type.ndim))
        return basic.shape_padleft(x, ndim - x.type.ndim)
    if isinstance(x, (list, tuple)) and any(_holds_variable(v) for v in x):
        return joining.stack([as_tensor_variable(v) for v in x])
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


# Application -----------------------------------------------------------------------------------


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
    return _applied("cast", [x], name)


def _applied(row: str, operands: list[Any], dtype: str) -> Any:
    ndim = max(v.ndim for v in operands)
    patterns = tuple(
        (True,) * (ndim - v.ndim) + v.broadcastable if v.ndim else (True,) * ndim for v in operands
    )
    from tracejit.tensor import basic

    operands = [
        v if v.ndim in (0, ndim) else basic.shape_padleft(v, ndim - v.ndim) for v in operands
    ]
    pattern = [all(p[k] for p in patterns) for k in range(ndim)]
    (result,) = apply("elemwise", operands, (row, dtype, patterns), [TensorType(dtype, pattern)])
    return result


_FLOATING = frozenset(
    "exp exp2 expm1 log log2 log10 log1p sqrt sin cos tan arcsin arccos arctan sinh cosh tanh "
    "arcsinh arccosh arctanh degrees radians deg2rad rad2deg divide reciprocal arctan2 hypot cbrt "
    "erf erfc erfinv erfcinv erfcx gamma gammaln psi polygamma chi2sf j0 j1 i0 i1 iv jv expit "
    "logaddexp floor ceil trunc rint".split()
)
_KEEP_INTEGERS = frozenset("floor ceil trunc rint".split())


def upgrade_to_float(dtype: str) -> str:
    """The float that an integer dtype becomes: float32 for those of 8 and 16 bits, else float64."""
    return "float32" if np.dtype(dtype).itemsize <= 2 else "float64"


def elemwise(name: str, *args: Any, dtype: str | None = None) -> Any:
    """Row `name` of the elementwise table over `args`. TypeError where NumPy has no such loop."""
    operands = [as_tensor_variable(a) for a in args]
    row = ops.ELEMENTWISE[name]
    if name in _FLOATING and all(np.dtype(v.dtype).kind in "biu" for v in operands):
        floats = [upgrade_to_float(v.dtype) for v in operands]
        operands = [cast(v, f) for v, f in zip(operands, floats, strict=True)]
    if row is ops.WHERE:
        return _where(*operands)
    if row in (ops.REAL, ops.IMAG):
        part = "float32" if operands[0].dtype == "complex64" else "float64"
        return _applied(name, operands, part)
    if all(v.dtype.startswith("int") for v in operands):
        short = _of_lengths(name, operands)
        if short is not None:
            return short
    dtypes = build.resolve(row.ufunc, tuple(np.dtype(v.dtype) for v in operands))
    operands = [cast(v, d.name) for v, d in zip(operands, dtypes, strict=False)]
    return _applied(name, operands, dtypes[len(args) + row.output].name)


def _of_lengths(name: str, operands: list[Any]) -> Any:
    """Arithmetic of vectors of lengths, one by one: what is known of each stays known."""
    from tracejit.tensor import basic

    vectors = [v for v in operands if v.ndim]
    if name not in _ARITHMETIC or not any(basic.is_made(v) for v in vectors):
        return None
    parts = {v: basic.scalars_of(v) for v in vectors}
    counts = {len(p) for p in parts.values() if p is not None}
    if any(p is None for p in parts.values()) or len(counts - {1}) != 1:
        return None
    (count,) = counts - {1}

    def at(v: Any, k: int) -> Any:
        found = parts.get(v)
        return v if found is None else found[k % len(found)]

    scalars = [elemwise(name, *(at(v, k) for v in operands)) for k in range(count)]
    return basic.make_vector(*scalars) if {s.dtype for s in scalars} == {"int64"} else None


_ARITHMETIC = frozenset("add subtract multiply floor_divide remainder maximum minimum".split())


def _where(condition: Any, x: Any, y: Any) -> Any:
    dtype = np.result_type(np.dtype(x.dtype), np.dtype(y.dtype)).name
    if condition.dtype != "bool":
        condition = elemwise("not_equal", condition, constant(0))
    return _applied("where", [condition, cast(x, dtype), cast(y, dtype)], dtype)


def function_of_row(row: str, name: str, arity: int, doc: str = "") -> Callable[..., Any]:
    """The symbolic function `name` of `arity` operands that is row `row` of the table."""

    def call(*args: Any) -> Any:
        if len(args) != arity:
            raise TypeError(f"{name}() takes {arity} operands, not {len(args)}")
        return elemwise(row, *args)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc or f"Elementwise ``{row}``, as `numpy.{row}`."
    return call
