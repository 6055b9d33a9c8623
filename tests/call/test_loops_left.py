"""Loops that are left by values of arrays: ``break``, ``continue``, ``else``, early ``return``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit

X = np.random.default_rng(7).normal(size=120)


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"])
def compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    with tracejit.config(compile=request.param):
        yield request.param


def first_above(x, t):
    for i in range(len(x)):
        if x[i] > t:
            return i
    return -1


def summed(x, t):
    s = np.float64(0)
    for i in range(1, len(x), 2):
        if x[i] > t:
            break
        if x[i] < 0:
            continue
        s += x[i]
    else:
        s = -s
    return s, i


def backwards(x, t):
    n = 0
    for i in range(len(x) - 1, -1, -1):
        if x[i] < t:
            break
        x[i] = t
        n += 1
    return n, i


def nested(a, t):
    n = 0
    for i in range(a.shape[0]):
        for j in range(a.shape[1] - 1, -1, -1):
            if a[i, j] > t:
                break
            n += j
            a[i, j] = 0
        if n > 40:
            return i, n
    return -1, n


def found(a, t):
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            if a[i, j] > t:
                return i, j, a[i, j]
    return -1, -1, np.float64(0)


def all_small(a, t):
    rows = 0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            if abs(a[i, j]) > t:
                break
        else:
            rows += 1
    return rows


def relaxed(x, t, most):
    for k in range(most):
        old = x.copy()
        x[1:-1] = (x[2:] + x[:-2]) / 2
        if np.abs(x - old).max() < t:
            return k
    return most


def few(x, t):
    """Unrolled, until a value decides."""
    n = 0
    for k in range(3):
        if k == len(x):
            break
        n += 1
        if x[k] > t:
            break
    return n


def restarted(x, t):
    n = 0
    for _ in range(9):
        for i in range(len(x)):
            if x[i] > t:
                x[i] /= 2
                n += 1
                break
        else:
            return n
    return n


def grid():
    return X.reshape(12, 10).copy()


CASES: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (first_above, (X, 1.5)), (first_above, (X, 9.0)), (first_above, (X, -9.0)),
    (summed, (X, 1.5)), (summed, (X, 9.0)), (summed, (X[:3], 9.0)), (summed, (X[:12], 0.9)),
    (backwards, (X, -1.0)), (backwards, (X, -9.0)),
    (nested, (grid(), 2.0)), (nested, (grid(), 1.0)), (nested, (grid(), -9.0)),
    (found, (grid(), 1.5)), (found, (grid(), 9.0)), (all_small, (grid(), 1.5)),
    (relaxed, (X, 1e-2, 500)), (relaxed, (X, 1e-9, 20)),
    (few, (X, 0.0)), (few, (X, 9.0)), (few, (X[:3], -9.0)),
    (restarted, (X, 2.0)), (restarted, (X, 0.1)),
]  # fmt: skip


@pytest.mark.parametrize("f, arguments", CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_as_numpy_does(f, arguments, compiled: bool) -> None:
    g = tracejit.function(f, on_unsupported="error")
    for _ in range(2):
        ours, theirs = ([a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
                        for _ in range(2))  # fmt: skip
        got, want = g(*ours), f(*theirs)
        assert type(got) is type(want)
        pairs = zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]
        assert all(type(a) is type(b) and a == b for a, b in pairs)
        np.testing.assert_array_equal(ours[0], theirs[0])
    assert g.stats.fallbacks == 0 and g.stats.traces == 1


def test_such_a_loop_is_one_region() -> None:
    g = tracejit.function(first_above, on_unsupported="error")
    text = str(g.graph(X, 1.5))
    assert text.count(" = while ") == 1 and text.count(" = scan ") == 0


def test_other_lengths_take_the_same_path() -> None:
    g = tracejit.function(summed, on_unsupported="error")
    for n in (50, 60, 119):
        assert g(X[:n].copy(), 2.0) == summed(X[:n], 2.0)
    assert g.stats.traces == 1


def test_what_raises_after_the_end_does_not() -> None:
    def stops(x, p):
        n = 0
        for i in range(len(p)):
            if p[i] < 0:
                break
            if x[p[i]] > 0:
                n += 1
        return n

    g = tracejit.function(stops, on_unsupported="warn")
    places = np.r_[np.arange(90), -1, 1000]
    assert g(X, places) == stops(X, places)
    assert g.stats.fallbacks == 0
    with pytest.raises(IndexError):
        g(X, np.r_[np.arange(90), 1000, -1])


def test_numbers_that_grow_beyond_64_bits_are_pythons(compiled: bool) -> None:
    def grown(x, n):
        k = 1
        for i in range(n):
            k = k * 3
            if x[i] > 9:
                break
        return k

    g = tracejit.function(grown, on_unsupported="warn")
    assert g(X, 20) == 3**20 and g.stats.fallbacks == 0
    with pytest.warns(tracejit.UnsupportedWarning):
        assert g(X, 70) == 3**70
