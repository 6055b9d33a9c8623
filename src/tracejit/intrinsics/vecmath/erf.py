"""The error function and its complement.

The pieces are all evaluated and one is selected; fits and splitting are this project's own.
"""

from __future__ import annotations

from tracejit.intrinsics.vecmath import tables
from tracejit.intrinsics.vecmath.builder import Real
from tracejit.intrinsics.vecmath.exp import fast_two_sum, reduce_exp


def erf(x: Real) -> Real:
    """x + x Q(x**2) near zero, sign(x) (1 - exp(-|x| - |x| P(|x|))) beyond."""
    width = x.form.width
    a = x.absolute()
    small = x.fma(x.square().polynomial(tables.ERF_SMALL[width]), x)
    t = a.at_most({64: 6.0, 32: 4.0}[width])  # rounds to 1 from here
    factor = t.polynomial(tables.ERF_LARGE[width])
    exponent = (-t).fma(factor, -t)
    reduced = reduce_exp(exponent, (-t).fma(factor, -t - exponent))
    scale = reduced.scale()
    large = 1.0 - scale.fma(reduced.head + reduced.tail, scale)
    return (a < tables.ERF_BOUNDARY).select(small, large.copysign(x))


def erfc(x: Real) -> Real:
    """(1 - x) - x Q(x**2) near zero; exp(-a**2) c (1 + W) / (a + d) beyond, from 2 if x < 0.

    With d chosen so that (a + d) exp(a**2) erfc(a) is nearly the constant c, W is small, and
    its own rounding errors do not count. The other factors are 1 + a number each: the sum of
    these numbers multiplies the quotient once, at the end.
    """
    width = x.form.width
    a = x.absolute()
    near_one, lost = fast_two_sum(x.constant(1.0), -x)
    small = near_one + (-x).fma(x.square().polynomial(tables.ERF_SMALL[width]), lost)

    a = a.at_most({64: 27.5, 32: 10.5}[width])  # rounds to zero from here
    pole = a + tables.ERFC_POLE[width]
    shifted = a + tables.ERFC_SHIFT
    # One division for 1/pole and 1/shifted; both quotients are corrected by their remainders.
    reciprocal = 1.0 / (pole * shifted)
    numerator, inverse_pole = a - tables.ERFC_POLE[width], shifted * reciprocal
    u = numerator * inverse_pole
    u = (-u).fma(pole, numerator).fma(inverse_pole, u)
    quotient = pole * reciprocal * tables.ERFC_SCALE
    shift_lost = (a - shifted) + tables.ERFC_SHIFT
    remainder = (-quotient).fma(shifted, x.constant(tables.ERFC_SCALE))
    remainder = (-quotient).fma(shift_lost, remainder)
    w = remainder.fma(1.0 / tables.ERFC_SCALE, u.polynomial(tables.ERFC_LARGE[width]))

    square = a * a
    reduced = reduce_exp(-square, -a.fma(a, -square), careful=True)
    relative = (1.0 + (reduced.head + reduced.tail)).fma(w, reduced.tail)
    one, lost = fast_two_sum(x.constant(1.0), reduced.head)
    large = quotient.fma(one, quotient * (lost + relative))
    half, rest = reduced.two_scales()
    large = large * half * rest
    large = (x < 0.0).select(2.0 - large, large)
    return (x.absolute() < tables.ERFC_BOUNDARY).select(small, large)
