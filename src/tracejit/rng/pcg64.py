"""PCG64, the generator of ``np.random.default_rng``, and what NumPy's ``Generator`` draws from it.

Melissa O'Neill, *PCG: a family of simple fast space-efficient statistically good algorithms for
random number generation* (2014): a linear congruence of 128 bits, whose halves are mixed (XSL-RR).

A state is an array of 6 int64, which hold bits: the upper and the lower half of the state and of
the increment, whether 32 bits wait, and these.
"""

from __future__ import annotations

import math

import numpy as np
from numba.core import types

from tracejit.rng import source, ziggurat
from tracejit.rng.mt19937 import copied
from tracejit.rng.source import double, jit

_HIGH, _LOW, _STEP_HIGH, _STEP_LOW, _WAITS, _WAITING = range(6)
_FACTOR_HIGH, _FACTOR_LOW = np.uint64(2549297995355413924), np.uint64(4865540595714422341)
_32, _MASK, _ONE, _ZERO = np.uint64(32), np.uint64(0xFFFFFFFF), np.uint64(1), np.uint64(0)
_INSIDE, _FACTORS, _DENSITIES = ziggurat.NORMAL
_E_INSIDE, _E_FACTORS, _E_DENSITIES = ziggurat.EXPONENTIAL
_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)


@jit
def _upper(a, b):  # type: ignore[no-untyped-def]
    """The upper 64 bits of a product."""
    a0, a1, b0, b1 = a & _MASK, a >> _32, b & _MASK, b >> _32
    low = a0 * b0
    middle = a1 * b0 + (low >> _32)
    other = a0 * b1 + (middle & _MASK)
    return a1 * b1 + (middle >> _32) + (other >> _32)


@jit
def next_64(s):  # type: ignore[no-untyped-def]
    """The next 64 bits."""
    words = s.view(np.uint64)
    high, low = words[_HIGH], words[_LOW]
    new = low * _FACTOR_LOW
    upper = _upper(low, _FACTOR_LOW) + high * _FACTOR_LOW + low * _FACTOR_HIGH
    low = new + words[_STEP_LOW]
    high = upper + words[_STEP_HIGH] + (_ONE if low < new else _ZERO)
    words[_HIGH], words[_LOW] = high, low
    mixed, turn = high ^ low, high >> np.uint64(58)
    return (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))


@jit
def next_32(s):  # type: ignore[no-untyped-def]
    """The next 32 bits: the lower half of 64, of which the upper one waits."""
    words = s.view(np.uint64)
    if words[_WAITS]:
        words[_WAITS] = _ZERO
        return words[_WAITING]
    bits = next_64(s)
    words[_WAITS], words[_WAITING] = _ONE, bits >> _32
    return bits & _MASK


@jit
def next_double(s):  # type: ignore[no-untyped-def]
    """The next number in [0, 1), of 53 bits."""
    return np.float64(np.int64(next_64(s) >> np.uint64(11))) * (1.0 / 9007199254740992.0)


@jit
def pcg64_random(s):  # type: ignore[no-untyped-def]
    return double(s)


@jit
def pcg64_normal(s):  # type: ignore[no-untyped-def]
    """By layers of the density; the last one is a tail (Marsaglia 1964)."""
    while True:
        r = next_64(s)
        layer = np.int64(r & np.uint64(0xFF))
        r >>= np.uint64(8)
        place = (r >> _ONE) & _MANTISSA
        x = np.float64(np.int64(place)) * _FACTORS[layer]
        if r & _ONE:
            x = -x
        if place < _INSIDE[layer]:
            return x
        if layer == 0:
            while True:
                beyond = -ziggurat.NORMAL_TAIL_INVERSE * math.log1p(-double(s))
                y = -math.log1p(-double(s))
                if y + y > beyond * beyond:
                    far = ziggurat.NORMAL_TAIL + beyond
                    return -far if (place >> np.uint64(8)) & _ONE else far
        between = (_DENSITIES[layer - 1] - _DENSITIES[layer]) * double(s) + _DENSITIES[layer]
        if between < math.exp(-0.5 * x * x):
            return x


@jit
def pcg64_exponential(s):  # type: ignore[no-untyped-def]
    """By layers of the density, with a tail like the whole."""
    while True:
        r = next_64(s) >> np.uint64(3)
        layer = np.int64(r & np.uint64(0xFF))
        r >>= np.uint64(8)
        x = np.float64(np.int64(r)) * _E_FACTORS[layer]
        if r < _E_INSIDE[layer]:
            return x
        if layer == 0:
            return ziggurat.EXPONENTIAL_TAIL - math.log1p(-double(s))
        low = _E_DENSITIES[layer]
        if (_E_DENSITIES[layer - 1] - low) * double(s) + low < math.exp(-x):
            return x


@jit
def pcg64_integers(s, first, last):  # type: ignore[no-untyped-def]
    """A number from the first to the last (Lemire 2019), of 32 bits where these are enough."""
    most = np.uint64(last) - np.uint64(first)
    if most == _ZERO:
        return first
    if most > _MASK:
        if most == ~_ZERO:
            return first + np.int64(next_64(s))
        count = most + _ONE
        bits = next_64(s)
        left = bits * count
        if left < count:
            least = (~_ZERO - most) % count
            while left < least:
                bits = next_64(s)
                left = bits * count
        return np.int64(np.uint64(first) + _upper(bits, count))
    if most == _MASK:
        return first + np.int64(next_32(s))
    count = most + _ONE
    product = next_32(s) * count
    left = product & _MASK
    if left < count:
        least = (_MASK - most) % count
        while left < least:
            product = next_32(s) * count
            left = product & _MASK
    return first + np.int64(product >> _32)


def is_state(ty: object) -> bool:
    return isinstance(ty, types.Array) and ty.dtype == types.int64


source.provide(is_state, begin=copied, move=lambda s, place: None, word=next_32, double=next_double)
