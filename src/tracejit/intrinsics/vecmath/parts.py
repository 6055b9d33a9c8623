"""The parts of a number: modf and frexp."""

from __future__ import annotations

from tracejit.intrinsics.vecmath.builder import Bits, Mask, Real


def modf_fraction(x: Real) -> Real:
    """What is left beside the integer next to x towards zero, of the sign of x; 0 of infinities."""
    rest = x - x.truncated()
    return x.absolute().equals(float("inf")).select(x.constant(0.0), rest).copysign(x)


def modf_integer(x: Real) -> Real:
    """The integer next to x towards zero."""
    return x.truncated()


def frexp_mantissa(x: Real) -> Real:
    """x / 2**e for the e that makes it at least 1/2 and below 1; itself at 0, infinity and NaN."""
    form = x.form
    _, _, bits = _normal(x)
    exponent = ((1 << form.width - 1 - form.mantissa) - 1) << form.mantissa
    half = (bits & ~exponent) | form.bits(0.5)
    return _has_exponent(x).select(half.real(), x)


def frexp_exponent(x: Real) -> Bits:
    """That e; 0 at 0, infinity and NaN."""
    form = x.form
    subnormal, boost, bits = _normal(x)
    exponent = (bits >> form.mantissa) & ((1 << form.width - 1 - form.mantissa) - 1)
    raised = subnormal.select_bits(exponent - boost, exponent)
    return _has_exponent(x).select_bits(raised - (form.bias - 1), 0)


def _normal(x: Real) -> tuple[Mask, int, Bits]:
    """Whether x is subnormal; the octaves that it is raised by then; the bits of what comes out."""
    boost = x.form.mantissa + 2
    subnormal = x.absolute() < x.form.smallest_normal
    return subnormal, boost, subnormal.select(x * 2.0**boost, x).bits()


def _has_exponent(x: Real) -> Mask:
    return (x.absolute() < float("inf")) & ~x.equals(0.0)
