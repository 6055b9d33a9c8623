"""sin, cos and tan.

x = k pi/2 + r by Cody and Waite in three steps with fma (exact in the first one), then
minimax polynomials for sin(r) and cos(r) after fdlibm's scheme. A float32 too large for this is
reduced in float64; what is too large for that, too, by its digits (`far`), one by one.
"""

from __future__ import annotations

from tracejit.intrinsics.vecmath import tables
from tracejit.intrinsics.vecmath.builder import BINARY64, Bits, Mask, Real
from tracejit.intrinsics.vecmath.exp import fast_two_sum
from tracejit.intrinsics.vecmath.far import far_reduced
from tracejit.intrinsics.vecmath.repair import repaired

TWO_OVER_PI = float.fromhex("0x1.45f306dc9c883p-1")
# Its digits, cut off and not rounded, so that all parts are positive. Of float64, the second has
# so few that its product with k is exact.
HALF_PI = {
    64: ("0x1.921fb54442d18p+0", "0x1.1a626331p-54", "0x1.1701b839a252p-88"),
    32: ("0x1.921fb4p+0", "0x1.4442dp-24", "0x1.846988p-48"),
}
# Within these limits r is as exact as the polynomials: no number this small is near enough to a
# multiple of pi/2 to cancel the third step (of float32, all have been tried).
NEAR = {64: 2.0**19, 32: 2.0**18}
# A float32 beyond is reduced in float64, where k is exact up to here.
LIMIT = {64: NEAR[64], 32: 2.0**40}


def sin(x: Real) -> Real:
    """The sine of an angle in radians."""
    return repaired(x, _of_any(x, near_sin(x), 0), "sin", _beyond, _far_sin)


def cos(x: Real) -> Real:
    """The cosine of an angle in radians."""
    return repaired(x, _of_any(x, near_cos(x), 1), "cos", _beyond, _far_cos)


def tan(x: Real) -> Real:
    """The tangent: the quotient of both, to two units in the last place."""
    return repaired(x, near_tan(x), "tan", _beyond, _far_tan)


def near_sin(x: Real) -> Real:
    """The sine of an angle that is not far from zero."""
    return _by_quadrant(x, 0, x.form.width)


def near_cos(x: Real) -> Real:
    """The cosine of an angle that is not far from zero."""
    return _by_quadrant(x, 1, x.form.width)


def _of_any(x: Real, near: Real, quarter_turns: int) -> Real:
    """``near``, or of a float32 that is far from zero what float64 gives."""
    if x.form is BINARY64:
        return near
    return far_angle(x).select(_by_quadrant(x.to(BINARY64), quarter_turns, 32).to(x.form), near)


def near_tan(x: Real) -> Real:
    """The tangent of an angle that is not far from zero."""
    wide = x.to(BINARY64)
    near = _quotient(*_reduced(wide, x.form.width)).to(x.form)
    tiny = x.absolute() < 2.0 ** -(x.form.mantissa // 2 + 2)
    return tiny.select(x, near)


def _by_quadrant(x: Real, quarter_turns: int, width: int) -> Real:
    """sin(x + quarter_turns pi/2), to the accuracy of ``width`` bits."""
    return _turned(*_reduced(x, width), quarter_turns)


def _far_sin(x: Real) -> Real:
    return _turned(*_of_digits(x), 0)


def _far_cos(x: Real) -> Real:
    return _turned(*_of_digits(x), 1)


def _far_tan(x: Real) -> Real:
    return _quotient(*_of_digits(x))


def _of_digits(x: Real) -> tuple[Bits, Real, Real]:
    """Quarter turn, sine and cosine of what is left, of an angle that is very far from zero."""
    quadrant, r, low = far_reduced(x)
    return quadrant, *sine_and_cosine(r, low)


def _quotient(quadrant: Bits, sine: Real, cosine: Real) -> Real:
    """The tangent."""
    odd = (quadrant & 1).nonzero()
    return odd.select(-cosine, sine) / odd.select(sine, cosine)


def _turned(quadrant: Bits, sine: Real, cosine: Real, quarter_turns: int) -> Real:
    """The sine so many quarter turns on."""
    quadrant = quadrant + quarter_turns
    odd = (quadrant & 1).nonzero()
    return (odd.select(cosine, sine).bits() ^ _sign(quadrant)).real()


def _reduced(x: Real, width: int) -> tuple[Bits, Real, Real]:
    """The nearest quarter turn of x, and sine and cosine of what is left.

    Where x has more than ``width`` bits, all that is beyond them is left out.
    """
    form = x.form
    half_pi = [float.fromhex(part) for part in HALF_PI[form.width]]
    shift = 1.5 * 2.0**form.mantissa
    shifted = x.fma(TWO_OVER_PI, shift)
    quadrant = shifted.bits()
    k = shifted - shift
    head = k.fma(-half_pi[0], x)
    product = k * -half_pi[1]
    # Exact: but where k is zero, head is a multiple of the last place of the product.
    r, low = fast_two_sum(head, product)
    if width == form.width:
        if form is not BINARY64:
            low = low - k.fma(half_pi[1], product)
        return quadrant, *sine_and_cosine(r, k.fma(-half_pi[2], low))
    z = r.square()
    less, more = _polynomials(z, width)
    return quadrant, (-(r * z)).fma(less, r), z.square().fma(more, z.fma(-0.5, 1.0))


def _polynomials(z: Real, width: int) -> tuple[Real, Real]:
    return z.polynomial([-c for c in tables.SIN[width]]), z.polynomial(tables.COS[width])


def sine_and_cosine(r: Real, low: Real) -> tuple[Real, Real]:
    """Sine and cosine of r + low, which is an eighth of a turn at most."""
    z = r.square()
    less, more = _polynomials(z, r.form.width)
    one = z.fma(-0.5, 1.0)
    sine = r - (r * z).fma(less, -(low * one))  # of these signs, so that -0 stays itself
    lost = z.fma(-0.5, 1.0 - one)
    return sine, one + z.square().fma(more, (-r).fma(low, lost))


def _sign(quadrant: Bits) -> Bits:
    """The sign bit of the lower half turn."""
    return (quadrant & 2) << (quadrant.form.width - 2)


def far_angle(x: Real) -> Mask:
    """Whether an angle is too large for what is near zero."""
    return x.absolute() > NEAR[x.form.width]


def _beyond(x: Real) -> Mask:
    """Whether an angle is so large that it is not reduced here."""
    return x.absolute() > LIMIT[x.form.width]
