"""Values of arrays as Python's numbers: indices, bounds of slices and ranges, conditions, sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit
from benchmarks.kernels import insertion_sort

RNG = np.random.default_rng(8)
X, P = RNG.normal(size=40), RNG.permutation(40)
POINTERS = np.array([0, 3, 3, 7, 12, 40])


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"])
def compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    with tracejit.config(compile=request.param):
        yield request.param


def same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if a is None:
        return b is None
    if isinstance(a, int):
        return type(a) is type(b) and a == b
    return type(a) is type(b) and np.array_equal(a, b, equal_nan=True)


def bins(x, low, high, n):
    counts = np.zeros(n, np.int64)
    for v in x:
        k = int((v - low) / (high - low) * n)
        if 0 <= k < n:
            counts[k] += 1
    return counts


def permuted(x, p):
    y = np.empty_like(x)
    for i in range(len(p)):
        y[p[i]] = x[p[-1 - i]]
    return y


def wrapped(x, p):
    y = np.zeros(len(x))
    for i in range(len(p)):
        y[p[i] - 20] += x[p[i] - 30] * i
    return y


def sums_of_rows(x, pointers):
    y = np.zeros(len(pointers) - 1)
    for i in range(len(y)):
        for k in range(pointers[i], pointers[i + 1]):
            y[i] += x[k]
    return y


def sums_of_slices(x, pointers):
    y = np.empty(len(pointers) - 1)
    for i in range(len(y)):
        y[i] = x[pointers[i] : pointers[i + 1]].sum()
    return y


def found(x, v):
    low, high = 0, len(x)
    while low < high:
        middle = (low + high) // 2
        if x[middle] < v:
            low = middle + 1
        else:
            high = middle
    return low


def converted(x):
    a = b = c = d = 0
    for v in x:
        a += int(v * 10)
        b += round(v * 10)
        c += bool(v > 0)
        d += abs(int(v * 3))
    return a, b, c, d


def pairs(x, y):
    total = 0.0
    for k, (a, b) in enumerate(zip(x, y, strict=False)):
        total += float(a) * float(b) * k
    for a in reversed(x):
        total = total * 0.5 + float(a)
    return total


def rows_changed(a):
    for i, row in enumerate(a):
        row[1:] += row[:-1] * i


def norms(z):
    longest = 0.0
    for v in z:
        longest = max(longest, abs(complex(v)))
    return longest


CASES: list[tuple[Callable[..., Any], Callable[[], tuple[Any, ...]]]] = [
    (bins, lambda: (X.copy(), -1.5, 1.5, 7)),
    (permuted, lambda: (X.copy(), P.copy())),
    (wrapped, lambda: (X.copy(), P.copy())),
    (sums_of_rows, lambda: (X.copy(), POINTERS.copy())),
    (sums_of_rows, lambda: (X.copy(), np.array([0, 0, 0, 5, 3, 9, 9, 11]))),
    (sums_of_slices, lambda: (X.copy(), POINTERS.copy())),
    (sums_of_slices, lambda: (X.copy(), np.array([-5, 60, 3, -1, 2, -70, 4]))),
    (insertion_sort, lambda: (X.copy(),)),
    (found, lambda: (np.sort(X), 0.3)),
    (converted, lambda: (X.copy(),)),
    (pairs, lambda: (X.copy(), X[::-1].copy())),
    (rows_changed, lambda: (RNG.random((7, 9)),)),
    (norms, lambda: (X[:20] + 1j * X[20:],)),
]


@pytest.mark.parametrize(("f", "make"), CASES, ids=[f"{f.__name__}" for f, _ in CASES])
def test_as_numpy_does(f: Any, make: Any, compiled: bool) -> None:
    g = tracejit.function(f, on_unsupported="error")
    ours = make()
    theirs = tuple(a.copy() if isinstance(a, np.ndarray) else a for a in ours)
    got, want = g(*ours), f(*theirs)
    if f is sums_of_slices:  # sums may be reordered
        assert np.allclose(got, want, rtol=1e-13, atol=0)
    else:
        assert same(got, want)
    for a, b in zip(ours, theirs, strict=True):
        assert same(a, b)
    assert g.stats.fallbacks == 0


def picked(x, p):
    total = 0.0
    for k in p:
        x[k] += 1.0
        total += x[k]
    return total


@pytest.mark.parametrize("k", [40, -41, 2**62, -(2**63), 2**63 - 1])
def test_positions_out_of_bounds_raise_as_numpy_does(k: int, compiled: bool) -> None:
    """What has been written until then is there."""
    p = np.arange(10)
    g = tracejit.function(picked)
    assert same(g(X.copy(), p), picked(X.copy(), p))
    p[7] = k
    ours, theirs = X.copy(), X.copy()
    errors = []
    for f, x in ((g, ours), (picked, theirs)):
        with pytest.raises(IndexError) as error:
            f(x, p)
        errors.append(str(error.value).splitlines()[0])
    assert errors[0].startswith(errors[1])
    assert same(ours, theirs)


def truncated(x):
    total = 0
    for v in x:
        total += int(v)
    return total


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
@pytest.mark.parametrize("v", [np.nan, np.inf, -np.inf, 1e19, 2.0**62, -(2.0**63), 4e18])
def test_floats_that_are_no_integer_of_64_bits(v: float, compiled: bool) -> None:
    """They raise as Python does, or are Python's own integers."""
    g = tracejit.function(truncated, on_unsupported="warn")
    x = X.copy() * 100
    assert same(g(x), truncated(x))
    x[30] = v
    try:
        want = truncated(x)
    except (ValueError, OverflowError) as error:
        with pytest.raises(type(error)):
            g(x)
    else:
        assert same(g(x), want)


