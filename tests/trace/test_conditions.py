"""`and`, `or` of numbers, Python's builtins of arrays, and functions of ``math``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tracejit


def neighbours(adjacent, x):
    count = 0
    for i in range(len(x)):
        for j in range(len(x)):
            if adjacent[i, j] and x[j] > 0:
                count += 1
            if not (x[i] or adjacent[j, i]):
                count += 10
    return count


def values(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += (x[i] and x[i + 1]) + (x[i] or x[i + 1])
    return total, x[0] and x[1], x[1] or x[2]


def guarded(x, p):
    count = 0
    for i in range(len(x)):
        if p[i] and x[p[i]] and i > 1:
            count += 1
    return count


def builtins_of(x):
    return max(x), min(x), any(x > 2), all(x), any(x), all(x > -9), any([x[0] > 2, False])


def longest(x):
    k = 0
    while (v := x[k]) < 4:
        k += 1
    return k, v


def summed(rows, columns, data, x):
    y = np.zeros(len(rows) - 1)
    for i in range(len(rows) - 1):
        total = 0.0
        for j in range(rows[i], rows[i + 1]):
            total += data[j] * x[columns[j]]
        y[i] = total
    return y


def roots(x):
    total = 0.0
    for i in range(len(x)):
        total += math.sqrt(x[i]) + math.atan2(x[i], 2.0) - math.log(x[i] + 1)
    return total


X = np.array([1.0, 0.0, 4.5, 0.5, 7.0, 2.5])
P = np.array([0, 1, 2, 0, 4, 1])
ADJACENT = np.arange(36).reshape(6, 6) % 3
ROWS, COLUMNS = np.array([0, 2, 2, 5, 6]), np.array([0, 1, 2, 0, 1, 3])
CALLS: list[tuple[Any, tuple[Any, ...]]] = [
    (neighbours, (ADJACENT, X - 1)),
    (values, (X,)),
    (values, (P,)),
    (guarded, (X, P)),
    (builtins_of, (X,)),
    (builtins_of, (P,)),
    (longest, (X,)),
    (summed, (ROWS, COLUMNS, X, X[:4])),
    (roots, (X,)),
]


@pytest.mark.parametrize("f, args", CALLS, ids=lambda v: getattr(v, "__name__", ""))
def test_values(f: Any, args: tuple[Any, ...]) -> None:
    compiled = tracejit.function(f)
    got, want = compiled(*args), f(*args)
    assert compiled.stats.fallbacks == 0
    pairs = zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]
    for a, b in pairs:
        assert type(a) is type(b)
        np.testing.assert_allclose(a, b, rtol=1e-15 if f is roots else 0)


@pytest.mark.parametrize("bad", [-4.0, -np.inf])
def test_what_math_raises(bad: float) -> None:
    compiled = tracejit.function(roots)
    for good in (1.0, np.inf, np.nan):
        x = np.array([2.0, good])
        np.testing.assert_allclose(compiled(x), roots(x), rtol=1e-15)
    with pytest.raises(ValueError, match="math domain error"):
        compiled(np.array([2.0, bad]))
    assert compiled.stats.fallbacks == 0


def test_the_extreme_of_nothing() -> None:
    compiled = tracejit.function(lambda x: max(x))
    with pytest.raises(ValueError, match="empty"):
        compiled(np.empty(0))


def weighted(x):
    total = 0.0
    for i, j in np.ndindex(x.shape):
        total += x[i, j] * (i - j)
    return total


def doubled(x):
    y = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        y[index] = 2 * x[index]
    return y


def largest(x):
    place, best = (0, 0), -1.0
    for index, value in np.ndenumerate(x):
        if value > best:
            place, best = index, value
    return place, best


def until(n, m):
    y = np.zeros((n, m))
    for i, j in np.ndindex(n, m):
        if i == j:
            continue
        if i > 3:
            break
        y[i, j] = i * m + j
    return y


@pytest.mark.parametrize("f", [weighted, doubled, largest, until])
@pytest.mark.parametrize("shape", [(30, 40), (2, 3), (4, 0), (0, 4)])
def test_indices(f: Any, shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).random(shape)
    compiled = tracejit.function(f)
    args = shape if f is until else (x,)
    got, want = compiled(*args), f(*args)
    pairs = zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]
    for a, b in pairs:
        np.testing.assert_array_equal(a, b)
    assert compiled.stats.fallbacks == 0
    if 0 not in shape and shape[0] > 2:
        assert "region" in compiled.explain()


def in_memory(x):
    total = 0.0
    for value in np.nditer(x):
        total += value * 2
    return total


@pytest.mark.parametrize("shape", [(30, 40), (2, 3)])
def test_elements_in_order(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(1).random(shape)
    compiled = tracejit.function(in_memory)
    got = compiled(x)
    assert type(got) is np.float64 and got == in_memory(x)
    assert compiled.stats.fallbacks == 0
