"""Powers: x**y as e**(y log(x)).

The product may be 700, and its error is a relative one of the result: so the logarithm is carried
in two numbers, to some 64 bits. A float32 power is computed in float64, where that is no question.
"""

from __future__ import annotations

from llvmlite import ir

from tracejit.intrinsics.vecmath import tables
from tracejit.intrinsics.vecmath.builder import BINARY32, BINARY64, Real
from tracejit.intrinsics.vecmath.exp import (
    EXP_CLAMP,
    LN2,
    LN2_PAIR,
    LOG2_E,
    fast_two_sum,
    nearest_integer,
    reduce_exp,
    scale_of,
)
from tracejit.intrinsics.vecmath.log import log_to_float32, split, with_limits

#: 2/3 rounded, and the rest of it.
_TWO_THIRDS = (2 / 3, float.fromhex("0x1.5555555555555p-55"))
#: Exponents that, known beforehand, are a few products.
_PRODUCTS = (3.0, 4.0)


def power(x: Real, y: Real) -> Real:
    """x**y, with the special values of C's ``pow``."""
    if isinstance(y.value, ir.Constant) and y.value.constant in _PRODUCTS:
        return _by_products(x, y.value.constant)
    a = x.absolute()
    plain = _power_in_float64(a, y) if x.form is BINARY32 else _power(a, y)
    return _special(x, y, a, plain)


def _power(a: Real, y: Real) -> Real:
    """a**y for a not negative."""
    limit = EXP_CLAMP[64]
    high, low = log_pair(a)
    high = with_limits(a, high)
    product = y * high
    rest = y.fma(low, y.fma(high, -product))
    rest = (product.absolute() < limit).select(rest, 0.0)
    return reduce_exp(product.at_most(limit).at_least(-limit), rest).value()


def _power_in_float64(a: Real, y: Real) -> Real:
    """The same for float32, which has no number that is subnormal in float64."""
    limit = EXP_CLAMP[32]
    wide = a.to(BINARY64)
    product = y.to(BINARY64) * with_limits(wide, log_to_float32(wide))
    product = product.at_most(limit).at_least(-limit)
    k, biased = nearest_integer(product, LOG2_E)
    r = k.fma(-LN2_PAIR[64][0], product)
    rest = r.fma(r * r.polynomial(tables.EXP[32]), r)
    scale = scale_of(biased, BINARY64)
    return rest.fma(scale, scale).to(a.form)


def log_pair(x: Real) -> tuple[Real, Real]:
    """The logarithm of a positive, finite number as a sum of two."""
    ln2_high, ln2_low = LN2[64]
    parts = split(x)
    f = parts.m - 1.0
    # s = f / (2 + f), a division and its remainder.
    bottom, bottom_low = fast_two_sum(f.constant(2.0), f)
    inverse = 1.0 / bottom
    s = f * inverse
    s_low = ((-s).fma(bottom, f) - s * bottom_low) * inverse
    # log(m) = s (2 + z (2/3 + z Q(z))), z = s**2; all but Q in two parts.
    z = s.square()
    z_low = (s + s).fma(s_low, s.fma(s, -z))
    rest = z * z.polynomial(tables.LOG_2[64])
    t = rest + _TWO_THIRDS[0]
    t_low = (rest - (t - _TWO_THIRDS[0])) + _TWO_THIRDS[1]
    u = z * t
    u_low = z.fma(t_low, z_low.fma(t, z.fma(t, -u)))
    v, v_low = fast_two_sum(u.constant(2.0), u)
    v_low = v_low + u_low
    high = s * v
    low = s.fma(v_low, s_low.fma(v, s.fma(v, -high)))
    total, lost = fast_two_sum(parts.k * ln2_high, high)
    return total, lost + parts.k.fma(ln2_low, low)


def _special(x: Real, y: Real, a: Real, result: Real) -> Real:
    """``result``, which is |x|**y for plain values, with the sign and all that is not plain."""
    one, infinity = x.constant(1.0), float("inf")
    size = y.absolute()
    half = size * 0.5
    whole = size.truncated().equals(size)
    odd = whole & ~half.truncated().equals(half)
    result = (a.equals(1.0) & size.equals(infinity)).select(one, result)
    result = odd.select(result.copysign(x), result)
    not_real = (x < 0.0) & (a < infinity) & ~whole
    result = not_real.select(x.constant(float("nan")), result)
    return (y.equals(0.0) | x.equals(1.0)).select(one, result)


def _by_products(x: Real, exponent: float) -> Real:
    """x**3 or x**4, from the square and what rounding has lost of it."""
    square = x.square()
    lost = x.fma(x, -square)
    if exponent == 3.0:
        plain, better = square * x, square.fma(x, lost * x)
    else:
        plain = square.square()
        better = plain + (square + square).fma(lost, square.fma(square, -plain))
    # Where the square overflows or nothing is left of it, there is nothing to mend.
    return (plain.absolute() < float("inf")).select(better, plain)
