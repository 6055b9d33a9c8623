"""What the ops of Philox mean, over arrays: the words, normals and samples of places in a draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.rng.philox import HALF, bits
from tracejit.rng.table import DISTRIBUTIONS


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
        from tracejit.rng.philox_source import sampler  # brings Numba along

        arrays = np.broadcast_arrays(np.asarray(place, np.uint64), *parameters)
        number = sampler(name)
        found = [
            number(np.uint64(key), np.uint64(draw), *each)
            for each in zip(*map(np.ravel, arrays), strict=True)
        ]
        kind = np.int64 if DISTRIBUTIONS[name].result == "i" else np.float64
        return np.array(found, kind).reshape(arrays[0].shape)

    return numbers
