"""Elementary functions of complex numbers, of their parts."""

from __future__ import annotations

from dataclasses import replace

from tracejit.intrinsics.vecmath.builder import Mask, Real
from tracejit.intrinsics.vecmath.exp import EXP_CLAMP, reduce_exp
from tracejit.intrinsics.vecmath.trig import cos, far_angle, near_cos, near_sin, sin

Parts = tuple[Real, Real]

#: Beyond the first, e**x times the least sine is infinite. From the second on, two factors of a
#: power of two are not enough; the third's exponent.
_RANGE = {64: (1460.0, 1000.0, 512), 32: (200.0, 100.0, 64)}


def exp(x: Real, y: Real) -> Parts:
    """e**(x + i y), with the values of C's ``cexp`` where a part is not finite."""
    return _exp(x, y, cos(y), sin(y))


def near_exp(x: Real, y: Real) -> Parts:
    """The same where the angle is not far from zero."""
    return _exp(x, y, near_cos(y), near_sin(y))


def far_phase(x: Real, y: Real) -> Mask:
    """Whether the angle of e**(x + i y) is far from zero."""
    return far_angle(y)


def _exp(x: Real, y: Real, cosine: Real, sine: Real) -> Parts:
    form = x.form
    limit, large, octaves = _RANGE[form.width]
    reduced = reduce_exp(x.at_most(limit).at_least(-EXP_CLAMP[form.width]))
    power = reduced.head + reduced.tail
    # A small sine may bring back what overflows without it, and so comes first.
    third = (x > large).select(x.constant(2.0**octaves), 1.0)
    rest = reduced.biased + form.bias - (third.bits() >> form.mantissa)
    first, second = replace(reduced, biased=rest).two_scales()
    real, imag = (
        # What underflows to a zero keeps its sign.
        ((part * first).fma(power, part * first) * second * third).copysign(part)
        for part in (cosine, sine)
    )
    infinity = float("inf")
    lost = x.absolute().equals(infinity) & ~(y.absolute() < infinity)
    real = lost.select(x.at_least(0.0), real)
    imag = (lost & (x < 0.0)).select(x.constant(0.0).copysign(y), imag)
    return real, y.equals(0.0).select(y, imag)
