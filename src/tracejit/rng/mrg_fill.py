"""MRG31k3p as a loop over streams, a part of them at a time, that LLVM vectorises."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tracejit.rng.mrg31k3p import NORM
from tracejit.rng.source import jit

#: Streams whose states stay in a fast cache while all their numbers are made.
_PART = 1024
#: Bytes in a page of memory.
_PAGE = 4096
_M1, _M2 = np.uint64(2**31 - 1), np.uint64(2147462579)
_LOW, _SHIFT, _FOLD = np.uint64(2**31 - 1), np.uint64(31), np.uint64(2**31 - 2147462579)
_22, _15 = np.uint64(22), np.uint64(15)
_A, _B = np.uint64(2**7 + 1), np.uint64(2**15 + 1)


def _make_touch(typingctx, array, k):  # type: ignore[no-untyped-def]
    """Have the system provide the memory of element `k`, whoever writes to it meanwhile."""

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8)
        data = context.make_array(array)(context, b, args[0]).data
        place = b.bitcast(b.gep(data, [args[1]]), byte.as_pointer())
        b.atomic_rmw("add", place, byte(0), "monotonic")
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


_touch: Any = intrinsic(_make_touch)


def _filler(number: Any) -> Any:
    """A fill of ``number(i)`` for integers i from 1 to 2**31 - 1.

    Element k of `out` comes from stream k modulo their number. Streams from `low` up to `high` are
    moved; the others' numbers are left.
    """

    @jit
    def fill(state, new, out, length, low, high):  # type: ignore[no-untyped-def]
        streams = state.shape[0]
        if high - low < streams:
            # All threads write everywhere: let each ask for its share of fresh pages.
            for k in range(
                out.size * low // streams, out.size * high // streams, _PAGE // out.itemsize
            ):
                _touch(out, k)
        x = np.empty((6, _PART), np.uint32)
        for first in range(low, high, _PART):
            count = min(_PART, high - first)
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
                    part[k] = number(y - z + _M1 if y <= z else y - z)
            for j in range(6):
                for k in range(count):
                    new[first + k, j] = np.int32(x[j, k])
        return False

    return fill


mrg31k3p = _filler(jit(lambda i: np.int32(i)))
mrg31k3p_unit = _filler(jit(lambda i: np.float64(np.int64(i)) * NORM))
