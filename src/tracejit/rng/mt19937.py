"""The Mersenne Twister MT19937, as loops that LLVM vectorises.

Makoto Matsumoto and Takuji Nishimura, *Mersenne Twister: a 623-dimensionally equidistributed
uniform pseudo-random number generator*, ACM TOMACS 8 (1998). The numbers, and the order in which
words make them, are those of NumPy's ``RandomState``, bit for bit.

A state is an array of 628 uint32: the 624 words of a block, the position of the next one, whether a
normal number waits, and the bits of that number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types

from tracejit.rng import source
from tracejit.rng.source import jit

WORDS, POSITION, WAITS, WAITING, SIZE = 624, 624, 625, 626, 628
_SHIFT = 397
_MATRIX, _UPPER, _LOWER = np.uint32(0x9908B0DF), np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
_ONE, _ZERO = np.uint32(1), np.uint32(0)


@jit
def _mixed(upper, lower, shifted):  # type: ignore[no-untyped-def]
    y = np.uint32((upper & _UPPER) | (lower & _LOWER))
    odd = _MATRIX if y & _ONE else _ZERO
    return np.uint32(shifted ^ np.uint32(y >> _ONE) ^ odd)


@jit
def twist(s):  # type: ignore[no-untyped-def]
    """Replace the block of words by the next one. Each loop reads what it does not write."""
    for k in range(WORDS - _SHIFT):
        s[k] = _mixed(s[k], s[k + 1], s[k + _SHIFT])
    for k in range(WORDS - _SHIFT, 2 * (WORDS - _SHIFT)):
        s[k] = _mixed(s[k], s[k + 1], s[k - (WORDS - _SHIFT)])
    for k in range(2 * (WORDS - _SHIFT), WORDS - 1):
        s[k] = _mixed(s[k], s[k + 1], s[k - (WORDS - _SHIFT)])
    s[WORDS - 1] = _mixed(s[WORDS - 1], s[0], s[_SHIFT - 1])


@jit
def tempered(y):  # type: ignore[no-untyped-def]
    """The number that a word of the block stands for."""
    y = np.uint32(y ^ np.uint32(y >> np.uint32(11)))
    y = np.uint32(y ^ np.uint32(np.uint32(y << np.uint32(7)) & np.uint32(0x9D2C5680)))
    y = np.uint32(y ^ np.uint32(np.uint32(y << np.uint32(15)) & np.uint32(0xEFC60000)))
    return np.uint32(y ^ np.uint32(y >> np.uint32(18)))


@jit
def next_word(s):  # type: ignore[no-untyped-def]
    """The next 32 bits."""
    position = s[POSITION]
    if position >= WORDS:
        twist(s)
        position = np.uint32(0)
    s[POSITION] = position + _ONE
    return tempered(s[position])


@jit
def joined(a, b):  # type: ignore[no-untyped-def]
    """Two words as a number in [0, 1)."""
    high = np.float64(np.int32(a >> np.uint32(5)))
    low = np.float64(np.int32(b >> np.uint32(6)))
    return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0)


@jit
def next_double(s):  # type: ignore[no-untyped-def]
    """The next number in [0, 1), of 53 bits."""
    a, b = next_word(s), next_word(s)
    return joined(a, b)


@jit
def copied(state, new):  # type: ignore[no-untyped-def]
    """`new`, made equal to `state`."""
    new[:] = state
    return new


@jit
def doubles(s, out):  # type: ignore[no-untyped-def]
    """Fill `out` with numbers in [0, 1), a block at a time."""
    position: Any = np.int64(s[POSITION])
    done = 0
    while done < out.size:
        if position >= WORDS:
            twist(s)
            position = 0
        count = min((WORDS - position) // 2, out.size - done)
        if count == 0:  # the last word of one block and the first of the next
            a = tempered(s[position])
            twist(s)
            out[done] = joined(a, tempered(s[0]))
            position, done = 1, done + 1
            continue
        block, part = s[position : position + 2 * count], out[done : done + count]
        for k in range(count):
            part[k] = joined(tempered(block[2 * k]), tempered(block[2 * k + 1]))
        position, done = position + 2 * count, done + count
    s[POSITION] = np.uint32(position)


def is_state(ty: Any) -> bool:
    return isinstance(ty, types.Array) and ty.dtype == types.uint32


source.provide(
    is_state, begin=copied, move=lambda s, place: None, word=next_word, double=next_double
)
