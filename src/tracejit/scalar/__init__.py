"""Scalars and functions of one element, under the names of ``theano.scalar``.

Scalars are symbolic arrays without axes, and functions of them those of ``tracejit.tensor``.
"""

from __future__ import annotations

from typing import Any

import tracejit.tensor as _tensor
from tracejit.symbolic.convert import as_tensor_variable, constant
from tracejit.symbolic.graph import Apply
from tracejit.symbolic.variables import TensorConstant as ScalarConstant
from tracejit.symbolic.variables import TensorVariable as ScalarVariable
from tracejit.tensor import scalarops
from tracejit.tensor.scalarops import *  # noqa: F403
from tracejit.tensor.scalarops import Cast, Scalar, class_named, known

_DTYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 "
    "complex128"
).split()
_FUNCTIONS = (
    "add sub mul true_div int_div floor_div mod pow neg inv sqr sqrt exp exp2 expm1 log log2 log10 "
    "log1p abs_ sgn ceil floor trunc round_half_to_even round_half_away_from_zero cos sin tan "
    "arccos arcsin arctan arctan2 cosh sinh tanh arccosh arcsinh arctanh lt gt le ge eq neq isnan "
    "isinf switch clip second identity maximum minimum and_ or_ xor invert real imag angle complex "
    "conj erf erfc erfcx erfinv erfcinv gamma gammaln psi tri_gamma chi2sf j0 j1 jv i0 i1 iv "
    "sigmoid softplus deg2rad rad2deg complex_from_polar"
).split()
for _name in _DTYPES:
    globals()[_name] = Scalar(_name)
for _name in _FUNCTIONS:
    globals()[_name] = known(_name)
    globals()[class_named(_name).__name__] = class_named(_name)
for _name in _DTYPES:
    globals()[f"convert_to_{_name}"] = Cast(_name, name=f"convert_to_{_name}")

int_types = discrete_types = tuple(Scalar(n) for n in _DTYPES if "int" in n or n == "bool")
float_types = tuple(Scalar(n) for n in _DTYPES if n.startswith("float"))
complex_types = tuple(Scalar(n) for n in _DTYPES if n.startswith("complex"))
continuous_types = float_types + complex_types
all_types = discrete_types + continuous_types
discrete_dtypes = tuple(t.dtype for t in discrete_types)
float_dtypes = tuple(t.dtype for t in float_types)
continuous_dtypes = tuple(t.dtype for t in continuous_types)
as_scalar = as_tensor_variable
real_if_complex = known("real")


def get_scalar_type(dtype: str) -> Any:
    """The type of scalars of a dtype."""
    return Scalar(dtype)


def cast(x: Any, dtype: str) -> Any:
    """`x` as `dtype`."""
    return _tensor.cast(x, dtype)


__all__ = [
    "Apply",
    "ScalarConstant",
    "ScalarVariable",
    "all_types",
    "as_scalar",
    "cast",
    "complex_types",
    "constant",
    "continuous_dtypes",
    "continuous_types",
    "discrete_dtypes",
    "discrete_types",
    "float_dtypes",
    "float_types",
    "get_scalar_type",
    "int_types",
]
__all__ += [n for n in scalarops.__all__ if n not in ("NAMES", "ROWS", "Known", "known")]
__all__ += [*_DTYPES, *_FUNCTIONS, *(class_named(n).__name__ for n in _FUNCTIONS)]
__all__ += [f"convert_to_{n}" for n in _DTYPES]


def __getattr__(name: str) -> Any:
    """Says of what is missing what it was, and what to use."""
    from tracejit.theano.names import absent

    return absent("tracejit.scalar", name)
