"""Fill arrays with numbers: what compiled programs call, one function a distribution.

``fill(state, new, out, length, *parameters)`` copies `state` into `new`, draws from that, and
leaves the numbers in the flat array `out`, whose rows have `length` elements. A parameter is a
number, or a flat array with one for each element.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import overload

from tracejit.rng import legacy
from tracejit.rng.mrg_fill import mrg31k3p
from tracejit.rng.mt19937 import double, doubles, jit
from tracejit.rng.table import DISTRIBUTIONS, ELEMENT

#: Elements that stay in the fastest cache between two passes.
_PART = 2048


def _at(x, k):  # type: ignore[no-untyped-def]
    raise NotImplementedError


@overload(_at, inline="always")
def _at_overload(x, k):  # type: ignore[no-untyped-def]
    if isinstance(x, types.Array):
        return lambda x, k: x[k]
    return lambda x, k: x


def _elementwise(sample: Any, count: int) -> Any:
    if count == 0:

        @jit
        def fill(state, new, out, length):  # type: ignore[no-untyped-def]
            new[:] = state
            for k in range(out.size):
                out[k] = sample(new)

    elif count == 1:

        @jit
        def fill(state, new, out, length, a):  # type: ignore[no-untyped-def]
            new[:] = state
            for k in range(out.size):
                out[k] = sample(new, _at(a, k))

    else:

        @jit
        def fill(state, new, out, length, a, b):  # type: ignore[no-untyped-def]
            new[:] = state
            for k in range(out.size):
                out[k] = sample(new, _at(a, k), _at(b, k))

    return fill


@jit
def _random_sample(state, new, out, length):  # type: ignore[no-untyped-def]
    new[:] = state
    doubles(new, out)


@jit
def _uniform(state, new, out, length, low, high):  # type: ignore[no-untyped-def]
    new[:] = state
    for start in range(0, out.size, _PART):
        part = out[start : start + _PART]
        doubles(new, part)
        for k in range(part.size):
            first = _at(low, start + k)
            part[k] = first + (_at(high, start + k) - first) * part[k]


@jit
def _shuffle(s, row):  # type: ignore[no-untyped-def]
    """By Fisher and Yates, from the end."""
    for k in range(row.size - 1, 0, -1):
        j = legacy.below(s, k)
        row[k], row[j] = row[j], row[k]


@jit
def _permutation(state, new, out, length, n):  # type: ignore[no-untyped-def]
    new[:] = state
    for start in range(0, out.size, max(length, 1)):
        row = out[start : start + length]
        for k in range(length):
            row[k] = k
        _shuffle(new, row)


@jit
def _multinomial(state, new, out, length, n, p):  # type: ignore[no-untyped-def]
    """One binomial after another, of what is left."""
    new[:] = state
    for start in range(0, out.size, max(length, 1)):
        row = out[start : start + length]
        row[:] = 0
        left, rest = _at(n, start // length), 1.0
        first = start if p.size > length else 0
        for k in range(length - 1):
            chance = p[first + k]
            if left > 0 and chance > 0.0:  # NumPy draws nothing otherwise
                row[k] = legacy.binomial(new, left, chance / rest)
            left -= row[k]
            if left <= 0:
                break
            rest -= chance
        if left > 0:
            row[length - 1] = left


@jit
def _choice(state, new, out, length, n):  # type: ignore[no-untyped-def]
    new[:] = state
    for k in range(out.size):
        out[k] = legacy.below(new, n - 1)


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
    new[:] = state
    total = _running(p)
    for k in range(out.size):
        out[k] = _place(total, double(new))


@jit
def _choice_distinct(state, new, out, length, n):  # type: ignore[no-untyped-def]
    new[:] = state
    everything = np.arange(n)
    _shuffle(new, everything)
    out[:] = everything[: out.size]


@jit
def _choice_distinct_weighed(state, new, out, length, n, p):  # type: ignore[no-untyped-def]
    """Draw what is missing, drop what is there already, and again without what was found."""
    new[:] = state
    chance, found = p.copy(), 0
    while found < out.size:
        wanted = out.size - found
        total = _running(chance)
        for _ in range(wanted):
            place = _place(total, double(new))
            fresh = True
            for k in range(found):
                if out[k] == place:
                    fresh = False
            if fresh:
                out[found] = place
                found += 1
        for k in range(found):
            chance[out[k]] = 0.0


_OWN = {
    "mrg31k3p": mrg31k3p,
    "random_sample": _random_sample,
    "uniform": _uniform,
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
    if name in _OWN:
        return _OWN[name]
    row = DISTRIBUTIONS[name]
    assert row.form == ELEMENT
    return _elementwise(getattr(legacy, name), len(row.parameters))
