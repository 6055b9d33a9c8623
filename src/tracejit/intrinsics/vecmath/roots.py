"""Roots: hypot and cbrt."""

from __future__ import annotations

from tracejit.intrinsics.vecmath import tables
from tracejit.intrinsics.vecmath.builder import Real

#: Less the bits of x these are the bits of 1/(2x), to an eighth: exponents subtract, and so do
#: mantissas, nearly (the constant for 1/x is that of the family of fast inverse roots).
_HALF_INVERSE = {64: 0x7FCE623822FC16E6, 32: 0x7E7311C7}


def hypot(x: Real, y: Real) -> Real:
    """sqrt(x**2 + y**2), whose squares may over- or underflow; infinite where an operand is."""
    a, b = x.absolute(), y.absolute()
    steep = b > a
    large, small = steep.select(b, a), steep.select(a, b)
    form, one = x.form, x.constant(1.0)
    edge = 2.0 ** (form.bias // 2 - form.mantissa)
    shift = 2.0 ** (form.bias // 2 + form.mantissa)
    scale = (large > edge).select(x.constant(1 / shift), one)
    back = (large > edge).select(x.constant(shift), one)
    scale = (large < 1 / edge).select(x.constant(shift), scale)
    back = (large < 1 / edge).select(x.constant(1 / shift), back)
    large, small = large * scale, small * scale
    square = small.square()
    result = large.fma(large, square).sqrt()
    # What the result's square lacks: differences of near numbers, and what each square lost.
    first, found = large.square(), result.square()
    rest = (first - found) + square
    rest = rest + (large.fma(large, -first) + small.fma(small, -square))
    rest = rest - result.fma(result, -found)
    # The correction is about a unit in the last place, and 12 bits of it will do: two steps of
    # Newton's for the inverse take less than a division.
    inverse = (_HALF_INVERSE[form.width] - result.bits()).real()
    for _ in range(2):
        inverse = inverse.fma((result * -2.0).fma(inverse, 1.0), inverse)
    better = rest * inverse
    better = (large < float("inf")).select(better, 0.0)
    total = (result + better) * back
    infinity = float("inf")
    total = a.equals(infinity).select(a, total)
    return b.equals(infinity).select(b, total)


def cbrt(x: Real) -> Real:
    """The cube root: a third of the exponent, a polynomial for the mantissa, a step of Newton's."""
    form = x.form
    a = x.absolute()
    boost = 3 * ((form.mantissa + 4) // 3 + 1)
    subnormal = a < form.smallest_normal
    scaled = subnormal.select(a * 2.0**boost, a)
    bits = scaled.bits()
    exponent = bits >> form.mantissa
    # A third of the exponent, with the bias that it must have then; 0xAAAB / 2**17 is about 1/3.
    shifted = exponent + 2 * form.bias
    third = (shifted * 0xAAAB) >> 17
    rest = shifted - third * 3
    m = ((bits & ((1 << form.mantissa) - 1)) | form.one_bits).real()
    m = m * ((rest + form.bias) << form.mantissa).real()  # from 1 to 8
    t = m.polynomial(tables.CBRT[form.width])
    for _ in range(2 if form.width == 64 else 1):
        t = t - (t.square() * t - m) / (t.square() * 3.0)
    square = t.square()
    square_low = t.fma(t, -square)
    cube = square * t
    error = (square.fma(t, -cube) + square_low * t) + (cube - m)
    t = t - error / (square * 3.0)
    result = t * (third << form.mantissa).real()
    result = subnormal.select(result * 2.0 ** -(boost // 3), result)
    plain = (a < float("inf")).select(result, a)
    return a.equals(0.0).select(x, plain.copysign(x))
