"""The counter-based generator Philox4x32-10, in NumPy.

John Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC '11. A number is a function of
a key and a counter: there is no state to move, so elements may be computed in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
#: How far the places of a block's two numbers are apart: as many as a loop makes at a time.
HALF = 16
#: How far the blocks of neighbouring places are apart, where a number may take several.
GAP = 1 << 16
#: Rows have places this far apart (as a power of 2): a row may need many numbers.
ROW_SHIFT = 24
#: What gives samplers their elementary functions. They lie above, so who uses Philox adds it.
FUNCTIONS: list[Callable[[], object]] = []
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def prepare() -> None:
    """Have the elementary functions given, before samplers are compiled."""
    for give in FUNCTIONS:
        give()


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
