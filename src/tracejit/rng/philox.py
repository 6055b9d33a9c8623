"""The counter-based generator Philox4x32-10, in NumPy.

John Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC '11. A number is a function of
a key and a counter: there is no state to move, so elements may be computed in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.rng.table import DISTRIBUTIONS

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
#: How far the places of a block's two numbers are apart: as many as a loop makes at a time.
HALF = 16
#: How far the blocks of neighbouring places are apart, where a number may take several.
GAP = 1 << 16
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def rounds(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, ...]:
    """Four words of 32 bits for a counter of four and a key of two, all as uint64."""
    for r in range(ROUNDS):
        p, q = np.uint64(MULTIPLIERS[0]) * c0, np.uint64(MULTIPLIERS[1]) * c2
        r0 = (k0 + np.uint64(r * WEYL[0] & 0xFFFFFFFF)) & _LOW
        r1 = (k1 + np.uint64(r * WEYL[1] & 0xFFFFFFFF)) & _LOW
        c0, c1, c2, c3 = (q >> _32) ^ c1 ^ r0, q & _LOW, (p >> _32) ^ c3 ^ r1, p & _LOW
    return c0, c1, c2, c3


def bits(key: Any, draw: Any, index: Any) -> tuple[Any, Any]:
    """Block `index` of draw number `draw` of a key, as two words of 64 bits."""
    key, draw, index = (np.asarray(v, np.uint64) for v in (key, draw, index))
    counter = index & _LOW, index >> _32, draw & _LOW, draw >> _32
    a, b, c, d = rounds(*counter, key & _LOW, key >> _32)
    return (a << _32) | b, (c << _32) | d


def _pair(key: Any, draw: Any, place: Any) -> tuple[Any, Any, Any]:
    """The block that makes the number of a place, and whether that is its second number."""
    place = np.asarray(place, np.uint64)
    odd = (place & np.uint64(HALF)) != 0
    return *bits(key, draw, place & ~np.uint64(HALF)), odd


def philox_word(key: Any, draw: Any, place: Any) -> Any:
    """64 bits for the element `place` of draw number `draw` of a key, as uint64."""
    high, low, odd = _pair(key, draw, place)
    return np.where(odd, low, high)


def philox_normal(key: Any, draw: Any, place: Any) -> Any:
    """A normal number of mean 0 and deviation 1, by Box and Muller (1958).

    A block makes two: a radius of its first word, and the cosine and sine of an angle of its other.
    """
    high, low, odd = _pair(key, draw, place)
    unit = ((high >> np.uint64(11)) + np.uint64(1)).astype(np.float64) * 2.0**-53
    quadrant = ((low >> np.uint64(61)) + np.uint64(1)) >> np.uint64(1)
    with np.errstate(over="ignore"):
        rest = (low - (quadrant << np.uint64(62))).view(np.int64) * (2 * np.pi * 2.0**-64)
    sine, cosine = np.sin(rest), np.cos(rest)
    turn = (quadrant + np.where(odd, 0, 1).astype(np.uint64)) & np.uint64(3)
    side = np.where(turn & np.uint64(1), cosine, sine)
    return np.sqrt(-2.0 * np.log(unit)) * np.where(turn & np.uint64(2), -side, side)


def reference(name: str) -> Callable[..., Any]:
    """The function of an op of this generator, over arrays."""
    kind, _, distribution = name.partition("_")
    if kind == "checked":
        return checked(distribution)
    return globals().get(name) or sampled(distribution)


def checked(name: str) -> Callable[..., Any]:
    """The function that gives a parameter back, and raises NumPy's error where one is not good."""

    def parameter(value: Any, good: Any, *parameters: Any) -> Any:
        if not np.all(good):
            DISTRIBUTIONS[name].refuse(*parameters)
        return value

    return parameter


def sampled(name: str) -> Callable[..., Any]:
    """The function of key, draw, places and parameters that gives numbers made by rejection."""

    def numbers(key: Any, draw: Any, place: Any, *parameters: Any) -> Any:
        from tracejit.rng.philox_source import sampler

        arrays = np.broadcast_arrays(np.asarray(place, np.uint64), *parameters)
        number = sampler(name)
        found = [
            number(np.uint64(key), np.uint64(draw), *each)
            for each in zip(*map(np.ravel, arrays), strict=True)
        ]
        kind = np.int64 if DISTRIBUTIONS[name].result == "i" else np.float64
        return np.array(found, kind).reshape(arrays[0].shape)

    return numbers
