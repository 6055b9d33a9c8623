"""Elementwise functions under Theano's names: rows of the op table, and short formulas of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.ir import ops
from tracejit.symbolic.convert import as_tensor_variable, cast, constant
from tracejit.symbolic.elementwise import apply_row, function_of_row
from tracejit.tensor.creation import zeros_like

# Rows of the table ---------------------------------------------------------------------------

exp = function_of_row("exp", "exp", 1)
exp2 = function_of_row("exp2", "exp2", 1)
expm1 = function_of_row("expm1", "expm1", 1)
log = function_of_row("log", "log", 1)
log2 = function_of_row("log2", "log2", 1)
log10 = function_of_row("log10", "log10", 1)
log1p = function_of_row("log1p", "log1p", 1)
sqrt = function_of_row("sqrt", "sqrt", 1)
sin = function_of_row("sin", "sin", 1)
cos = function_of_row("cos", "cos", 1)
tan = function_of_row("tan", "tan", 1)
arcsin = function_of_row("arcsin", "arcsin", 1)
arccos = function_of_row("arccos", "arccos", 1)
arctan = function_of_row("arctan", "arctan", 1)
sinh = function_of_row("sinh", "sinh", 1)
cosh = function_of_row("cosh", "cosh", 1)
tanh = function_of_row("tanh", "tanh", 1)
arcsinh = function_of_row("arcsinh", "arcsinh", 1)
arccosh = function_of_row("arccosh", "arccosh", 1)
arctanh = function_of_row("arctanh", "arctanh", 1)
abs_ = function_of_row("absolute", "abs_", 1)
sqr = function_of_row("square", "sqr", 1)
conj = function_of_row("conjugate", "conj", 1)
isnan = function_of_row("isnan", "isnan", 1)
isinf = function_of_row("isinf", "isinf", 1)
deg2rad = function_of_row("deg2rad", "deg2rad", 1)
rad2deg = function_of_row("rad2deg", "rad2deg", 1)
erf = function_of_row("erf", "erf", 1)
erfc = function_of_row("erfc", "erfc", 1)
minimum = function_of_row("minimum", "minimum", 2)
maximum = function_of_row("maximum", "maximum", 2)
arctan2 = function_of_row("arctan2", "arctan2", 2)
lt = function_of_row("less", "lt", 2)
gt = function_of_row("greater", "gt", 2)
le = function_of_row("less_equal", "le", 2)
ge = function_of_row("greater_equal", "ge", 2)
eq = function_of_row("equal", "eq", 2)
neq = function_of_row("not_equal", "neq", 2)


def _several(row: str, first: Any, rest: tuple[Any, ...]) -> Any:
    result = as_tensor_variable(first)
    for x in rest:
        result = apply_row(row, result, x)
    return result


def add(a: Any, *others: Any) -> Any:
    """The sum of two or more arrays."""
    return _several("add", a, others)


def mul(a: Any, *others: Any) -> Any:
    """The product of two or more arrays."""
    return _several("multiply", a, others)


def sub(a: Any, b: Any) -> Any:
    """``a - b``."""
    return apply_row("subtract", a, b)


def neg(x: Any) -> Any:
    """``-x``."""
    return apply_row("negative", x)


def true_div(a: Any, b: Any) -> Any:
    """``a / b``; of two integers a floatX."""
    x, y = as_tensor_variable(a), as_tensor_variable(b)
    if _is_discrete(x) and _is_discrete(y):
        x, y = cast(x, config.floatX), cast(y, config.floatX)
    return apply_row("divide", x, y)


def int_div(a: Any, b: Any) -> Any:
    """``a // b``, rounded down."""
    x, y = as_tensor_variable(a), as_tensor_variable(b)
    if any(v.dtype.startswith("complex") for v in (x, y)):
        raise TypeError("complex numbers have no // and no %")
    return apply_row("floor_divide", x, y)


floor_div = int_div


def mod(a: Any, b: Any) -> Any:
    """``a % b``, with the sign of `b`."""
    x, y = as_tensor_variable(a), as_tensor_variable(b)
    if any(v.dtype.startswith("complex") for v in (x, y)):
        raise TypeError("complex numbers have no // and no %")
    return apply_row("remainder", x, y)


