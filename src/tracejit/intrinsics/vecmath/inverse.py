"""The inverse hyperbolic functions: arcsinh, arccosh, arctanh.

Each is log(1 + t) of a t that is formed as a rounded value and what that lacks. Where its square
would overflow, t is the argument itself, and a factor of 2 is added as an octave.
"""

from __future__ import annotations

from tracejit.intrinsics.vecmath.builder import Mask, Real
from tracejit.intrinsics.vecmath.exp import fast_two_sum, two_sum
from tracejit.intrinsics.vecmath.log import log1p_of

#: From here on the functions are log(2 x) to the last bit, and squares are finite below.
_LARGE = {64: 2.0**60, 32: 2.0**30}


def _root(square: Real, low: Real) -> tuple[Real, Real]:
    """The square root of a sum, which is 0 where `square` is, in two parts."""
    root = square.sqrt()
    rest = (-root).fma(root, square) + low
    none = root.equals(0.0)
    return root, none.select(root, rest / none.select(root.constant(1.0), root + root))


def _log_of(a: Real, large: Mask, t: Real, low: Real) -> Real:
    """log(1 + t + low), and log(2 a) where a is large."""
    zero, one = a.constant(0.0), a.constant(1.0)
    octaves = large.select(one, zero)
    return log1p_of(large.select(a, t), large.select(zero, low), octaves)


def arcsinh(x: Real) -> Real:
    """t = a + a**2 / (1 + sqrt(1 + a**2)), a = |x|."""
    a = x.absolute()
    large = a > _LARGE[x.form.width]
    b = large.select(a.constant(1.0), a)
    square = b.square()
    lost = b.fma(b, -square)
    sum_, sum_low = two_sum(b.constant(1.0), square)
    root, root_low = _root(sum_, sum_low + lost)
    below, below_low = fast_two_sum(root, root.constant(1.0))
    reciprocal = 1.0 / below
    quotient = square * reciprocal
    rest = (-quotient).fma(below, square) + (-quotient).fma(below_low + root_low, lost)
    t, low = fast_two_sum(b, quotient)
    result = _log_of(a, large, t, rest.fma(reciprocal, low))
    # Where its square is nothing, and for -0, the argument is the result.
    small = a < 2.0 ** -(x.form.mantissa // 2 + 3)
    return small.select(x, result.copysign(x))


def arccosh(x: Real) -> Real:
    """t = d + sqrt(d (d + 2)), d = x - 1; NaN below 1."""
    large = x > _LARGE[x.form.width]
    d = large.select(x.constant(1.0), x - 1.0)
    more, more_low = two_sum(d, d.constant(2.0))
    square = d * more
    root, root_low = _root(square, d.fma(more_low, d.fma(more, -square)))
    t, low = two_sum(d, root)
    result = _log_of(x, large, t, low + root_low)
    return (x < 1.0).select(x.constant(float("nan")), result)


def arctanh(x: Real) -> Real:
    """Half the logarithm of 1 + t, t = 2 a / (1 - a), a = |x|; NaN beyond 1."""
    a = x.absolute()
    inside = a < 1.0
    b = inside.select(a, a.constant(0.0))
    below, below_low = fast_two_sum(b.constant(1.0), -b)
    reciprocal = 1.0 / below
    twice = b + b
    t = twice * reciprocal
    low = ((-t).fma(below, twice) - t * below_low) * reciprocal
    result = log1p_of(t, low, t.constant(0.0)) * 0.5
    edge = a.equals(1.0).select(a.constant(float("inf")), a.constant(float("nan")))
    result = inside.select(result, edge).copysign(x)
    return (a < 2.0 ** -(x.form.mantissa // 2 + 3)).select(x, result)
