"""The logarithms: log, log2, log10, log1p.

x = 2**k m with m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f / (2 + f), and, after fdlibm,
log(1 + f) = f - f**2/2 + s (f**2/2 + R(s**2)). Here f - f**2/2 and the sum with k are formed
as a rounded value and its error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tracejit.intrinsics.vecmath import tables
from tracejit.intrinsics.vecmath.builder import Real
from tracejit.intrinsics.vecmath.exp import LN2, LN2_PAIR, exp, fast_two_sum, two_sum

# 1/ln(2), 1/ln(10) and log10(2), rounded, with the rest of each.
LOG2_E_PAIR = {
    64: (float.fromhex("0x1.71547652b82fep+0"), float.fromhex("0x1.777d0ffda0d24p-56")),
    32: (float.fromhex("0x1.715476p+0"), float.fromhex("0x1.4ae0c0p-26")),
}
LOG10_E_PAIR = {
    64: (float.fromhex("0x1.bcb7b1526e50ep-2"), float.fromhex("0x1.95355baaafad3p-57")),
    32: (float.fromhex("0x1.bcb7b2p-2"), float.fromhex("-0x1.5b235ep-27")),
}
# The first part has enough trailing zeros for its product with k to be exact.
LOG10_2 = {
    64: (float.fromhex("0x1.34413509f7800p-2"), float.fromhex("0x1.fef311f12b358p-46")),
    32: (float.fromhex("0x1.344000p-2"), float.fromhex("0x1.3509f8p-18")),
}


@dataclass(frozen=True)
class Split:
    """x = 2**k m."""

    k: Real
    m: Real
    scale: Real  # 2**-k, meaningful for |k| < bias


def split(x: Real) -> Split:
    """Exponent and mantissa of a positive, finite x."""
    subnormal = x < x.form.smallest_normal
    boost = x.form.mantissa + 2
    return _split(
        subnormal.select(x * 2.0**boost, x),
        subnormal.select(x.constant(_base(x) + boost), _base(x)),
    )


def split_normal(x: Real) -> Split:
    """Exponent and mantissa of a normal, positive, finite x."""
    return _split(x, _base(x))


def _base(x: Real) -> float:
    return 2.0**x.form.mantissa + x.form.bias


def _split(x: Real, base: Real | float) -> Split:
    form = x.form
    bits = x.bits() + (form.one_bits - form.sqrt_half_bits)
    exponent = bits >> form.mantissa  # k + bias
    m = ((bits & ((1 << form.mantissa) - 1)) + form.sqrt_half_bits).real()
    # An integer below 2**mantissa put in the low bits of that power gives their sum.
    k = (exponent | form.bits(2.0**form.mantissa)).real() - base
    return Split(k, m, ((2 * form.bias - exponent) << form.mantissa).real())


def _log1p_parts(f: Real) -> tuple[Real, Real]:
    """log(1 + f) in two parts, for 1 + f in [sqrt(1/2), sqrt(2)]."""
    s = f / (2.0 + f)
    z = s.square()
    half = f * -0.5
    high = half.fma(f, f)
    low = half.fma(f, f - high)  # f - f**2/2 - high: f - high is exact
    rest = z.polynomial(tables.LOG[f.form.width])
    return high, s.fma(z.fma(rest, -(half * f)), low)


def with_limits(x: Real, result: Real) -> Real:
    """``result`` with the values of a logarithm at infinity, NaN and zero."""
    infinity = float("inf")
    result = (x < infinity).select(result, x)
    return x.equals(0.0).select(x.constant(-infinity), result)


def _of_any(x: Real, result: Real) -> Real:
    """``result`` with the values of a logarithm at infinity, NaN, zero and below."""
    return with_limits(x, (result.bits() | x.bits().signs()).real())


def _log(parts: Split) -> Real:
    """k ln(2) + log(m), as fdlibm sums it: within 0.85 units in the last place."""
    ln2_high, ln2_low = LN2[parts.m.form.width]
    k, f = parts.k, parts.m - 1.0
    s = f / (2.0 + f)
    z = s.square()
    square = f.square()
    twice = z.fma(z.polynomial([2.0 * c for c in tables.LOG[f.form.width]]), square)
    twice = square - s.fma(twice, k * (2.0 * ln2_low))
    return k.fma(ln2_high, twice.fma(-0.5, f))


def log(x: Real) -> Real:
    """The natural logarithm."""
    return _of_any(x, _log(split(x)))


def log_of_normal(x: Real) -> Real:
    """The natural logarithm of a normal, positive, finite number."""
    return _log(split_normal(x))


def log_to_float32(x: Real) -> Real:
    """The logarithm of such a float64 number to 34 bits, what a float32 power needs."""
    parts = split_normal(x)
    f = parts.m - 1.0
    s = f / (2.0 + f)
    z = s.square()
    rest = z * z.polynomial(tables.LOG[64][:5])
    return parts.k.fma(LN2_PAIR[64][0], s.fma(rest, s + s))


def log1p(x: Real) -> Real:
    """log(1 + x) = log(u + c) with u the rounded sum and c its error."""
    # The sign is x's, also at -0, wherever there is a result.
    return log1p_of(x, x.constant(0.0), x.constant(0.0)).copysign(x)


def log1p_of(x: Real, low: Real, octaves: Real) -> Real:
    """log(1 + x + low) + octaves ln(2), |low| at most about a unit in the last place of x."""
    ln2_high, ln2_low = LN2[x.form.width]
    u, c = two_sum(x.constant(1.0), x)
    parts = split_normal(u)  # no sum with 1 is subnormal
    k = parts.k + octaves
    # Beyond 2**(mantissa + 3), c does not count and 2**-k may not exist.
    c = (x > 2.0 ** (x.form.mantissa + 3)).select(x.constant(0.0), (c + low) * parts.scale)
    f, missing = fast_two_sum(parts.m - 1.0, c)
    high, rest = _log1p_parts(f)
    total, lost = fast_two_sum(k * ln2_high, high)
    return _of_any(u, total + (lost + k.fma(ln2_low, rest + missing)))


def _scaled(x: Real, factor: tuple[float, float], per_octave: tuple[float, float]) -> Real:
    """k * per_octave + log(m) * factor, each factor in two parts."""
    parts = split(x)
    high, low = _log1p_parts(parts.m - 1.0)
    product = high * factor[0]
    product_low = high.fma(factor[0], -product)
    product_low = high.fma(factor[1], low.fma(factor[0], product_low))
    if per_octave[1]:
        product_low = parts.k.fma(per_octave[1], product_low)
    total, lost = fast_two_sum(parts.k * per_octave[0], product)
    return _of_any(x, total + (lost + product_low))


def log2(x: Real) -> Real:
    """The logarithm of base 2; exact for powers of 2."""
    return _scaled(x, LOG2_E_PAIR[x.form.width], (1.0, 0.0))


def log10(x: Real) -> Real:
    """The logarithm of base 10."""
    return _scaled(x, LOG10_E_PAIR[x.form.width], LOG10_2[x.form.width])


def logaddexp(x: Real, y: Real) -> Real:
    """log(e**x + e**y) as the larger one plus log1p(e**-d), d being their distance."""
    larger = (x > y).select(x, y)
    rest = log1p(exp(-(x - y).absolute()))
    # Infinities of one sign have no distance.
    return x.equals(y).select(x + math.log(2.0), larger + rest)
