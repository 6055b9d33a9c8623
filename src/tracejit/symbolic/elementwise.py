"""Elementwise functions by Theano's rules: integers become floats where a function needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.ir import build, ops
from tracejit.symbolic.convert import (
    applied,
    as_tensor_variable,
    cast,
    constant,
    is_made,
    make_vector,
    scalars_of,
)

_FLOATING = frozenset(
    "exp exp2 expm1 log log2 log10 log1p sqrt sin cos tan arcsin arccos arctan sinh cosh tanh "
    "arcsinh arccosh arctanh degrees radians deg2rad rad2deg divide reciprocal arctan2 hypot cbrt "
    "erf erfc erfinv erfcinv erfcx gamma gammaln psi polygamma chi2sf j0 j1 i0 i1 iv jv expit "
    "logaddexp floor ceil trunc rint".split()
)


def upgrade_to_float(dtype: str) -> str:
    """The float that an integer dtype becomes: float32 for those of 8 and 16 bits, else float64."""
    return "float32" if np.dtype(dtype).itemsize <= 2 else "float64"


def apply_row(name: str, *args: Any) -> Any:
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
        return applied(name, operands, part)
    if all(v.dtype.startswith("int") for v in operands):
        short = _of_lengths(name, operands)
        if short is not None:
            return short
    dtypes = build.resolve(row.ufunc, tuple(np.dtype(v.dtype) for v in operands))
    operands = [cast(v, d.name) for v, d in zip(operands, dtypes, strict=False)]
    return applied(name, operands, dtypes[len(args) + row.output].name)


def _of_lengths(name: str, operands: list[Any]) -> Any:
    """Arithmetic of vectors of lengths, one by one: what is known of each stays known."""
    vectors = [v for v in operands if v.ndim]
    if name not in _ARITHMETIC or not any(is_made(v) for v in vectors):
        return None
    parts = {v: scalars_of(v) for v in vectors}
    counts = {len(p) for p in parts.values() if p is not None}
    if any(p is None for p in parts.values()) or len(counts - {1}) != 1:
        return None
    (count,) = counts - {1}

    def at(v: Any, k: int) -> Any:
        found = parts.get(v)
        return v if found is None else found[k % len(found)]

    scalars = [apply_row(name, *(at(v, k) for v in operands)) for k in range(count)]
    return make_vector(*scalars) if {s.dtype for s in scalars} == {"int64"} else None


_ARITHMETIC = frozenset("add subtract multiply floor_divide remainder maximum minimum".split())


def _where(condition: Any, x: Any, y: Any) -> Any:
    dtype = np.result_type(np.dtype(x.dtype), np.dtype(y.dtype)).name
    if condition.dtype != "bool":
        condition = apply_row("not_equal", condition, constant(0))
    return applied("where", [condition, cast(x, dtype), cast(y, dtype)], dtype)


def function_of_row(row: str, name: str, arity: int, doc: str = "") -> Callable[..., Any]:
    """The symbolic function `name` of `arity` operands that is row `row` of the table."""

    def call(*args: Any) -> Any:
        if len(args) != arity:
            raise TypeError(f"{name}() takes {arity} operands, not {len(args)}")
        return apply_row(row, *args)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc or f"Elementwise ``{row}``, as `numpy.{row}`."
    return call