def multiplied(x):
    product = 1
    for v in x:
        product = product * int(v) + 1
    return product


def powers(n):
    k = 1
    for i in range(n):
        k = 3 * k + i
    return k


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
@pytest.mark.parametrize("n", [5, 12, 30, 38, 39, 40, 41, 50, 80])
def test_integers_beyond_64_bits_are_pythons(n: int, compiled: bool) -> None:
    x = np.full(n, 3)
    for f, args in ((multiplied, (x,)), (powers, (n,))):
        g = tracejit.function(f, on_unsupported="warn")
        assert g(*args) == f(*args)
        assert type(g(*args)) is type(f(*args))


def longest(limit):
    best, most = 0, 0
    for start in range(1, limit):
        n, steps = start, 0
        while n != 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        if steps > most:
            best, most = start, steps
    return best, most


def test_collatz_is_compiled_and_not_computed_by_the_trace(compiled: bool) -> None:
    g = tracejit.function(longest)
    for limit in (100, 200, 101):
        assert g(limit) == longest(limit)
    assert g.stats.fallbacks == 0
    assert g.stats.traces == 1


def test_what_is_proven_is_not_tested() -> None:
    """Neither numbers of steps, nor what a condition says, nor what only becomes smaller."""
    g = tracejit.function(sums_of_rows, on_unsupported="error")
    g(X, POINTERS)
    text = tracejit.function(insertion_sort).source(X.copy())
    inner = text[text.index("while") : text.index("break")]
    assert "return" not in inner and "select" not in inner
    body = text[text.index("break") :]
    assert body.count("return 2") <= 2


def seldom(x):
    last, best, n = 5.0, 0, 7
    for i in range(len(x)):
        for v in (x[i], -x[i]):
            if v > 100:
                last = v
        if x[i] > 200:
            n = 1
        if x[i] > best:
            best = x[i]
    return last, best, n


@pytest.mark.parametrize("x", [np.zeros(200), np.full(200, 150.0), np.full(200, -np.inf), X])
def test_what_no_step_assigns_is_what_it_was_before_the_loop(x: Any, compiled: bool) -> None:
    g = tracejit.function(seldom, on_unsupported="error")
    assert same(g(x), seldom(x))
    assert g.stats.fallbacks == 0