def divmod(a: Any, b: Any) -> Any:
    """``a // b`` and ``a % b``."""
    return int_div(a, b), mod(a, b)


def pow(a: Any, b: Any) -> Any:
    """``a ** b``. The powers 2, 1, 0.5 and -1 are squares, copies, roots and reciprocals."""
    x, y = as_tensor_variable(a), as_tensor_variable(b)
    value = y.data[()] if hasattr(y, "data") and not y.ndim else None
    dtype = np.result_type(np.dtype(x.dtype), np.dtype(y.dtype)).name
    if value == 2:
        return apply_row("square", cast(x, dtype))
    if value == 1:
        return cast(x, dtype)
    if value == 0.5 and dtype.startswith("float"):
        return apply_row("sqrt", cast(x, dtype))
    if value == -1 and dtype.startswith("float"):
        return apply_row("reciprocal", cast(x, dtype))
    return apply_row("power", x, y)


power = pow


def inv(x: Any) -> Any:
    """``1 / x``."""
    return true_div(constant(1), x)


square = sqr


def _is_discrete(x: Any) -> bool:
    return np.dtype(x.dtype).kind in "biu"


def _bits(row: str, logical: str, a: Any, b: Any) -> Any:
    x, y = as_tensor_variable(a), as_tensor_variable(b)
    if not (_is_discrete(x) and _is_discrete(y)):
        raise TypeError(f"{logical} is for integers and booleans, not {x.dtype} and {y.dtype}")
    return apply_row(row, x, y)


def and_(a: Any, b: Any) -> Any:
    """Bitwise and."""
    return _bits("bitwise_and", "and_", a, b)


def or_(a: Any, b: Any) -> Any:
    """Bitwise or."""
    return _bits("bitwise_or", "or_", a, b)


def xor(a: Any, b: Any) -> Any:
    """Bitwise exclusive or."""
    return _bits("bitwise_xor", "xor", a, b)


def invert(x: Any) -> Any:
    """Bitwise not; of booleans the logical one."""
    return apply_row("invert", x)


bitwise_and, bitwise_or, bitwise_xor, bitwise_not = and_, or_, xor, invert


def ceil_intdiv(a: Any, b: Any) -> Any:
    """``a // b`` of integers, rounded up."""
    quotient = int_div(a, b)
    return add(quotient, cast(neq(mod(a, b), 0), quotient.dtype))


def sgn(x: Any) -> Any:
    """The sign: -1, 0 or 1; nan of nan."""
    return apply_row("sign", x)


def ceil(x: Any) -> Any:
    """Rounded up."""
    return _rounded("ceil", x)


def floor(x: Any) -> Any:
    """Rounded down."""
    return _rounded("floor", x)


def trunc(x: Any) -> Any:
    """Rounded towards zero."""
    return _rounded("trunc", x)


def round(x: Any, mode: str | None = None) -> Any:
    """Rounded to integers: halves to even (the default), or away from zero.

    TypeError for integers.
    """
    if _is_discrete(as_tensor_variable(x)):
        raise TypeError(f"round() is for floats, not for {as_tensor_variable(x).dtype}")
    if mode in (None, "half_to_even"):
        return _rounded("rint", x)
    if mode != "half_away_from_zero":
        raise ValueError(f"round mode {mode} is not implemented: use 'half_to_even'")
    x = as_tensor_variable(x)
    half = constant(np.asarray(0.5, x.dtype) if x.dtype.startswith("float") else 0.5)
    return mul(sgn(x), floor(add(abs_(x), half)))


def iround(x: Any, mode: str | None = None) -> Any:
    """`round` as int64."""
    return cast(round(x, mode), "int64")


def _rounded(row: str, x: Any) -> Any:
    x = as_tensor_variable(x)
    return x if _is_discrete(x) else apply_row(row, x)


