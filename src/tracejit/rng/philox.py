"""The counter-based generator Philox4x32-10, in NumPy.

John Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC '11. A number is a function of
a key and a counter: there is no state to move, so elements may be computed in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def philox(counter: Any, key: Any) -> tuple[Any, ...]:
    """Four words of 32 bits for a counter of four and a key of two, all as uint64."""
    c0, c1, c2, c3 = (np.asarray(c, np.uint64) for c in counter)
    k0, k1 = (np.asarray(k, np.uint64) for k in key)
    for r in range(ROUNDS):
        p, q = np.uint64(MULTIPLIERS[0]) * c0, np.uint64(MULTIPLIERS[1]) * c2
        r0 = (k0 + np.uint64(r * WEYL[0] & 0xFFFFFFFF)) & _LOW
        r1 = (k1 + np.uint64(r * WEYL[1] & 0xFFFFFFFF)) & _LOW
        c0, c1, c2, c3 = (q >> _32) ^ c1 ^ r0, q & _LOW, (p >> _32) ^ c3 ^ r1, p & _LOW
    return c0, c1, c2, c3


def _words(key: Any, draw: Any, index: Any) -> tuple[Any, ...]:
    key, draw, index = (np.asarray(v, np.uint64) for v in (key, draw, index))
    counter = index & _LOW, index >> _32, draw & _LOW, draw >> _32
    return philox(counter, (key & _LOW, key >> _32))


def philox_high(key: Any, draw: Any, index: Any) -> Any:
    """The first 64 of the bits of element `index` in draw number `draw` of a key."""
    a, b, _, _ = _words(key, draw, index)
    return (a << _32) | b


def philox_low(key: Any, draw: Any, index: Any) -> Any:
    """The other 64 bits."""
    _, _, c, d = _words(key, draw, index)
    return (c << _32) | d
