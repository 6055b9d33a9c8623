"""Angles that are too far from zero to be reduced in floating numbers (Payne and Hanek 1983).

|x| is M 2**(e - 63), for M of 64 bits. Of the digits of 2/pi, those before place e - 64 give whole
turns, so 192 from there on are multiplied by M: the upper two bits of the product are the quarter
turn, and the others what is left of one. No float64 is nearer to a quarter turn than 2**-61 of one,
so some 65 bits of what is left are right.
"""

from __future__ import annotations

import itertools

from tracejit.intrinsics.vecmath.builder import BINARY64, Bits, Real
from tracejit.intrinsics.vecmath.exp import fast_two_sum
from tracejit.intrinsics.vecmath.lookup import Lookup, leading_zeros, to_real, upper_product

#: The digits of 2/pi: 64 zeros, and what comes after the point.
TWO_OVER_PI = (
    0x0000000000000000, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041,
    0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0, 0x06492EEA09D1921C, 0xFE1DEB1CB129A73E,
    0xE88235F52EBB4484, 0xE99C7026B45F7E41, 0x3991D639835339F4, 0x9C845F8BBDF9283B,
    0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB,
)  # fmt: skip
#: pi/2 rounded, and the rest of it.
HALF_PI = (float.fromhex("0x1.921fb54442d18p+0"), float.fromhex("0x1.1a62633145c07p-54"))


def far_reduced(x: Real) -> tuple[Bits, Real, Real]:
    """The quarter turn of an angle of 2 or more, and what is left, as a sum of two.

    The last two bits of the first count; NaN is left of what is infinite.
    """
    assert x.form is BINARY64
    bits = x.bits()
    exponent = (bits >> 52) & 0x7FF
    m = (bits << 11) | (1 << 63)
    finite = x.absolute() < float("inf")
    place = finite.select_bits(exponent, BINARY64.bias + 1) - (BINARY64.bias + 1)
    table = Lookup(x.builder, "tracejit_two_over_pi", TWO_OVER_PI)
    word, shift = place >> 6, place & 63
    given = [table.word(word + k) for k in range(4)]
    a, b, c = (_shifted(first, second, shift) for first, second in itertools.pairwise(given))
    # Of the product's words, from below, the third is what counts, but for a carry.
    low = m * b
    middle = low + upper_product(m, c)
    carry = _less(middle, low)
    high = m * a + upper_product(m, b) + carry
    turns = (high + (1 << 61)) >> 62
    high = high - (turns << 62)
    # The size of what is left: all bits of a negative number turned over, and one more.
    sign = high.signs()
    lower, upper = (middle ^ sign) - sign, high ^ sign
    upper = lower.nonzero().select_bits(upper, upper - sign)
    rest, low_rest = _of_fraction(upper, lower)
    negative = bits.signs()
    flip = (sign ^ negative) & (1 << 63)
    turns = (turns ^ negative) - negative
    rest, low_rest = ((r.bits() ^ flip).real() for r in (rest, low_rest))
    nan = x - x
    return turns, finite.select(rest, nan), finite.select(low_rest, nan)


def _shifted(first: Bits, second: Bits, shift: Bits) -> Bits:
    """64 bits of two words, from a place in the first."""
    builder = first.builder
    left = first.wrap(builder.shl(first.value, shift.value))
    right = first.wrap(builder.lshr((second >> 1).value, (63 - shift).value))
    return left | right


def _less(a: Bits, b: Bits) -> Bits:
    """1 where a < b, else 0."""
    builder = a.builder
    return a.wrap(builder.zext(builder.icmp_unsigned("<", a.value, b.value), a.form.int_type))


def _of_fraction(upper: Bits, lower: Bits) -> tuple[Real, Real]:
    """The angle of (2**64 upper + lower) / 2**126 quarter turns."""
    some = upper.nonzero()
    first = some.select_bits(upper, lower)
    second = some.select_bits(lower, 0)
    zeros = leading_zeros(first)
    first, second = _shifted(first, second, zeros), _shifted(second, second & 0, zeros)
    zeros = some.select_bits(zeros, zeros + 64)
    head = to_real(first >> 11)
    tail = to_real(((first & 0x7FF) << 42) | (second >> 22))
    scale = ((BINARY64.bias - 51 - zeros) << 52).real()
    head, tail = head * scale, tail * (scale * 2.0**-53)
    angle = head * HALF_PI[0]
    lost = head.fma(HALF_PI[0], -angle)
    return fast_two_sum(angle, lost + head.fma(HALF_PI[1], tail * HALF_PI[0]))