def clip(x: Any, min: Any, max: Any) -> Any:
    """`x` limited to the interval from `min` to `max`."""
    x, low, high = map(as_tensor_variable, (x, min, max))
    dtype = np.result_type(*(np.dtype(v.dtype) for v in (x, low, high))).name
    x, low, high = (cast(v, dtype) for v in (x, low, high))
    return apply_row("minimum", apply_row("maximum", x, low), high)


def switch(condition: Any, ift: Any, iff: Any) -> Any:
    """`ift` where `condition` is not zero, else `iff`."""
    return apply_row("where", condition, ift, iff)


where = switch


def smallest(*args: Any) -> Any:
    """The least of the arguments, elementwise. Of two it is chosen by ``<``: nan is not less."""
    if len(args) == 2:
        return switch(lt(*args), *args)
    result = as_tensor_variable(args[0])
    for x in args[1:]:
        result = apply_row("minimum", result, x)
    return result


def largest(*args: Any) -> Any:
    """The greatest of the arguments, elementwise. Of two it is chosen by ``>``: nan is not more."""
    if len(args) == 2:
        return switch(gt(*args), *args)
    result = as_tensor_variable(args[0])
    for x in args[1:]:
        result = apply_row("maximum", result, x)
    return result


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether `a` and `b` are within ``atol + rtol * abs(b)`` of each other, elementwise."""
    x, y = as_tensor_variable(a), as_tensor_variable(b)
    near = le(abs_(sub(x, y)), add(constant(atol), mul(constant(rtol), abs_(y))))
    infinite = or_(isinf(x), isinf(y))
    result = switch(infinite, eq(x, y), near)
    if equal_nan:
        result = or_(result, and_(isnan(x), isnan(y)))
    return result


def complex(real: Any, imag: Any) -> Any:
    """A complex array from its parts."""
    return add(real, mul(imag, constant(1j)))


def complex_from_polar(abs: Any, angle: Any) -> Any:
    """A complex array from absolute values and angles."""
    return complex(mul(abs, cos(angle)), mul(abs, sin(angle)))


def real(x: Any) -> Any:
    """The real part."""
    x = as_tensor_variable(x)
    return apply_row("real", x) if x.dtype.startswith("complex") else x


def imag(x: Any) -> Any:
    """The imaginary part."""
    x = as_tensor_variable(x)
    return apply_row("imag", x) if x.dtype.startswith("complex") else zeros_like(x)


def angle(z: Any) -> Any:
    """The angle of complex numbers."""
    return apply_row("arctan2", imag(z), real(z))


def special(name: str) -> Any:
    """The function `name` of ``scipy.special`` as a symbolic one."""

    def call(*args: Any) -> Any:
        import scipy.special

        row = ops.row_of(getattr(scipy.special, name))
        assert row is not None
        return apply_row(row.name, *args)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Elementwise ``scipy.special.{name}``."
    return call


erfinv = special("erfinv")
erfcinv = special("erfcinv")
erfcx = special("erfcx")
gamma = special("gamma")
gammaln = special("gammaln")
psi = special("psi")
j0 = special("j0")
j1 = special("j1")
i0 = special("i0")
i1 = special("i1")


__all__ = [
    "abs_",
    "add",
    "and_",
    "angle",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "ceil",
    "ceil_intdiv",
    "clip",
    "complex",
    "complex_from_polar",
    "conj",
    "cos",
    "cosh",
    "deg2rad",
    "divmod",
    "eq",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "floor_div",
    "gamma",
    "gammaln",
    "ge",
    "gt",
    "i0",
    "i1",
    "imag",
    "int_div",
    "inv",
    "invert",
    "iround",
    "isclose",
    "isinf",
    "isnan",
    "j0",
    "j1",
    "largest",
    "le",
    "log",
    "log1p",
    "log2",
    "log10",
    "lt",
    "maximum",
    "minimum",
    "mod",
    "mul",
    "neg",
    "neq",
    "or_",
    "pow",
    "power",
    "psi",
    "rad2deg",
    "real",
    "round",
    "sgn",
    "sin",
    "sinh",
    "smallest",
    "sqr",
    "sqrt",
    "square",
    "sub",
    "switch",
    "tan",
    "tanh",
    "true_div",
    "trunc",
    "where",
    "xor",
]
