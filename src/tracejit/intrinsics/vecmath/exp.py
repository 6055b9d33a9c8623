"""The exponential family: exp, exp2, expm1, sinh, cosh, tanh, expit.

All start from the same reduction x = k ln(2) + r, |r| <= ln(2)/2 (Cody and Waite), with
exp(r) = 1 + r + r**2 q(r). ``r`` is kept as ``head + tail`` (head exact), which is what
keeps the last sum within one unit in the last place.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracejit.intrinsics.vecmath import tables
from tracejit.intrinsics.vecmath.builder import Bits, Format, Real

LOG2_E = 1.4426950408889634
LN2 = {
    # The first part has enough trailing zeros for its product with k to be exact.
    64: (float.fromhex("0x1.62e42fefa3800p-1"), float.fromhex("0x1.ef35793c76730p-45")),
    32: (float.fromhex("0x1.62e400p-1"), float.fromhex("0x1.7f7d1cp-20")),
}
# ln(2) rounded, and the rest of it.
LN2_PAIR = {
    64: (float.fromhex("0x1.62e42fefa39efp-1"), float.fromhex("0x1.abc9e3b39803fp-56")),
    32: (float.fromhex("0x1.62e430p-1"), float.fromhex("-0x1.05c610p-29")),
}
# Arguments beyond these overflow and underflow whatever follows; the reduction holds for them.
EXP_CLAMP = {64: 1000.0, 32: 110.0}
EXP2_CLAMP = {64: 1400.0, 32: 160.0}


def fast_two_sum(large: Real, small: Real) -> tuple[Real, Real]:
    """The rounded sum and its error (Dekker), for |large| >= |small| or large = 0."""
    total = large + small
    return total, small - (total - large)


def two_sum(a: Real, b: Real) -> tuple[Real, Real]:
    """The rounded sum and its error (Knuth), for any a and b."""
    total = a + b
    of_a = total - b
    return total, (a - of_a) + (b - (total - of_a))


def scale_of(biased: Bits, form: Format) -> Real:
    """2**k from bits whose low end is k + 2 bias, within the exponent range of normal numbers."""
    return ((biased - form.bias) << form.mantissa).real()


@dataclass(frozen=True)
class Reduced:
    """An exponential as 2**k (1 + head + tail), |tail| much smaller than |head|."""

    biased: Bits  # low bits: k + 2 bias
    head: Real
    tail: Real

    @property
    def form(self) -> Format:
        return self.head.form

    def scale(self) -> Real:
        """2**k for k within the exponent range of normal numbers."""
        return scale_of(self.biased, self.form)

    def two_scales(self) -> tuple[Real, Real]:
        """Two factors of 2**k, which itself need not be a finite normal number."""
        # The shift drops what lies above the exponent's bits.
        half = self.biased >> 1
        mantissa = self.form.mantissa
        return (half << mantissa).real(), ((self.biased - half) << mantissa).real()

    def value(self) -> Real:
        """The exponential itself, over- and underflow included."""
        first, second = self.two_scales()
        return (1.0 + (self.head + self.tail)) * first * second  # only the last can round


def nearest_integer(x: Real, factor: float) -> tuple[Real, Bits]:
    """k = x * factor rounded, as a number and as bits whose low end is k + 2 bias."""
    # Adding 1.5 * 2**mantissa leaves the integer in the low bits of the sum.
    form = x.form
    shift = 1.5 * 2.0**form.mantissa + 2 * form.bias
    shifted = x.fma(factor, shift)
    return shifted - shift, shifted.bits()


def reduce_exp(x: Real, low: Real | None = None, careful: bool = False) -> Reduced:
    """exp(x + low) for x within the clamp, |low| at most about a unit in the last place of x."""
    ln2_high, ln2_low = LN2[x.form.width]
    k, biased = nearest_integer(x, LOG2_E)
    head = k.fma(-ln2_high, x)
    rest = k * -ln2_low if low is None else k.fma(-ln2_low, low)
    return _finish(biased, head, rest, careful)


def _finish(biased: Bits, head: Real, rest: Real, careful: bool = False) -> Reduced:
    r = head + rest
    square = r.square()
    if not careful:
        return Reduced(biased, head, square.fma(r.polynomial(tables.EXP[r.form.width]), rest))
    # r**2/2 enters by an exact factor, which leaves little for the polynomial to spoil; and
    # what the rounding of r = head + rest lost changes exp(r) - 1 - r by r times that, nearly.
    rest = r.fma((head - r) + rest, rest)
    cubic = (square * r).fma(r.polynomial(tables.EXPM1[r.form.width]), rest)
    return Reduced(biased, head, (r * 0.5).fma(r, cubic))


def exp(x: Real) -> Real:
    """e**x: Cody-Waite reduction, minimax polynomial, two-step scaling."""
    limit = EXP_CLAMP[x.form.width]
    return reduce_exp(x.at_most(limit).at_least(-limit)).value()


def exp2(x: Real) -> Real:
    """2**x = 2**k e**(ln(2) (x - k)), the product with ln(2) in two parts."""
    limit = EXP2_CLAMP[x.form.width]
    ln2, ln2_rest = LN2_PAIR[x.form.width]
    x = x.at_most(limit).at_least(-limit)
    k, biased = nearest_integer(x, 1.0)
    fraction = x - k
    head = fraction * ln2
    rest = fraction.fma(ln2_rest, fraction.fma(ln2, -head))
    return _finish(biased, head, rest).value()


def _expm1_pair(x: Real, shrink: int = 0) -> tuple[Real, Real]:
    """2**-shrink (e**x - 1) as a sum of two numbers, for k from -bias to bias - 1 + shrink."""
    reduced = reduce_exp(x, careful=True)
    form = x.form
    scale = ((reduced.biased - (form.bias + shrink)) << form.mantissa).real()
    less, lost = fast_two_sum(scale, scale.constant(-(2.0**-shrink)))  # holds for k < 0 as well
    product = scale * reduced.head  # exact: a power of two
    # |less| >= |product| unless k = 0, when less = 0.
    high, low = fast_two_sum(less, product)
    return fast_two_sum(high, scale.fma(reduced.tail, low + lost))


def expm1(x: Real) -> Real:
    """e**x - 1: 2**k (1 + r + ...) - 1 with the large terms summed without error."""
    lowest, highest = {64: (-50.0, 710.0), 32: (-30.0, 88.9)}[x.form.width]
    clamped = x.at_most(highest).at_least(lowest)
    # Half of the result is formed, so that the largest scale factor is finite.
    high, low = _expm1_pair(clamped, shrink=1)
    result = (high + low) * 2.0
    # x itself, where halving could lose a bit of it, and for -0.
    return (x.absolute() < 2.0 ** -(x.form.mantissa + 2)).select(x, result)


def tanh(x: Real) -> Real:
    """tanh(a) = (D - 2) / D with D = e**(2 a) + 1, a = |x|, and a polynomial where that cancels."""
    a = x.absolute()
    clamped = a.at_most({64: 20.0, 32: 10.0}[x.form.width])  # tanh rounds to 1 from here
    reduced = reduce_exp(clamped + clamped)
    scale = reduced.scale()
    # The sum of 1 and the power of two is exact until it does not count.
    bottom = (reduced.head + reduced.tail).fma(scale, scale + 1.0)
    # Exact, too: from 6 on, D - 2 is the nearest to this. Where 2 is half a unit, D is.
    top = bottom - (2.0 - 2.0**-x.form.mantissa)
    z = a.square()
    small = (a * z).fma(z.polynomial(tables.TANH[x.form.width]), a)
    return (a < tables.TANH_BOUNDARY).select(small, top / bottom).copysign(x)


def _quotient(top: Real, bottom: Real, bottom_low: Real, top_low: Real | float) -> Real:
    """(top + top_low) / (bottom + bottom_low): one division, corrected by its remainder."""
    reciprocal = 1.0 / bottom
    quotient = top * reciprocal
    remainder = (-quotient).fma(bottom, top) + (-quotient).fma(bottom_low, top_low)
    return remainder.fma(reciprocal, quotient)


def _eighth(x: Real) -> tuple[Real, Real, Real]:
    """|x|, and (e**|x| - 1) / 8 in two parts, which is finite until twice that overflows."""
    a = x.absolute()
    high, low = _expm1_pair(a.at_most({64: 711.0, 32: 90.0}[x.form.width]), shrink=3)
    return a, high, low


def sinh(x: Real) -> Real:
    """sinh(a) = (E + E / (1 + E)) / 2 with E = e**a - 1, a = |x|, E carried in two parts."""
    a, high, low = _eighth(x)
    one, lost = two_sum(a.constant(1.0), high * 8.0)
    rest = _quotient(high, one, low.fma(8.0, lost), low)
    rest = (a > 40.0).select(a.constant(0.0), rest)
    total, missing = fast_two_sum(high, rest)
    result = ((total + (missing + low)) * 4.0).copysign(x)
    return (a < 2.0 ** -(x.form.mantissa // 2 + 3)).select(x, result)


def cosh(x: Real) -> Real:
    """cosh(a) = C + 1 / (4 C) with C = e**a / 2, a = |x|, C carried in two parts."""
    a, high, low = _eighth(x)
    eighth, lost = two_sum(a.constant(0.125), high)
    lost = lost + low
    rest = _quotient(a.constant(1 / 64), eighth, lost, 0.0)
    total, missing = fast_two_sum(eighth, rest)
    return (total + (missing + lost)) * 4.0


def expit(x: Real) -> Real:
    """1 / (1 + e**-x) as 1 / (1 + E) or E / (1 + E) with E = e**-|x| carried in two parts."""
    form = x.form
    a = x.absolute().at_most(EXP_CLAMP[form.width])
    reduced = reduce_exp(-a, careful=True)
    one, lost = fast_two_sum(a.constant(1.0), reduced.head)
    high, low = fast_two_sum(one, lost + reduced.tail)
    first, second = reduced.two_scales()
    scale = first * second
    denominator, rest = fast_two_sum(a.constant(1.0), high * scale)
    # E without its scale factor, which is applied last: E may underflow, the quotient does not.
    negative = x < 0.0
    top, top_low = negative.select(high, 1.0), negative.select(low, 0.0)
    reciprocal = 1.0 / denominator
    quotient = top * reciprocal
    remainder = (-quotient).fma(denominator, top)
    remainder = remainder + (-quotient).fma(low.fma(scale, rest), top_low)
    result = remainder.fma(reciprocal, quotient)
    return negative.select(result * first * second, result)
