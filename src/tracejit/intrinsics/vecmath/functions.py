"""Elementary functions for Numba kernels that LLVM vectorises.

Each function is a ``numba.extending.intrinsic`` over one float64 or float32 scalar, made of
straight-line LLVM IR: a plain loop that calls it becomes a vector loop. The error is at most
one unit in the last place, and special values are NumPy's (SciPy's for erf, erfc and expit).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from tracejit.intrinsics import arithmetic as scalar
from tracejit.intrinsics import structure
from tracejit.intrinsics.define import complex_pair, complex_parts
from tracejit.intrinsics.vecmath import arc as vecmath_arc
from tracejit.intrinsics.vecmath import complex as vecmath_complex
from tracejit.intrinsics.vecmath import erf as vecmath_erf
from tracejit.intrinsics.vecmath import exp as vecmath_exp
from tracejit.intrinsics.vecmath import gamma as vecmath_gamma
from tracejit.intrinsics.vecmath import inverse as vecmath_inverse
from tracejit.intrinsics.vecmath import log as vecmath_log
from tracejit.intrinsics.vecmath import parts as vecmath_parts
from tracejit.intrinsics.vecmath import pow as vecmath_pow
from tracejit.intrinsics.vecmath import roots as vecmath_roots
from tracejit.intrinsics.vecmath import trig as vecmath_trig
from tracejit.intrinsics.vecmath.builder import BINARY32, BINARY64, Mask, Real

__all__ = [
    "absolute",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expit",
    "expm1",
    "far_angle",
    "far_phase",
    "frexp_exponent",
    "frexp_mantissa",
    "gammaln",
    "hypot",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "modf_fraction",
    "modf_integer",
    "near_cos",
    "near_exp",
    "near_gammaln",
    "near_sin",
    "near_tan",
    "not_positive",
    "power",
    "sin",
    "sinh",
    "tan",
    "tanh",
]

FORMATS = {types.float64: BINARY64, types.float32: BINARY32}


def prefer_wide(builder: Any, vectors: int = 4) -> None:
    """Have a function vectorised with vectors of 512 bits, where the processor has them.

    LLVM prefers 256 bits on most of these, which is right for loops that wait for memory. The loop
    that the builder is in works on several such vectors at a time: so many, if there is no more.
    """
    structure.note_function(builder, vectors)
    # llvmlite's own `add` knows no attributes with values.
    set.add(builder.function.attributes, '"prefer-vector-width"="512"')


def _elementary(
    name: str,
    define: Callable[[Real], Real | Mask],
    condition: bool = False,
    vectors: int = 4,
) -> Any:
    """The Numba intrinsic of a function of one real number, or of a `condition` on one.

    A loop that calls it alone is fastest with so many `vectors` at a time.
    """

    def typing(typingctx: Any, x: Any) -> Any:
        form = FORMATS.get(x)
        if form is None:
            return None

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if not condition:
                prefer_wide(builder, vectors)
            return define(Real(builder, form, args[0])).value

        return (types.boolean if condition else x)(x), codegen

    typing.__name__ = typing.__qualname__ = name
    typing.__doc__ = define.__doc__
    return intrinsic(typing)


def _part(name: str, define: Callable[[Real], Any], returned: Any = None) -> Any:
    """The intrinsic of a part of a real number: of its type, or an int32."""

    def typing(typingctx: Any, x: Any) -> Any:
        form = FORMATS.get(x)
        if form is None:
            return None

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = define(Real(builder, form, args[0])).value
            wide = returned is types.int32 and form is BINARY64
            return builder.trunc(value, BINARY32.int_type) if wide else value

        return (returned or x)(x), codegen

    typing.__name__ = typing.__qualname__ = name
    return intrinsic(typing)


def _of_two(name: str, define: Callable[[Real, Real], Real], integers: Any = None) -> Any:
    """The Numba intrinsic of a function of two real numbers of one type.

    `integers` is the intrinsic for other types.
    """

    def typing(typingctx: Any, x: Any, y: Any) -> Any:
        form = FORMATS.get(x)
        if form is None and integers is not None:
            return integers._defn(typingctx, x, y)
        if form is None or x != y:
            return None

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            prefer_wide(builder)
            return define(*(Real(builder, form, a) for a in args)).value

        return x(x, y), codegen

    typing.__name__ = typing.__qualname__ = name
    typing.__doc__ = define.__doc__
    return intrinsic(typing)


def _of_parts(
    name: str, result: str, define: Callable[[Real, Real], Any], others: Any = None
) -> Any:
    """The intrinsic of a function of a complex number's parts; `others` is that of other types.

    Its `result` is "complex" (two parts), "real" or a "condition".
    """

    def typing(typingctx: Any, x: Any) -> Any:
        if not isinstance(x, types.Complex):
            return others and others._defn(typingctx, x)
        element = x.underlying_float

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if result != "condition":
                prefer_wide(builder)
            parts = complex_parts(builder, args[0])
            made = define(*(Real(builder, FORMATS[element], p) for p in parts))
            if result == "complex":
                return complex_pair(builder, *(part.value for part in made))
            return made.value

        kind = {"complex": x, "real": element, "condition": types.boolean}[result]
        return kind(x), codegen

    typing.__name__ = typing.__qualname__ = name
    return intrinsic(typing)


exp = _of_parts("exp", "complex", vecmath_complex.exp, _elementary("exp", vecmath_exp.exp))
near_exp = _of_parts("near_exp", "complex", vecmath_complex.near_exp)
far_phase = _of_parts("far_phase", "condition", vecmath_complex.far_phase)
exp2 = _elementary("exp2", vecmath_exp.exp2)
expm1 = _elementary("expm1", vecmath_exp.expm1)
sinh = _elementary("sinh", vecmath_exp.sinh)
cosh = _elementary("cosh", vecmath_exp.cosh)
expit = _elementary("expit", vecmath_exp.expit)
tanh = _elementary("tanh", vecmath_exp.tanh)
log = _elementary("log", vecmath_log.log, vectors=2)
log2 = _elementary("log2", vecmath_log.log2, vectors=2)
log10 = _elementary("log10", vecmath_log.log10, vectors=2)
log1p = _elementary("log1p", vecmath_log.log1p)
sin = _elementary("sin", vecmath_trig.sin)
cos = _elementary("cos", vecmath_trig.cos)
erf = _elementary("erf", vecmath_erf.erf)
gammaln = _elementary("gammaln", vecmath_gamma.gammaln)
erfc = _elementary("erfc", vecmath_erf.erfc)
tan = _elementary("tan", vecmath_trig.tan)
near_sin = _elementary("near_sin", vecmath_trig.near_sin)
near_cos = _elementary("near_cos", vecmath_trig.near_cos)
near_tan = _elementary("near_tan", vecmath_trig.near_tan)
near_gammaln = _elementary("near_gammaln", vecmath_gamma.near_gammaln)
far_angle = _elementary("far_angle", vecmath_trig.far_angle, condition=True)
not_positive = _elementary("not_positive", vecmath_gamma.not_positive, condition=True)
cbrt = _elementary("cbrt", vecmath_roots.cbrt)
arctan = _elementary("arctan", vecmath_arc.arctan, vectors=2)
arcsin = _elementary("arcsin", vecmath_arc.arcsin)
arccos = _elementary("arccos", vecmath_arc.arccos, vectors=2)
arcsinh = _elementary("arcsinh", vecmath_inverse.arcsinh)
arccosh = _elementary("arccosh", vecmath_inverse.arccosh)
arctanh = _elementary("arctanh", vecmath_inverse.arctanh)
modf_fraction = _part("modf_fraction", vecmath_parts.modf_fraction)
modf_integer = _part("modf_integer", vecmath_parts.modf_integer)
frexp_mantissa = _part("frexp_mantissa", vecmath_parts.frexp_mantissa)
frexp_exponent = _part("frexp_exponent", vecmath_parts.frexp_exponent, types.int32)
logaddexp = _of_two("logaddexp", vecmath_log.logaddexp)
arctan2 = _of_two("arctan2", vecmath_arc.arctan2)
hypot = _of_two("hypot", vecmath_roots.hypot)
absolute = _of_parts("absolute", "real", vecmath_roots.hypot, scalar.absolute)
power = _of_two("power", vecmath_pow.power, integers=scalar.ipow)
