"""gammaln: the logarithm of the absolute value of the gamma function.

Three pieces: (x - 1) (x - 2) P(x) on [1, 5/2), which keeps the zeros; for smaller positive numbers
the same at x + 1, less log(x); from 5/2 on Stirling's formula with a fitted rest. The logarithm is
a sum of two numbers: near 5/2 what is added cancels to a tenth, and above it counts x times. What
is not positive is computed one by one (`below_zero`).
"""

from __future__ import annotations

from tracejit.intrinsics.vecmath import tables
from tracejit.intrinsics.vecmath.below_zero import gammaln_below_zero
from tracejit.intrinsics.vecmath.builder import BINARY32, BINARY64, Mask, Real
from tracejit.intrinsics.vecmath.exp import two_sum
from tracejit.intrinsics.vecmath.log import log_to_float32
from tracejit.intrinsics.vecmath.pow import log_pair
from tracejit.intrinsics.vecmath.repair import repaired

#: log(2 pi)/2 rounded, and the rest of it.
_HALF_LOG_2PI = (float.fromhex("0x1.d67f1c864beb5p-1"), float.fromhex("-0x1.65b5a1b7ff5dfp-55"))


def gammaln(x: Real) -> Real:
    """log(|gamma(x)|), infinite at the poles; as SciPy's, -inf at -inf."""
    return repaired(x, near_gammaln(x), "gammaln", not_positive, _far_gammaln)


def _far_gammaln(x: Real) -> Real:
    return gammaln_below_zero(x, _stirling_pair)


def near_gammaln(x: Real) -> Real:
    """The same of a positive number, or one that is not finite."""
    wide = x.to(BINARY64)
    narrow = x.form is BINARY32
    logarithm = (log_to_float32(wide), wide.constant(0.0)) if narrow else log_pair(wide)
    width = x.form.width
    near = (wide < 2.5).select(
        _below(wide, logarithm, tables.GAMMALN_SMALL[width]),
        _stirling(wide, logarithm, tables.GAMMALN_LARGE[width]),
    )
    return _is_finite(x).select(near.to(x.form), x)


def _is_finite(x: Real) -> Mask:
    return x.absolute() < float("inf")


def not_positive(x: Real) -> Mask:
    """Whether a number is finite and zero or below."""
    return ~(x > 0.0) & _is_finite(x)


def _below(x: Real, logarithm: tuple[Real, Real], coefficients: tuple[float, ...]) -> Real:
    """For 0 < x < 5/2."""
    low = x < 1.0
    a, b = low.select(x, x - 1.0), low.select(x - 1.0, x - 2.0)
    t = a * b
    factor = low.select(x - 0.75, x - 1.75).polynomial(coefficients)
    rest = a.fma(b, -t) * factor
    rest = low.select(rest - logarithm[1], rest)
    value = t.fma(factor, rest)
    return low.select(value - logarithm[0], value)


def _stirling(x: Real, logarithm: tuple[Real, Real], coefficients: tuple[float, ...]) -> Real:
    """x (log(x) - 1) - log(x)/2 + log(2 pi)/2 + R(1/x)/x, for x >= 5/2."""
    total, rest, product = _stirling_terms(x, logarithm, coefficients)
    # Where the product overflows, there is no rest.
    return (product < float("inf")).select(total + rest, product)


def _stirling_pair(x: Real) -> tuple[Real, Real]:
    """The same of a float64 that does not overflow, in two parts."""
    return _stirling_terms(x, log_pair(x), tables.GAMMALN_LARGE[64])[:2]


def _stirling_terms(
    x: Real, logarithm: tuple[Real, Real], coefficients: tuple[float, ...]
) -> tuple[Real, Real, Real]:
    """The result as a sum of two, and the product that may overflow."""
    high, low = logarithm
    w = 1.0 / x
    rest = w * w.polynomial(coefficients)
    a, a_low = two_sum(high, x.constant(-1.0))
    product = x * a
    rest = rest + x.fma(a_low + low, x.fma(a, -product))
    constant, lost = two_sum(high * -0.5, x.constant(_HALF_LOG_2PI[0]))
    rest = rest + (lost + low.fma(-0.5, _HALF_LOG_2PI[1]))
    total, lost = two_sum(product, constant)
    return total, lost + rest, product
