"""gammaln of numbers that are zero or below, one at a time.

Next to its zeros the function is small, and what it is the logarithm of is near 1: above -24.5,
that is x = s - n, |s| <= 1/2, this is a sum of two numbers, right to 100 bits,

    1 / |gamma(x)| = |s (1 - s) (2 - s) … (n - s)| / gamma(1 + s)

and at a zero itself two terms of Taylor's series. Below, by reflection: log(pi) less the logarithm
of |x sin(pi x)| and gammaln(|x|), both in two parts, of which little cancels.
"""

from __future__ import annotations

from typing import Any

from tracejit.intrinsics.vecmath.builder import BINARY64, Real
from tracejit.intrinsics.vecmath.exp import fast_two_sum, two_sum
from tracejit.intrinsics.vecmath.pow import log_pair
from tracejit.intrinsics.vecmath.trig import sine_and_cosine

Pair = tuple[Real, Real]
#: From here on by products.
_FEW = 24.5
_PI = (float.fromhex("0x1.921fb54442d18p+1"), float.fromhex("0x1.1a62633145c07p-53"))
_LOG_PI = (float.fromhex("0x1.250d048e7a1bdp+0"), float.fromhex("0x1.7abf2ad8d5088p-57"))
#: 1 / gamma(1 + s) by powers of s: terms in two parts, and those after them.
RECIPROCAL = (
    (1.0, 0.0),
    (0.5772156649015329, -4.942915152430645e-18),
    (-0.6558780715202539, 2.137185197068536e-17),
    (-0.04200263503409524, 1.4920306285650505e-18),
    (0.16653861138229148, 1.0189144546842026e-17),
    (-0.04219773455554433, -3.3579992682480134e-18),
    (-0.009621971527876973, -5.300031368830263e-19),
    (0.0072189432466631, -3.6006537063394283e-19),
    (-0.0011651675918590652, 5.659947853880981e-20),
    (-0.00021524167411495098, 2.3758686180729364e-21),
    (0.0001280502823881162, -9.359124499198967e-21),
    (-2.013485478078824e-05, 3.0488773972037385e-23),
    (-1.2504934821426706e-06, -2.66214092271898e-23),
    (1.133027231981696e-06, -4.622235212104869e-23),
    (-2.056338416977607e-07, -3.0061601618645134e-24),
    (6.116095104481416e-09, -2.693458298171306e-25),
    (5.002007644469223e-09, -1.538123614056751e-26),
)
RECIPROCAL_TAIL = (
    -1.18127457048702e-09, 1.0434267116911005e-10, 7.782263439905071e-12, -3.696805618642206e-12,
    5.100370287454476e-13, -2.0583260535665066e-14, -5.348122539423018e-15, 1.2267786282382608e-15,
    -1.1812593016974588e-16, 1.1866922547516004e-18, 1.4123806553180319e-18,
    -2.29874568443537e-19, 1.7144063219273374e-20, 1.337351730493693e-22, -2.0542335517666728e-22,
)  # fmt: skip
#: Zeros that a float64 may be too near to for 100 bits, in two parts, and two terms there.
ZEROS = (
    (-2.4570247382208006, -3.7075610815513266e-17, 1.5156034480216574, 4.8583209516339965),
    (-2.7476826467274127, 9.055340329338315e-17, -1.9143501856115988, 9.575189475709667),
    (-3.14358088834998, -2.1818179852331714e-16, 7.781884658131351, 25.831338372387957),
    (-3.955294284858598, -1.999428391746348e-17, -20.725060845803707, 251.7146825868894),
    (-4.039361839740537, 2.1143995503980602e-16, 26.790480886140593, 324.25532293784715),
    (-4.991544640560048, 1.5174411760571722e-16, -116.53578161624363, 6995.235954894064),
    (-5.0082181683225935, -4.3926353491015815e-17, 123.3621845633534, 7404.762432228682),
    (-5.998607480080875, -3.311862478893795e-16, -716.2454304275473, 257851.58963956262),
    (-6.001385294453155, 6.415847287933042e-17, 723.7366299252801, 260548.41030309396),
    (-6.999801507890638, 1.0550130037400023e-17, -5035.967373768125, 12690641.16604718),
)
#: How near that is.
_AT_ZERO = 2.0**-44


