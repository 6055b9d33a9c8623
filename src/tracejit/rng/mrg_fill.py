"""MRG31k3p as a loop over streams, some rows of their numbers at a time, that LLVM vectorises."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.rng.mrg31k3p import GROUP, M1, M2, NORM
from tracejit.rng.source import jit

#: Streams whose states stay in a fast cache while all their numbers are made.
_PART = 1024
_M1, _M2 = np.uint64(M1), np.uint64(M2)
_LOW, _SHIFT, _FOLD = np.uint64(2**31 - 1), np.uint64(31), np.uint64(2**31 - M2)
_22, _15 = np.uint64(22), np.uint64(15)
_A, _B = np.uint64(2**7 + 1), np.uint64(2**15 + 1)


@jit
def _first(y):  # type: ignore[no-untyped-def]
    """`y`, below 2**62, modulo the first modulus: 2**31 is 1."""
    y = (y & _LOW) + (y >> _SHIFT)
    y = (y & _LOW) + (y >> _SHIFT)
    return y - _M1 if y >= _M1 else y


@jit
def _second(z):  # type: ignore[no-untyped-def]
    """`z`, below 2**62, modulo the second modulus: 2**31 is `_FOLD`."""
    z = (z & _LOW) + (z >> _SHIFT) * _FOLD
    z = (z & _LOW) + (z >> _SHIFT) * _FOLD
    return z - _M2 if z >= _M2 else z


def _filler(number: Any) -> Any:
    """A fill of ``number(i)`` for integers i from 1 to 2**31 - 1.

    Element k of `out` comes from stream k modulo their number. Of the groups of `GROUP` streams,
    those from `low` up to `high` are at work, all if that is -1; each stream leaves its state in
    `new`.
    """

    @jit
    def fill(state, new, out, length, low, high):  # type: ignore[no-untyped-def]
        streams = state.shape[0]
        end = streams if high < 0 or high >= streams // GROUP else high * GROUP
        x = np.empty((6, _PART), np.uint32)
        for first in range(low * GROUP, end, _PART):
            count = min(_PART, end - first)
            for j in range(6):
                for k in range(count):
                    x[j, k] = state[first + k, j]
            for start in range(first, out.size, streams):
                part = out[start : min(start + count, out.size)]
                for k in range(part.size):
                    y = _first((np.uint64(x[1, k]) << _22) + np.uint64(x[2, k]) * _A)
                    z = _second((np.uint64(x[3, k]) << _15) + np.uint64(x[5, k]) * _B)
                    x[2, k], x[1, k], x[0, k] = x[1, k], x[0, k], np.uint32(y)
                    x[5, k], x[4, k], x[3, k] = x[4, k], x[3, k], np.uint32(z)
                    part[k] = number(y - z + _M1 if y <= z else y - z)
            for j in range(6):
                for k in range(count):
                    new[first + k, j] = np.int32(x[j, k])
        return False

    return fill


mrg31k3p = _filler(jit(lambda i: np.int32(i)))
mrg31k3p_unit = _filler(jit(lambda i: np.float64(np.int64(i)) * NORM))
