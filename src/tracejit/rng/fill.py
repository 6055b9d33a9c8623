"""Fill arrays with numbers: what compiled programs call, one function a distribution.

``fill(state, new, out, length, *parameters)`` copies `state` into `new`, draws from that, and
leaves the numbers in the flat array `out`, whose rows have `length` elements. A parameter is a
number, or a flat array with one for each element. The result is whether nothing was drawn, since
a parameter is one that NumPy refuses.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import overload

from tracejit.rng import legacy, philox_source  # noqa: F401 (registers its source)
from tracejit.rng.mrg_fill import mrg31k3p, mrg31k3p_unit
from tracejit.rng.mt19937 import copied, doubles
from tracejit.rng.philox import ROW_SHIFT, prepare
from tracejit.rng.source import begin, double, jit, move
from tracejit.rng.table import DISTRIBUTIONS, ELEMENT


def _at(x, k):  # type: ignore[no-untyped-def]
    raise NotImplementedError


@overload(_at, inline="always")
def _at_overload(x, k):  # type: ignore[no-untyped-def]
    if isinstance(x, types.Array):
        return lambda x, k: x[k]
    return lambda x, k: x


def _count(x):  # type: ignore[no-untyped-def]
    raise NotImplementedError


@overload(_count, inline="always")
def _count_overload(x):  # type: ignore[no-untyped-def]
    if isinstance(x, types.Array):
        return lambda x: x.size
    return lambda x: 1


def _elementwise(name: str, count: int) -> Any:
    own = DISTRIBUTIONS[name].generator == "pcg64"
    sample: Any = getattr(importlib.import_module("tracejit.rng.pcg64") if own else legacy, name)
    domain = DISTRIBUTIONS[name].domain
    valid: Any = domain and jit(eval(f"lambda {domain}"))
    if count == 0:

        @jit
        def fill(state, new, out, length):  # type: ignore[no-untyped-def]
            s = begin(state, new)
            for k in range(out.size):
                out[k] = sample(s)
            return False

    elif count == 1:

        @jit
        def fill(state, new, out, length, a):  # type: ignore[no-untyped-def]
            for k in range(_count(a)):
                if not valid(_at(a, k)):
                    return True
            s = begin(state, new)
            for k in range(out.size):
                out[k] = sample(s, _at(a, k))
            return False

    else:

        @jit
        def fill(state, new, out, length, a, b):  # type: ignore[no-untyped-def]
            for k in range(max(_count(a), _count(b))):
                if not valid(_at(a, k), _at(b, k)):
                    return True
            s = begin(state, new)
            for k in range(out.size):
                out[k] = sample(s, _at(a, k), _at(b, k))
            return False

    return fill


@jit
def _random_sample(state, new, out, length):  # type: ignore[no-untyped-def]
    new[:] = state
    doubles(new, out)
    return False


@jit
def _random_sample_block(state, out, count):  # type: ignore[no-untyped-def]
    doubles(state, out[:count])
    return False


@jit
def _shuffle(s, row):  # type: ignore[no-untyped-def]
    """By Fisher and Yates, from the end."""
    for k in range(row.size - 1, 0, -1):
        j = legacy.below(s, k)
        row[k], row[j] = row[j], row[k]


@jit
def _permutation(state, new, out, length, n):  # type: ignore[no-untyped-def]
    if n < 0:
        return True
    s = begin(state, new)
    for start in range(0, out.size, max(length, 1)):
        row = out[start : start + length]
        move(s, start // max(length, 1) << ROW_SHIFT)
        for k in range(length):
            row[k] = k
        _shuffle(s, row)
    return False


@jit
def _multinomial(state, new, out, length, n, p):  # type: ignore[no-untyped-def]
    """One binomial after another, of what is left."""
    for k in range(_count(n)):
        if _at(n, k) < 0:
            return True
    for start in range(0, p.size, max(length, 1)):
        total = 0.0
        for k in range(length):
            if not 0.0 <= p[start + k] <= 1.0:
                return True
            total += p[start + k] if k < length - 1 else 0.0
        if total > 1.0:
            return True
    s = begin(state, new)
    for start in range(0, out.size, max(length, 1)):
        row = out[start : start + length]
        move(s, start // max(length, 1) << ROW_SHIFT)
        row[:] = 0
        left, rest = _at(n, start // length), 1.0
        first = start if p.size > length else 0
        for k in range(length - 1):
            chance = p[first + k]
            if left > 0 and chance > 0.0:  # NumPy draws nothing otherwise
                row[k] = legacy.binomial(s, left, chance / rest)
            left -= row[k]
            if left <= 0:
                break
            rest -= chance
        if left > 0:
            row[length - 1] = left
    return False


@jit
def _choice(state, new, out, length, n):  # type: ignore[no-untyped-def]
    if n <= 0:
        return True
    s = begin(state, new)
    for k in range(out.size):
        move(s, k)
        out[k] = legacy.below(s, n - 1)
    return False


@jit
def _are_chances(n, p):  # type: ignore[no-untyped-def]
    """Whether `p` has `n` entries that are not negative and add up to 1; how many are not 0."""
    total, some = 0.0, 0
    for k in range(p.size):
        if not p[k] >= 0.0:
            return False, 0
        total += p[k]
        some += p[k] > 0.0
    return n > 0 and p.size == n and abs(total - 1.0) < 1e-8, some


@jit
def _place(total, u):  # type: ignore[no-untyped-def]
    """How many of the running totals are at most `u`."""
    low, high = 0, total.size
    while low < high:
        middle = (low + high) // 2
        if total[middle] <= u:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def _running(p):  # type: ignore[no-untyped-def]
    total = np.empty(p.size)
    so_far = 0.0
    for k in range(p.size):
        so_far += p[k]
        total[k] = so_far
    last = total[p.size - 1]
    for k in range(p.size):
        total[k] /= last
    return total


@jit
def _choice_weighed(state, new, out, length, n, p):  # type: ignore[no-untyped-def]
    if not _are_chances(n, p)[0]:
        return True
    s = begin(state, new)
    total = _running(p)
    for k in range(out.size):
        move(s, k)
        out[k] = _place(total, double(s))
    return False


@jit
def _choice_distinct(state, new, out, length, n):  # type: ignore[no-untyped-def]
    if n <= 0 or out.size > n:
        return True
    s = begin(state, new)
    everything = np.arange(n)
    _shuffle(s, everything)
    out[:] = everything[: out.size]
    return False


@jit
def _choice_distinct_weighed(state, new, out, length, n, p):  # type: ignore[no-untyped-def]
    """Draw what is missing, drop what is there already, and again without what was found."""
    fits, some = _are_chances(n, p)
    if not fits or some < out.size:
        return True
    s = begin(state, new)
    chance, found = p.copy(), 0
    while found < out.size:
        wanted = out.size - found
        total = _running(chance)
        for _ in range(wanted):
            place = _place(total, double(s))
            fresh = True
            for k in range(found):
                if out[k] == place:
                    fresh = False
            if fresh:
                out[found] = place
                found += 1
        for k in range(found):
            chance[out[k]] = 0.0
    return False


_OWN = {
    "mrg31k3p": mrg31k3p,
    "mrg31k3p_unit": mrg31k3p_unit,
    "random_sample": _random_sample,
    "random_sample_begin": copied,
    "random_sample_block": _random_sample_block,
    "permutation": _permutation,
    "multinomial": _multinomial,
    "choice": _choice,
    "choice_weighed": _choice_weighed,
    "choice_distinct": _choice_distinct,
    "choice_distinct_weighed": _choice_distinct_weighed,
}


@functools.cache
def draw(name: str) -> Any:
    """The function that fills an array with a distribution's numbers."""
    prepare()
    if name in _OWN:
        return _OWN[name]
    row = DISTRIBUTIONS[name]
    assert row.form == ELEMENT
    return _elementwise(name, len(row.parameters))