def gammaln_below_zero(x: Real, stirling: Any) -> Real:
    """log(|gamma(x)|) of a finite x <= 0; ``stirling`` gives it in two parts from 5/2 on."""
    b, size = x.builder, x.absolute()
    few = size < _FEW
    with b.if_else(few.value) as (then, otherwise):
        with then:
            near = _by_products(x, size)
            near_block = b.block
        with otherwise:
            far = _reflected(x, size, stirling)
            far_block = b.block
    found = b.phi(BINARY64.float_type)
    found.add_incoming(near.value, near_block)
    found.add_incoming(far.value, far_block)
    return x.wrap(found)


def _above_pole(x: Real, size: Real) -> Pair:
    """The nearest integer, and how far above it x is; both are exact."""
    whole = (size < 0.5).select(size.constant(0.0), (size + 0.5).truncated())
    whole = (size > 2.0**52).select(size, whole)
    return whole, whole - size


def _by_products(x: Real, size: Real) -> Real:
    count, s = _above_pole(x, size)
    high, low = _times(_reciprocal(s), s.absolute())
    high, low = _product(high, low, count, s)
    logarithm, rest = log_pair(high)
    plain = -(logarithm + (rest + low / high))
    found = s.equals(0.0).select(x.constant(float("inf")), plain)
    for zero, beyond, slope, bend in ZEROS:
        step = x - zero
        rest = step - beyond
        taylor = rest * rest.fma(bend, slope)
        found = (step.absolute() < _AT_ZERO).select(taylor, found)
    return found


def _reciprocal(s: Real) -> Pair:
    """1 / gamma(1 + s), |s| <= 1/2."""
    high, low = s.polynomial(RECIPROCAL_TAIL), s.constant(0.0)
    for coefficient, beyond in reversed(RECIPROCAL):
        product = high * s
        lost = low.fma(s, high.fma(s, -product))
        total, more = two_sum(s.constant(coefficient), product)
        high, low = fast_two_sum(total, more + (lost + beyond))
    return high, low


def _times(pair: Pair, factor: Real) -> Pair:
    high, low = pair
    product = high * factor
    return fast_two_sum(product, low.fma(factor, high.fma(factor, -product)))


def _product(high: Real, low: Real, count: Real, s: Real) -> Pair:
    """Times (1 - s) (2 - s) … (count - s), in a loop."""
    b, real = high.builder, BINARY64.float_type
    before = b.block
    test, step, done = (b.append_basic_block() for _ in range(3))
    b.branch(test)
    b.position_at_end(test)
    phis = [b.phi(real) for _ in range(3)]
    number, *pair = (high.wrap(phi) for phi in phis)
    b.cbranch((count < number).value, done, step)
    b.position_at_end(step)
    later = (number + 1.0, *_times((pair[0], pair[1]), number - s))
    b.branch(test)
    for phi, start, value in zip(phis, (high.constant(1.0), high, low), later, strict=True):
        phi.add_incoming(start.value, before)
        phi.add_incoming(value.value, step)
    b.position_at_end(done)
    return pair[0], pair[1]


def _reflected(x: Real, size: Real, stirling: Any) -> Real:
    _, s = _above_pole(x, size)
    part = s.absolute()
    small = part < 0.25
    turn = small.select(part, 0.5 - part)
    angle = turn * _PI[0]
    sine, cosine = sine_and_cosine(angle, turn.fma(_PI[1], turn.fma(_PI[0], -angle)))
    high, low = log_pair(size * small.select(sine, cosine))
    other, other_low = stirling(size)
    total, lost = two_sum(-other, -high)
    total, more = two_sum(total, total.constant(_LOG_PI[0]))
    value = total + ((lost + more) - (low + other_low - _LOG_PI[1]))
    return s.equals(0.0).select(x.constant(float("inf")), value)
