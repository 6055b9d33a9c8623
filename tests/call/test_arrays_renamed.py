"""Arrays that change their variables in loops and branches: whose array one has is NumPy's."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from devices import on_cpu

import tracejit

X = np.arange(1.0, 9)


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"])
def compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    with tracejit.config(compile=request.param):
        yield request.param


def heat(u, v, n):
    for _ in range(n):
        v[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u, v = v, u
    return u


def local(x, n):
    u, v = x.copy(), x.copy()
    for _ in range(n):
        v[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u, v = v, u
    return u


def three(a, b, c, n):
    for _ in range(n):
        c[...] = 0.5 * a + 0.25 * b
        a, b, c = c, a, b
    return a, b


def previous(x, n):
    new, old = x, x * 0
    for _ in range(n):
        next = new * 1.1 - old * 0.2
        old = new
        new = next
    return old, new


def copies(x, n):
    b = x.copy()
    for _ in range(n):
        a = b.copy()
        b[1:] = a[:-1]
    return a, b


def converged(x, t):
    u, v = x.copy(), x.copy()
    while True:
        v[1:-1] = (u[2:] + u[:-2]) / 2
        err = np.abs(u - v).max()
        u, v = v, u
        if err < t:
            return u, err


def in_place(u, t):
    v = u.copy()
    while True:
        v[1:-1] = (u[2:] + u[:-2]) / 2
        err = np.abs(u - v).max()
        u[...] = v
        if err < t:
            return u, err


def halved(x, t):
    """What is written into afterwards is the argument, where no step is done."""
    while (x > t).any():
        x = x * 0.5
    x[0] = 7
    return x


def aliased(x, t):
    y = x * 1
    z = y
    while (y > t).any():
        y = y * 0.5
    y[0] = 7
    return y, z


def branched(x, t):
    y = x * 1
    z = y
    if x.sum() > t:
        y = y * 2
    y[0] = 7
    return y, z


def best(x, n):
    top, new = np.zeros_like(x), x.copy()
    for _ in range(n):
        new = new * 0.9 + 0.05
        if new.sum() > top.sum():
            top = new.copy()
    top[0] = 1
    return top


def nested(x, t, n):
    for _ in range(n):
        while (x > t).any():
            x = x * 0.5
        x = x + 1
    x[0] = 7
    return x


def listed(u, v, n):
    """A loop over arrays in a container, inside of one that is a region."""
    for _ in range(n):
        s, t = u.copy(), v.copy()
        for w, old, other in ((u, s, t), (v, t, s)):
            w[1:-1] = old[1:-1] + 0.1 * (other[2:] - other[:-2])
    return u, v


MANY = (300, 301, 305, 900)
CASES: list[tuple[Callable[..., Any], list[tuple[Any, ...]]]] = [
    (heat, [(X, X, n) for n in (1, 2, *MANY)]), (local, [(X, n) for n in (1, 2, *MANY)]),
    (three, [(X, X, X, n) for n in (1, 3, *MANY)]),
    (previous, [(X, n) for n in (1, 2, 3, *MANY)]), (copies, [(X, n) for n in MANY]),
    (converged, [(X**2, 0.1), (X, 0.1)]), (in_place, [(X**2, 0.1), (X, 0.1)]),
    (halved, [(X, 0.5), (X, 99.0)]), (aliased, [(X, 0.5), (X, 99.0)]),
    (branched, [(X, 0.5), (X, 99.0)]), (best, [(X, 700)]),
    (nested, [(X, 0.5, 40)]), (listed, [(X, X * 2, 300)]),
]  # fmt: skip


def related(result: Any, arguments: Any) -> list[tuple[int, int, bool]]:
    """Which arrays are one object, and which share memory."""
    arrays: list[Any] = []
    for value in (*(result if isinstance(result, tuple) else (result,)), *arguments):
        arrays += [value] if isinstance(value, np.ndarray) else []
    pairs = itertools.combinations(enumerate(arrays), 2)
    return [(i, j, a is b) for (i, a), (j, b) in pairs if np.shares_memory(a, b)]


@pytest.mark.parametrize("f, calls", CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_as_numpy_does(f, calls, compiled: bool) -> None:
    g = tracejit.function(f, on_unsupported="error")
    for arguments in calls:
        ours, theirs = ([a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
                        for _ in range(2))  # fmt: skip
        got, want = g(*ours), f(*theirs)
        assert not on_cpu() or related(got, ours) == related(want, theirs)
        np.testing.assert_array_equal(ours[0], theirs[0])
        pairs = zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]
        for a, b in pairs:
            np.testing.assert_array_equal(a, b)
    assert g.stats.fallbacks == 0


def test_exchanged_arrays_are_not_copied() -> None:
    """Two steps at once, after which each array has its variable again."""
    g = tracejit.function(heat, on_unsupported="error")
    a, b = X.copy(), X.copy()
    g(a, b, 1000)
    source = g.source(a, b, 1000)
    assert "copy_range" not in source and g.stats.temporaries == 0


@pytest.mark.filterwarnings("ignore::tracejit.errors.UnsupportedWarning")
def test_two_names_for_one_array_are_pythons(compiled: bool) -> None:
    def f(x, n):
        new, old = x * 1, x * 0
        for _ in range(n):
            old = new
            new[0] += old[1]
        old[2] = 9
        return new

    g = tracejit.function(f, on_unsupported="warn")
    np.testing.assert_array_equal(g(X, 700), f(X, 700))
