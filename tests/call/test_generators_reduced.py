"""``any``, ``all``, ``sum``, ``max`` and ``min`` of generator expressions over arrays are loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit

X = np.random.default_rng(2).normal(size=60)


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"])
def compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    with tracejit.config(compile=request.param):
        yield request.param


CASES: dict[str, Callable[..., Any]] = {
    "any": lambda x: any(v > 1 for v in x),
    "any, never": lambda x: any(v > 100 for v in x),
    "all": lambda x: all(v < 1 for v in x),
    "sum": lambda x: sum(v * 0.5 for v in x),
    "count": lambda x: sum(v > 1 for v in x),
    "max": lambda x: max(abs(v) for v in x),
    "min over a range": lambda x: min(j * x[j] for j in range(len(x))),
    "zip": lambda x: sum(a * b for a, b in zip(x, x[::-1], strict=True)),
    "enumerate": lambda x: sum(i * v for i, v in enumerate(x)),
    "of known values": lambda x: max(i for i, _ in enumerate(x)) + sum(k for k in (1, 2, 3)),
    "few": lambda x: max(v for v in x[:3]),
    "in a condition": lambda x: x * 2 if any(v > 1 for v in x) else x + 1,
}


@pytest.mark.parametrize("name", CASES)
def test_as_python_does(name: str, compiled: bool) -> None:
    f = CASES[name]
    g = tracejit.function(f, on_unsupported="error")
    for x in (X, X[:40], -np.abs(X), X):
        got, want = g(x), f(x)
        assert type(got) is type(want)
        np.testing.assert_array_equal(got, want)
    assert g.stats.fallbacks == 0


def test_nothing_has_no_maximum() -> None:
    g = tracejit.function(CASES["max"], on_unsupported="warn")
    with pytest.raises(ValueError, match="empty"):
        g(X[:0])


def test_a_name_of_the_users_own_is_not_the_builtin() -> None:
    def f(x):
        any = max
        return any(v * 2 for v in x[:2])

    g = tracejit.function(f, on_unsupported="error")
    assert g(X) == f(X)
