"""Values of arrays as sizes, keys, steps of slices, and in the arithmetic of Python's integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

X = np.random.default_rng(0).normal(size=30)


def zeros(x):
    return np.zeros(int(x.max() * 3)) + 1.5


def parts(x):
    k = int(x.argmax())
    return x[:k].copy(), x[k:] * 2


def listed(x):
    a = x[:3].tolist()
    return a[0] + a[1] * a[2]


def put(x):
    i = int(x.argmax())
    x[i] = 0.0
    return x[i - 1]


def row_of_an_argument(x):
    row = x[x[:, 0].argmax()]
    row[:] = 0
    return x * 2


def heap(x):
    head, tail = 0, 1
    queue = np.zeros(len(x), np.int64)
    while head < tail:
        v = queue[head]
        head += 1
        for w in (2 * v + 1, 2 * v + 2):
            if w < len(x):
                queue[tail] = w
                tail += 1
    return queue


def merged(x):
    a, b = np.sort(x[:20]), np.sort(x[20:])
    i = j = k = 0
    out = np.empty(len(a) + len(b))
    while i < len(a) and j < len(b):
        if a[i] <= b[j]:
            out[k] = a[i]
            i += 1
        else:
            out[k] = b[j]
            j += 1
        k += 1
    while i < len(a):
        out[k] = a[i]
        i += 1
        k += 1
    while j < len(b):
        out[k] = b[j]
        j += 1
        k += 1
    return out


def bits(x):
    found = 0
    for k in range(len(x)):
        if x[k] > 0:
            found |= 1 << (k % 20)
    return found


def sieved(x):
    prime = np.ones(len(x) * 40, bool)
    i = 2
    while i * i < len(prime):
        if prime[i]:
            prime[i * i :: i] = False
        i += 1
    return prime


def sums_between(ends):
    total = np.zeros(len(ends) - 1)
    for i in range(len(total)):
        total[i] = X[ends[i] : ends[i + 1]].sum()
        for k in range(ends[i], ends[i + 1]):
            total[i] -= X[k]
    return total.round(9)


def remainders(x):
    state = 0xACE1
    for byte in x:
        part = 0xFF & byte
        for _ in range(8):
            if (state & 1) ^ (part & 1):
                state = (state >> 1) ^ 0xB400
            else:
                state >>= 1
            part >>= 1
        byte ^= state % 200 + (state & 0x1F)
    return state & 0xFFFF, byte


def opposite(a, b):
    if a + b == 0:
        return 1
    return -1 if a > b else 0


def chains(x):
    found = np.zeros((len(x), len(x)), np.int8)
    for i in range(len(x) - 1):
        for j in range(i + 1, len(x)):
            found[i, j] = found[i, j - 1] + opposite(x[i], x[j])
    return found


ENDS, BYTES = np.array([0, 4, 4, 11, 30], np.uint32), (X * 100).astype(np.uint8)
CASES: list[tuple[Callable[..., Any], Any]] = [
    (sums_between, ENDS), (sums_between, ENDS.astype(np.uint64)), (remainders, BYTES),
    (chains, (X * 2).astype(np.int64)),
    (zeros, X), (parts, X), (listed, X), (put, X), (row_of_an_argument, X.reshape(5, 6)),
    (heap, X), (merged, X), (bits, X), (sieved, X),
]  # fmt: skip


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize(("f", "x"), CASES, ids=[f"{f.__name__}-{x.dtype}" for f, x in CASES])
def test_as_numpy_does(f: Any, x: Any, compile: bool) -> None:
    g = tracejit.function(f, on_unsupported="error")
    ours, theirs = x.copy(), x.copy()
    with tracejit.config(compile=compile):
        got, want = g(ours), f(theirs)
    assert type(got) is type(want)
    for a, b in zip(*((v if isinstance(v, tuple) else (v,)) for v in (got, want)), strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(ours, theirs)
    assert g.stats.fallbacks == 0


def power(base, exponent, modulus):
    result, base = 1, base % modulus
    while exponent > 0:
        if exponent % 2 == 1:
            result = result * base % modulus
        exponent //= 2
        base = base * base % modulus
    return result


def test_powers_of_a_residue() -> None:
    g = tracejit.function(power, on_unsupported="warn")
    for exponent in (5, 123456, 2**30 - 1):
        assert g(7, exponent, 1_000_003) == pow(7, exponent, 1_000_003)


def test_sizes_of_complex_numbers_compare_as_pythons() -> None:
    def counted(z, limit):
        n = 0
        for v in z:
            if abs(complex(v)) <= limit:
                n += 1
        return n

    g = tracejit.function(counted, on_unsupported="error")
    unit = np.exp(1j * np.linspace(0, 7, 300))
    special = np.array([0, np.inf, complex(np.nan, np.inf), complex(np.nan, 1), 1e-200, 3e-162j])
    for z in (unit, unit * 2.0**-40, unit * 1e150, np.concatenate([special, unit])):
        for limit in (1.0, 2.0**-40, 0.0, -1.0, 1e-170, 1e150, np.inf):
            assert abs(g(z, limit) - counted(z, limit)) <= (300 if limit in np.abs(z) else 0)
    with pytest.raises(OverflowError):
        g(np.full(300, complex(1.5e308, 1.5e308)), 1.0)
