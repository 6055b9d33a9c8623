"""Branches whose sides have nothing in common: the first part of the function picks the path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit

X = np.array([1.0, 2.0, 3.0, 4.0])


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"])
def compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    with tracejit.config(compile=request.param):
        yield request.param


def none_on_one_side(x):
    if x.sum() > 0:
        return None
    return x * 2


def other_shapes(x):
    y = x[1:] if x[0] > 0 else np.stack([x, x])
    x[0] += 1
    return y.sum(axis=0), y.shape


def other_structures(x):
    return {"s": x.sum()} if x[0] > 0 else (x.max(), "negative")


def lists(x):
    found = []
    if x.sum() > 0:
        found.append(x[0])
    found.append(x[1])
    return found


def views(x):
    """Of which array `y` is a view depends on the values."""
    z = x * 1
    y = x[1:] if x[0] > 0 else z[:-1]
    y[...] = 7
    return z


def endless_otherwise(x):
    """A loop that would never end if it ran where nothing is returned."""
    if x[0] <= 0:
        return None
    n = 0
    while x.sum() < 100:
        x *= 1 + x[0]
        n += 1
    return n


def after_a_loop(x):
    n = 0
    while x.sum() > 1:
        x = x * 0.5
        n += 1
    return None if n == 0 else (x, n)


def by_python(x):
    return [k for k in (1, 2) if x[k] > 0]


CASES: list[tuple[Callable[..., Any], list[tuple[Any, ...]], int]] = [
    (none_on_one_side, [(X,), (-X,), (2 * X,), (-2 * X,)], 2),
    (other_shapes, [(X,), (-X,), (X,)], 2), (other_structures, [(X,), (-X,), (X,)], 2),
    (lists, [(X,), (-X,), (X,)], 2), (views, [(X,), (-X,), (X,)], 2),
    (endless_otherwise, [(X,), (-X,), (X,)], 1), (after_a_loop, [(X,), (-X,), (X,)], 2),
    (by_python, [(X,), (-X,), (X,)], 2),
]  # fmt: skip


def equal(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(b, (tuple, list)):
        assert len(a) == len(b)
        for p, q in zip(a, b, strict=True):
            equal(p, q)
    elif isinstance(b, dict):
        equal([*a.items()], [*b.items()])
    else:
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("f, calls, paths", CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_as_numpy_does(f, calls, paths, compiled: bool) -> None:
    g = tracejit.function(f, on_unsupported="error")
    for _ in range(2):
        for arguments in calls:
            ours, theirs = ([a.copy() for a in arguments] for _ in range(2))
            equal(g(*ours), f(*theirs))
            equal(ours, theirs)
    assert g.stats.fallbacks == 0 and g.stats.traces == paths


def test_many_decisions_are_pythons() -> None:
    """Each may double the paths."""

    def f(x):
        return {k for k in range(len(x)) if x[k] > 0}

    g = tracejit.function(f, on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning):
        assert g(X) == f(X)


def test_inside_of_a_loop_no_value_decides() -> None:
    def f(x):
        y = None
        for i in range(len(x)):
            if x[i] > 0:
                y = x[i:]
        return y

    g = tracejit.function(f, on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning):
        equal(g(np.tile(X, 99)), f(np.tile(X, 99)))
