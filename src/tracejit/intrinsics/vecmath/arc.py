"""The inverse trigonometric functions: arctan, arctan2, arcsin, arccos.

After fdlibm. An arc tangent of t <= 1 is atan(c) + atan(u), u = (t - c) / (1 + c t), for the
nearest c of 0, 1/2 and 1; an arc sine beyond 1/2 is that of the half angle, whose sine is
sqrt((1 - x) / 2). What is added to a large constant is kept in two parts until the last sum.
"""

from __future__ import annotations

from tracejit.intrinsics.vecmath import tables
from tracejit.intrinsics.vecmath.builder import Mask, Real
from tracejit.intrinsics.vecmath.exp import fast_two_sum

Pair = tuple[float, float]

# pi and atan(1/2), rounded, with the rest of each.
PI: dict[int, Pair] = {
    64: (float.fromhex("0x1.921fb54442d18p+1"), float.fromhex("0x1.1a62633145c07p-53")),
    32: (float.fromhex("0x1.921fb6p+1"), float.fromhex("-0x1.777a5cp-24")),
}
ATAN_HALF: dict[int, Pair] = {
    64: (float.fromhex("0x1.dac670561bb4fp-2"), float.fromhex("0x1.a2b7f222f65e2p-56")),
    32: (float.fromhex("0x1.dac670p-2"), float.fromhex("0x1.586ed4p-28")),
}


def _scaled(pair: Pair, factor: float) -> Pair:
    return pair[0] * factor, pair[1] * factor


def _choose(x: Real, mask: Mask, then: Pair, otherwise: tuple[Real, Real]) -> tuple[Real, Real]:
    return tuple(  # type: ignore[return-value]
        mask.select(x.constant(a), b) for a, b in zip(then, otherwise, strict=True)
    )


def _quotient_angle(top: Real, bottom: Real) -> tuple[Real, Real]:
    """atan(top / bottom) in two parts, for 0 <= top <= bottom, both within moderate bounds."""
    width = top.form.width
    half, one = top > bottom * (7 / 16), top > bottom * (11 / 16)
    zero = top.constant(0.0)
    c = one.select(top.constant(1.0), half.select(top.constant(0.5), zero))
    base, base_low = _choose(top, half, ATAN_HALF[width], (zero, zero))
    base, base_low = _choose(top, one, _scaled(PI[width], 0.25), (base, base_low))
    over = (-c).fma(bottom, top)  # exact: c = 0, or the two are within a factor of 2
    product = c * top
    under, lost = fast_two_sum(bottom, product)
    reciprocal = 1.0 / under
    u = over * reciprocal
    u = ((-u).fma(under, over) - u * lost).fma(reciprocal, u)
    u_low = ((-u).fma(under, over) - u * lost) * reciprocal
    z = u.square()
    bend = (u * z).fma(z.polynomial(tables.ATAN[width]), u_low)
    high, missing = fast_two_sum(base, u)
    return high, missing + (base_low + bend)


def arctan(x: Real) -> Real:
    """The arc tangent."""
    a = x.absolute().at_most(2.0**60 if x.form.width == 64 else 2.0**30)
    steep = a > 1.0
    one = a.constant(1.0)
    high, low = _quotient_angle(steep.select(one, a), steep.select(a, one))
    right, right_low = _scaled(PI[x.form.width], 0.5)
    far, missing = fast_two_sum(a.constant(right), -high)
    result = steep.select(far + (missing + (right_low - low)), high + low)
    return result.copysign(x)


def arctan2(y: Real, x: Real) -> Real:
    """The angle of the point (x, y), from -pi to pi."""
    form = y.form
    infinity = float("inf")
    a, b = y.absolute(), x.absolute()
    steep = a > b
    top, bottom = steep.select(b, a), steep.select(a, b)
    zero, one = y.constant(0.0), y.constant(1.0)
    endless = bottom.equals(infinity)
    top = endless.select(top.equals(infinity).select(one, zero), top)
    bottom = endless.select(one, bottom)
    bottom = bottom.equals(0.0).select(one, bottom)
    # Neither may the sum of the two overflow, nor the reciprocal of the larger.
    edge = 2.0 ** (form.bias - 20)
    scale = (bottom > edge).select(y.constant(2.0**-40), one)
    scale = (bottom < 1 / edge).select(y.constant(2.0**60), scale)
    high, low = _quotient_angle(top * scale, bottom * scale)
    # The angle is `base` plus or minus what was found, by the octant.
    behind = (x.bits() >> (form.width - 1)).nonzero()
    right, half = _scaled(PI[form.width], 0.5), PI[form.width]
    base, base_low = _choose(y, behind, half, (zero, zero))
    base, base_low = _choose(y, steep, right, (base, base_low))
    away = steep.select(behind.select(one, -one), behind.select(-one, one))
    high, low = high * away, low * away
    total, missing = fast_two_sum(base, high)
    plain = base.equals(0.0)
    result = plain.select(high + low, total + (missing + (base_low + low))).copysign(y)
    nowhere = y + x
    return nowhere.equals(nowhere).select(result, _not_a_number(x, y, result))


def _not_a_number(x: Real, y: Real, result: Real) -> Real:
    """NaN where an operand is; the sum of two infinities is NaN as well, and their angle is not."""
    of_x = x.equals(x).select(result, x)
    return y.equals(y).select(of_x, y)


def _arc(x: Real) -> tuple[Mask, Real, Real, Real]:
    """Whether |x| > 1/2; s, and asin(s) - s, and the rest of s, for the angle that is looked up.

    That is |x|'s, or half of what is left of a right angle.
    """
    a = x.absolute()
    far = a > 0.5
    z = far.select((1.0 - a) * 0.5, a * a)
    root = z.sqrt()
    s = far.select(root, a)
    divisor = root.equals(0.0).select(x.constant(1.0), root + root)
    rest = far.select((-root).fma(root, z) / divisor, x.constant(0.0))
    bend = (s * z) * z.polynomial(tables.ASIN[x.form.width])
    return far, s, bend, rest


def arcsin(x: Real) -> Real:
    """The arc sine; NaN beyond 1."""
    far, s, bend, rest = _arc(x)
    right, right_low = _scaled(PI[x.form.width], 0.5)
    total, missing = fast_two_sum(x.constant(right), s * -2.0)
    large = total + (missing + (right_low - (bend + rest) * 2.0))
    return far.select(large, s + bend).copysign(x)


def arccos(x: Real) -> Real:
    """The arc cosine; NaN beyond 1."""
    far, s, bend, rest = _arc(x)
    width = x.form.width
    negative = x < 0.0
    right, right_low = _scaled(PI[width], 0.5)
    # Within 1/2: a right angle less the arc sine.
    sign = negative.select(x.constant(-1.0), x.constant(1.0))
    total, missing = fast_two_sum(x.constant(right), -(s * sign))
    near = total + (missing + (right_low - bend * sign))
    both, more = s * 2.0, (bend + rest) * 2.0
    back, lost = fast_two_sum(x.constant(PI[width][0]), -both)
    return far.select(negative.select(back + (lost + (PI[width][1] - more)), both + more), near)
