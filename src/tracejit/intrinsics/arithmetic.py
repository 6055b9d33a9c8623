"""Scalar arithmetic with NumPy's semantics, as Numba intrinsics.

The operands of an operation have one type, and arithmetic keeps it: `int8 + int8` wraps in int8.
Where NumPy's C loops define a result that the machine does not (division by the integer zero,
the sign of a floating-point remainder), the code here computes that result without a trap, and
without a branch wherever it may sit in a vectorised loop.

float16 values are float32 values to this module: the caller rounds each result to half precision.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.numpy_support import as_dtype

from tracejit.intrinsics.define import (
    COMPLEX,
    FLOAT,
    INT,
    NUMBER,
    REAL,
    UNSIGNED,
    Emit,
    binary,
    call_llvm,
    complex_pair,
    complex_parts,
    constant,
    define,
    is_nan,
    is_signed,
    kind,
    unary,
    zero,
)
from tracejit.intrinsics.logic import compare_complex

__all__ = [
    "absolute",
    "add",
    "ceil",
    "complex_of",
    "conj",
    "copysign",
    "deg2rad",
    "divide",
    "fabs",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "heaviside",
    "idiv",
    "imag",
    "imax",
    "imin",
    "ipow",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "positive",
    "rad2deg",
    "radd",
    "real",
    "reciprocal",
    "remainder",
    "rint",
    "rmax",
    "rmax_row",
    "rmin",
    "rmin_row",
    "rmul",
    "sign",
    "sqrt",
    "square",
    "subtract",
    "trunc",
]

_PART = {types.complex64: types.float32, types.complex128: types.float64}

# --- arithmetic -----------------------------------------------------------------------------


def _arithmetic(
    integer: str, floating: str, boolean: str = "", flags: tuple[str, ...] = ()
) -> Emit:
    """Element-wise arithmetic by the builder's method for each kind of type."""

    def emit(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
        match kind(ty):
            case "b":
                return getattr(b, boolean)(x, y)
            case "f":
                return getattr(b, floating)(x, y, flags=flags)
            case "c":
                parts = zip(complex_parts(b, x), complex_parts(b, y), strict=True)
                real, imag = (getattr(b, floating)(p, q, flags=flags) for p, q in parts)
                return complex_pair(b, real, imag)
        return getattr(b, integer)(x, y)

    return emit


@functools.cache
def _numpy_fuses(code: str) -> bool:
    """Whether NumPy's complex product rounds the real part's first product (it needs no FMA)."""
    odd = np.finfo(code).eps + 1
    x = np.array([complex(odd, odd)], np.dtype(code))
    # Rounded separately the two products cancel, fused they leave the rounding error of one.
    return bool((x * x).real[0] != 0)


def _multiply(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
    if kind(ty) != COMPLEX:
        return _arithmetic("mul", "fmul", "and_")(b, ty, x, y)
    (xr, xi), (yr, yi) = complex_parts(b, x), complex_parts(b, y)
    real, imag = b.fmul(xi, yi), b.fmul(xi, yr)
    if _numpy_fuses(as_dtype(ty).char):
        return complex_pair(b, b.fma(xr, yr, b.fneg(real)), b.fma(xr, yi, imag))
    return complex_pair(b, b.fsub(b.fmul(xr, yr), real), b.fadd(b.fmul(xr, yi), imag))


def _divide(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
    """The quotient; of complex numbers by Smith's algorithm (1962), in NumPy's steps."""
    if kind(ty) != COMPLEX:
        return b.fdiv(x, y)
    (xr, xi), (yr, yi) = complex_parts(b, x), complex_parts(b, y)
    size, other = (call_llvm(b, "llvm.fabs", part) for part in (yr, yi))
    wide = b.fcmp_ordered(">=", size, other)

    def choose(first: ir.Value, second: ir.Value) -> ir.Value:
        return b.select(wide, first, second)

    large, small = choose(yr, yi), choose(yi, yr)
    ratio = b.fdiv(small, large)
    scale = b.fdiv(constant(ratio, 1.0), b.fadd(large, b.fmul(small, ratio)))
    real = b.fadd(choose(xr, b.fmul(xr, ratio)), choose(b.fmul(xi, ratio), xi))
    imag = b.fsub(choose(xi, b.fmul(xi, ratio)), choose(b.fmul(xr, ratio), xr))
    none = b.and_(*(b.fcmp_ordered("==", part, zero(part)) for part in (size, other)))
    parts = ((xr, real), (xi, imag))
    return complex_pair(
        b, *(b.select(none, b.fdiv(of, size), b.fmul(part, scale)) for of, part in parts)
    )


def _negative(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
    if kind(ty) == FLOAT:
        return b.fneg(x)
    if kind(ty) == COMPLEX:
        return complex_pair(b, *(b.fneg(part) for part in complex_parts(b, x)))
    return b.sub(zero(x), x)


def _absolute(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
    if kind(ty) == FLOAT:
        return call_llvm(b, "llvm.fabs", x)
    if is_signed(ty):
        return b.select(b.icmp_signed("<", x, zero(x)), b.sub(zero(x), x), x)
    return x


def _sign(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
    nil, one = zero(x), constant(x, 1)
    if kind(ty) == FLOAT:
        # Zero of either sign gives +0, nan gives itself.
        rest = b.select(b.fcmp_ordered("==", x, nil), nil, x)
        rest = b.select(b.fcmp_ordered("<", x, nil), constant(x, -1.0), rest)
        return b.select(b.fcmp_ordered(">", x, nil), one, rest)
    positive = b.select(b.icmp_signed("!=", x, nil), one, nil)
    if not is_signed(ty):
        return positive
    return b.select(b.icmp_signed("<", x, nil), constant(x, -1), positive)


def _reciprocal(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
    if kind(ty) == FLOAT:
        return b.fdiv(constant(x, 1.0), x)
    # 1/x is x for 1 and -1 and 0 beyond; 1/0 is the C cast of an infinity, so ask NumPy.
    with np.errstate(all="ignore"):
        at_zero = int(np.reciprocal(np.zeros(1, as_dtype(ty)))[0])
    unit = b.icmp_signed("==", x, constant(x, 1))
    if is_signed(ty):
        unit = b.or_(unit, b.icmp_signed("==", x, constant(x, -1)))
    is_zero = b.icmp_signed("==", x, zero(x))
    return b.select(is_zero, constant(x, at_zero), b.select(unit, x, zero(x)))


def _scale(numerator: float, denominator: float) -> Emit:
    def emit(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
        # As in C, the constants have the operand's precision before they are divided.
        number = as_dtype(ty).type
        return b.fmul(x, constant(x, float(number(numerator) / number(denominator))))

    return emit


def _heaviside(b: ir.IRBuilder, ty: Any, x: ir.Value, at_zero: ir.Value) -> ir.Value:
    nil = zero(x)
    rest = b.select(b.fcmp_ordered("<", x, nil), nil, constant(x, 1.0))
    rest = b.select(b.fcmp_ordered("==", x, nil), at_zero, rest)
    return b.select(is_nan(b, x), x, rest)


add = binary("add", NUMBER, _arithmetic("add", "fadd", "or_"))
subtract = binary("subtract", INT + FLOAT + COMPLEX, _arithmetic("sub", "fsub"))
multiply = binary("multiply", NUMBER, _multiply)
divide = binary("divide", FLOAT + COMPLEX, _divide)
# For reductions: one reassociable operation lets LLVM keep partial results in a vector.
radd = binary("radd", INT + FLOAT + COMPLEX, _arithmetic("add", "fadd", flags=("reassoc",)))
rmul = binary("rmul", INT + FLOAT, _arithmetic("mul", "fmul", flags=("reassoc",)))
negative = unary("negative", INT + FLOAT + COMPLEX, _negative)
positive = unary("positive", INT + FLOAT + COMPLEX, lambda b, ty, x: x)
absolute = unary("absolute", REAL, _absolute)
fabs = unary("fabs", FLOAT, _absolute)
sign = unary("sign", INT + FLOAT, _sign)
square = unary("square", INT + FLOAT + COMPLEX, lambda b, ty, x: _multiply(b, ty, x, x))
reciprocal = unary("reciprocal", INT + FLOAT, _reciprocal)
sqrt = unary("sqrt", FLOAT, lambda b, ty, x: call_llvm(b, "llvm.sqrt", x))
copysign = binary("copysign", FLOAT, lambda b, ty, x, y: call_llvm(b, "llvm.copysign", x, y))
deg2rad = unary("deg2rad", FLOAT, _scale(math.pi, 180.0))
rad2deg = unary("rad2deg", FLOAT, _scale(180.0, math.pi))
heaviside = binary("heaviside", FLOAT, _heaviside)


# --- rounding to integral values, parts of complex numbers ----------------------------------


def _integral(name: str) -> Emit:
    return lambda b, ty, x: call_llvm(b, name, x) if kind(ty) == FLOAT else x


def _conj(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
    if kind(ty) != COMPLEX:
        return x
    real, imag = complex_parts(b, x)
    return complex_pair(b, real, b.fneg(imag))


def _part(index: int) -> Emit:
    def emit(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
        if kind(ty) == COMPLEX:
            return b.extract_value(x, index)
        return x if index == 0 else zero(x)

    return emit


def _complex_type(x: Any, y: Any) -> Any:
    return next((c for c, part in _PART.items() if x == y == part), None)


def _part_type(ty: Any) -> Any:
    return _PART.get(ty, ty) if kind(ty) else None


rint = unary("rint", REAL, _integral("llvm.rint"))
floor = unary("floor", REAL, _integral("llvm.floor"))
ceil = unary("ceil", REAL, _integral("llvm.ceil"))
trunc = unary("trunc", REAL, _integral("llvm.trunc"))
conj = unary("conj", NUMBER, _conj)
real = define("real", 1, _part_type, _part(0))
imag = define("imag", 1, _part_type, _part(1))
complex_of = define("complex_of", 2, _complex_type, lambda b, ty, x, y: complex_pair(b, x, y))


# --- division, integer powers ---------------------------------------------------------------


def _safe_divisor(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> tuple[ir.Value, ir.Value]:
    """A divisor that cannot trap, and whether the true one is zero."""
    is_zero = b.icmp_signed("==", y, zero(y))
    unsafe = is_zero
    if is_signed(ty):
        # The smallest integer by -1 overflows, which traps; by 1 it gives what NumPy gives.
        smallest = constant(x, -(1 << (x.type.width - 1)))
        overflow = b.and_(b.icmp_signed("==", x, smallest), b.icmp_signed("==", y, constant(y, -1)))
        unsafe = b.or_(is_zero, overflow)
    return b.select(unsafe, constant(y, 1), y), is_zero


def _fmod_value(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """C's fmod, which is exact.

    The quotient is rounded correctly, so while it is below 2**(precision - 1) its integral part is
    right or one too large, and the fused remainder x - q*y is exact in both cases.  Only other
    operands (large quotients, zeros, infinities, nans) pay for the call of the C library.
    """
    double = isinstance(x.type, ir.DoubleType)
    quotient = b.fdiv(x, y)
    small = b.fcmp_ordered(
        "<", call_llvm(b, "llvm.fabs", quotient), constant(x, 2.0 ** (52 if double else 23))
    )
    finite = b.fcmp_ordered("<", call_llvm(b, "llvm.fabs", y), constant(y, math.inf))
    with b.if_else(b.and_(small, finite), likely=True) as (fast, slow):
        with fast:
            whole = call_llvm(b, "llvm.trunc", quotient)
            rest = call_llvm(b, "llvm.fma", b.fneg(whole), y, x)
            # A remainder of the other sign than x: one divisor too many was taken away.
            wrong = b.fcmp_ordered(
                "<", b.fmul(rest, call_llvm(b, "llvm.copysign", constant(x, 1.0), x)), zero(x)
            )
            back = b.fadd(rest, call_llvm(b, "llvm.copysign", y, x))
            quick = call_llvm(b, "llvm.copysign", b.select(wrong, back, rest), x)
            fast_block = b.block
        with slow:
            # A call and not `frem`, which LLVM takes for cheap and computes on both paths.
            fnty = ir.FunctionType(x.type, [x.type, x.type])
            name = "fmod" if double else "fmodf"
            exact = b.call(cgutils.get_or_insert_function(b.module, fnty, name), [x, y])
            slow_block = b.block
    result = b.phi(x.type)
    result.add_incoming(quick, fast_block)
    result.add_incoming(exact, slow_block)
    return result


def _float_divmod(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Quotient and remainder by the steps of NumPy's npy_divmod, selects for its branches."""
    nil = zero(x)
    ratio = b.fdiv(x, y)
    mod = _fmod_value(b, x, y)
    div = b.fdiv(b.fsub(x, mod), y)
    y_is_zero = b.fcmp_ordered("==", y, nil)

    opposite = b.xor(b.fcmp_ordered("<", y, nil), b.fcmp_ordered("<", mod, nil))
    adjust = b.and_(opposite, b.fcmp_unordered("!=", mod, nil))
    remainder_value = b.select(adjust, b.fadd(mod, y), mod)
    signed_zero = call_llvm(b, "llvm.copysign", nil, y)
    exact = b.fcmp_ordered("==", mod, nil)
    remainder_value = b.select(exact, signed_zero, remainder_value)
    remainder_value = b.select(y_is_zero, mod, remainder_value)

    div = b.select(adjust, b.fsub(div, constant(x, 1.0)), div)
    whole = call_llvm(b, "llvm.floor", div)
    low = b.fcmp_ordered(">", b.fsub(div, whole), constant(x, 0.5))
    whole = b.select(low, b.fadd(whole, constant(x, 1.0)), whole)
    vanishes = b.fcmp_ordered("==", div, nil)
    whole = b.select(vanishes, call_llvm(b, "llvm.copysign", nil, ratio), whole)
    return b.select(y_is_zero, ratio, whole), remainder_value


def _power_of_two(y: ir.Value) -> int | None:
    """The exponent of a constant that is a power of two: LLVM would go by way of a quotient."""
    value = y.constant if isinstance(y, ir.Constant) else 0
    return value.bit_length() - 1 if value > 0 and not value & (value - 1) else None


def _floor_divide(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
    if kind(ty) == FLOAT:
        return _float_divmod(b, x, y)[0]
    if (shift := _power_of_two(y)) is not None:
        return (b.ashr if is_signed(ty) else b.lshr)(x, constant(x, shift))
    divisor, is_zero = _safe_divisor(b, ty, x, y)
    if kind(ty) == UNSIGNED:
        return b.select(is_zero, zero(x), b.udiv(x, divisor))
    quotient = b.sdiv(x, divisor)
    rest = b.sub(x, b.mul(quotient, divisor))
    inexact = b.icmp_signed("!=", rest, zero(x))
    below = b.and_(inexact, b.icmp_signed("<", b.xor(rest, divisor), zero(x)))
    quotient = b.select(below, b.sub(quotient, constant(x, 1)), quotient)
    return b.select(is_zero, zero(x), quotient)


def _remainder(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
    if kind(ty) == FLOAT:
        return _float_divmod(b, x, y)[1]
    if _power_of_two(y) is not None:
        return b.and_(x, constant(x, y.constant - 1))
    divisor, is_zero = _safe_divisor(b, ty, x, y)
    if kind(ty) == UNSIGNED:
        return b.select(is_zero, zero(x), b.urem(x, divisor))
    rest = b.srem(x, divisor)
    inexact = b.icmp_signed("!=", rest, zero(x))
    below = b.and_(inexact, b.icmp_signed("<", b.xor(rest, divisor), zero(x)))
    return b.select(is_zero, zero(x), b.select(below, b.add(rest, divisor), rest))


def _fmod(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
    if kind(ty) == FLOAT:
        return _fmod_value(b, x, y)
    divisor, is_zero = _safe_divisor(b, ty, x, y)
    rest = b.srem(x, divisor) if is_signed(ty) else b.urem(x, divisor)
    return b.select(is_zero, zero(x), rest)


def _ipow(b: ir.IRBuilder, ty: Any, base: ir.Value, exponent: ir.Value) -> ir.Value:
    """Repeated squaring; the logical shift makes the loop end for any exponent."""
    one, nil = constant(base, 1), zero(base)
    before = b.block
    loop, after = b.append_basic_block("ipow"), b.append_basic_block("ipow.end")
    b.branch(loop)
    b.position_at_end(loop)
    power, left, value = b.phi(base.type), b.phi(base.type), b.phi(base.type)
    odd = b.icmp_signed("!=", b.and_(left, one), nil)
    product = b.select(odd, b.mul(value, power), value)
    shifted, squared = b.lshr(left, one), b.mul(power, power)
    for phi, first, then in (
        (power, base, squared),
        (left, exponent, shifted),
        (value, one, product),
    ):
        phi.add_incoming(first, before)
        phi.add_incoming(then, b.block)
    b.cbranch(b.icmp_signed("!=", shifted, nil), loop, after)
    b.position_at_end(after)
    return product


floor_divide = binary("floor_divide", INT + FLOAT, _floor_divide)
remainder = binary("remainder", INT + FLOAT, _remainder)
fmod = binary("fmod", INT + FLOAT, _fmod)
ipow = binary("ipow", INT, _ipow)


# --- extremes -------------------------------------------------------------------------------


def _extreme(larger: bool) -> Emit:
    order = ">" if larger else "<"

    def emit(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
        match kind(ty):
            case "b":
                return b.or_(x, y) if larger else b.and_(x, y)
            case "f":
                # The form of the machine's instruction: the second operand unless x is beyond it.
                extreme = b.select(b.fcmp_ordered(order, x, y), x, y)
                return b.select(is_nan(b, x), x, extreme)
            case "c":
                return _complex_extreme(b, larger, x, y, x)
        sign = "s" if is_signed(ty) else "u"
        return call_llvm(b, f"llvm.{sign}{'max' if larger else 'min'}", x, y)

    return emit


def _complex_extreme(
    b: ir.IRBuilder, larger: bool, x: ir.Value, y: ir.Value, first: ir.Value
) -> ir.Value:
    """The first of two where it is not behind the other, or where `first` is nan."""
    kept = b.or_(is_complex_nan(b, first), compare_complex(b, ">=" if larger else "<=", x, y))
    pairs = zip(complex_parts(b, x), complex_parts(b, y), strict=True)
    return complex_pair(b, *(b.select(kept, p, q) for p, q in pairs))


def is_complex_nan(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Whether a part of a complex value is nan."""
    real, imag = complex_parts(b, x)
    return b.fcmp_unordered("uno", real, imag)


def _llvms_extreme(name: str, larger: bool) -> Emit:
    plain = _extreme(larger)

    def emit(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
        if kind(ty) == COMPLEX:
            return _complex_extreme(b, larger, x, y, y)
        if kind(ty) != FLOAT:
            return plain(b, ty, x, y)
        return call_llvm(b, name, x, y, flags=("nsz",))

    return emit


# A nan wins; of two zeros the second operand, which is NumPy's choice too.
maximum = binary("maximum", NUMBER, _extreme(larger=True))
minimum = binary("minimum", NUMBER, _extreme(larger=False))
# A number wins over nan.
fmax = binary("fmax", NUMBER, _llvms_extreme("llvm.maxnum", larger=True))
fmin = binary("fmin", NUMBER, _llvms_extreme("llvm.minnum", larger=False))
# For reductions: the forms that the loop vectoriser knows. To tell two zeros apart takes four
# operations of seven (the maximum of 100,000 numbers: 16.5 and 9.3 µs).
rmax = binary("rmax", REAL, _llvms_extreme("llvm.maximum", larger=True))
rmin = binary("rmin", REAL, _llvms_extreme("llvm.minimum", larger=False))
#: The same in loops that are known to be short, of which fewer vectors are taken at a time.
rmax_row = binary("rmax_row", REAL, _llvms_extreme("llvm.maximum", larger=True))
rmin_row = binary("rmin_row", REAL, _llvms_extreme("llvm.minimum", larger=False))


def _int64_pair(x: Any, y: Any) -> Any:
    return types.int64 if x == y == types.int64 else None


imax = define("imax", 2, _int64_pair, _extreme(larger=True))
imin = define("imin", 2, _int64_pair, _extreme(larger=False))
# Of a number that is not negative and a positive one.
idiv = define("idiv", 2, _int64_pair, lambda b, ty, x, y: b.udiv(x, y))
