"""MRG31k3p as a loop over streams, some rows of their numbers at a time, that LLVM vectorises."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.rng.mrg31k3p import M1, M2, NORM, STEP
from tracejit.rng.source import jit

#: Streams whose states stay in a fast cache while all their numbers are made.
_PART = 1024
_M1, _M2 = np.uint64(M1), np.uint64(M2)
_LOW, _SHIFT, _FOLD = np.uint64(2**31 - 1), np.uint64(31), np.uint64(2**31 - M2)
_22, _15 = np.uint64(22), np.uint64(15)
_A, _B = np.uint64(2**7 + 1), np.uint64(2**15 + 1)
#: What a step makes of the last three numbers of each recurrence.
_STEP = np.array(STEP, np.uint64)


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


@jit
def _power(steps):  # type: ignore[no-untyped-def]
    """The matrices (2, 3, 3) of so many steps, by squaring."""
    result, square = np.zeros((2, 3, 3), np.uint64), _STEP.copy()
    for k in range(3):
        result[0, k, k] = result[1, k, k] = 1
    while steps:
        if steps & 1:
            result = _product(result, square)
        square = _product(square, square)
        steps >>= 1
    return result


@jit
def _product(a, b):  # type: ignore[no-untyped-def]
    c = np.zeros((2, 3, 3), np.uint64)
    for i in range(3):
        for j in range(3):
            for k in range(3):
                c[0, i, j] = (c[0, i, j] + a[0, i, k] * b[0, k, j] % _M1) % _M1
                c[1, i, j] = (c[1, i, j] + a[1, i, k] * b[1, k, j] % _M2) % _M2
    return c


@jit
def _jump(x, count, a):  # type: ignore[no-untyped-def]
    """Move states (6, count) by the steps of the matrices `a`."""
    for k in range(count):
        u, v, w = np.uint64(x[0, k]), np.uint64(x[1, k]), np.uint64(x[2, k])
        p, q, r = np.uint64(x[3, k]), np.uint64(x[4, k]), np.uint64(x[5, k])
        for i in range(3):
            y = _first(a[0, i, 0] * u) + _first(a[0, i, 1] * v) + _first(a[0, i, 2] * w)
            z = _second(a[1, i, 0] * p) + _second(a[1, i, 1] * q) + _second(a[1, i, 2] * r)
            x[i, k], x[3 + i, k] = np.uint32(_first(y)), np.uint32(_second(z))


def _filler(number: Any) -> Any:
    """A fill of ``number(i)`` for integers i from 1 to 2**31 - 1.

    Element k of `out` comes from stream k modulo their number: a row is one number of each. Rows
    from `low` up to `high` are made, all if that is -1. Who makes the last row leaves the states.
    """

    @jit
    def fill(state, new, out, length, low, high):  # type: ignore[no-untyped-def]
        streams = state.shape[0]
        high = (out.size + streams - 1) // streams if high < 0 else high
        last = high * streams >= out.size
        matrices = _power(low)
        x = np.empty((6, _PART), np.uint32)
        for first in range(0, streams, _PART):
            count = min(_PART, streams - first)
            for j in range(6):
                for k in range(count):
                    x[j, k] = state[first + k, j]
            if low:
                _jump(x, count, matrices)
            for start in range(low * streams + first, min(high * streams, out.size), streams):
                part = out[start : min(start + count, out.size)]
                for k in range(part.size):
                    y = _first((np.uint64(x[1, k]) << _22) + np.uint64(x[2, k]) * _A)
                    z = _second((np.uint64(x[3, k]) << _15) + np.uint64(x[5, k]) * _B)
                    x[2, k], x[1, k], x[0, k] = x[1, k], x[0, k], np.uint32(y)
                    x[5, k], x[4, k], x[3, k] = x[4, k], x[3, k], np.uint32(z)
                    part[k] = number(y - z + _M1 if y <= z else y - z)
            if last:
                for j in range(6):
                    for k in range(count):
                        new[first + k, j] = np.int32(x[j, k])
        return False

    return fill


mrg31k3p = _filler(jit(lambda i: np.int32(i)))
mrg31k3p_unit = _filler(jit(lambda i: np.float64(np.int64(i)) * NORM))
