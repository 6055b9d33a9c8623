"""MRG31k3p as a loop over streams, a part of them at a time, that LLVM vectorises."""

from __future__ import annotations

import numpy as np

from tracejit.rng.source import jit

#: Streams whose states stay in the fastest cache while all their numbers are made.
_PART = 256
_M1, _M2 = np.uint64(2**31 - 1), np.uint64(2147462579)
_LOW, _SHIFT, _FOLD = np.uint64(2**31 - 1), np.uint64(31), np.uint64(2**31 - 2147462579)
_22, _15 = np.uint64(22), np.uint64(15)
_A, _B = np.uint64(2**7 + 1), np.uint64(2**15 + 1)


@jit
def mrg31k3p(state, new, out, length):  # type: ignore[no-untyped-def]
    """Integers from 1 to 2**31 - 1 into `out`: element i from stream i modulo their number."""
    streams = state.shape[0]
    x = np.empty((6, _PART), np.uint32)
    for first in range(0, streams, _PART):
        count = min(_PART, streams - first)
        for j in range(6):
            for k in range(count):
                x[j, k] = state[first + k, j]
        for start in range(first, out.size, streams):
            part = out[start : min(start + count, out.size)]
            for k in range(part.size):
                # 2**31 is 1 modulo the first modulus, and `_FOLD` modulo the second.
                y = (np.uint64(x[1, k]) << _22) + np.uint64(x[2, k]) * _A
                y = (y & _LOW) + (y >> _SHIFT)
                y = (y & _LOW) + (y >> _SHIFT)
                y = y - _M1 if y >= _M1 else y
                z = (np.uint64(x[3, k]) << _15) + np.uint64(x[5, k]) * _B
                z = (z & _LOW) + (z >> _SHIFT) * _FOLD
                z = (z & _LOW) + (z >> _SHIFT) * _FOLD
                z = z - _M2 if z >= _M2 else z
                x[2, k], x[1, k], x[0, k] = x[1, k], x[0, k], np.uint32(y)
                x[5, k], x[4, k], x[3, k] = x[4, k], x[3, k], np.uint32(z)
                part[k] = np.int32(y - z + _M1 if y <= z else y - z)
        for j in range(6):
            for k in range(count):
                new[first + k, j] = np.int32(x[j, k])
    return False
