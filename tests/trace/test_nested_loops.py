"""Loops within loops: how often a body is traced grows with their number, and does not double."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.trace import carried

RNG = np.random.default_rng(2)


def contracted(a: Any, b: Any, s: Any) -> Any:
    largest, count = 0.0, 0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            for k in range(b.shape[0]):
                for m in range(b.shape[1]):
                    for n in range(s.shape[0]):
                        for q in range(s.shape[1]):
                            if n >= q:
                                s[n, q] += a[i, j] * b[k, m] - s[n - q, q]
                                largest = max(largest, s[n, q])
                                count += 1
    return largest, count


def test_the_number_of_traces_of_a_body_does_not_double_with_each_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    traced = carried._with

    def counting(*args: Any) -> Any:
        calls.append(None)
        return traced(*args)

    monkeypatch.setattr(carried, "_with", counting)
    f = tracejit.function(contracted)
    a, b, s = RNG.random((3, 4)), RNG.random((2, 3)), RNG.random((5, 6))
    t = s.copy()
    assert f(a, b, s) == contracted(a, b, t)
    np.testing.assert_array_equal(s, t)
    assert f.stats.fallbacks == 0 and len(calls) < 4 * 6**2


def added(x: Any, y: Any, limit: float) -> int:
    steps = 0
    for i in range(len(x)):
        if y[i] < limit:
            x[i] += y[i]
            steps += 1
    return steps


def swapped(u: Any, v: Any, w: Any) -> Any:
    """What a body has changed for some arguments it does not for others."""
    total = 0
    for k in range(3):
        total += added(u, v, 0.5)
        total += added(w, u, 0.7 + k)
        for _ in range(2):
            total += added(v, w, 0.1)
    return total


def kept(u: Any, v: Any, w: Any) -> Any:
    """The third is read alone."""
    total = 0.0
    for _ in range(3):
        for x, y in ((u, w), (v, u)):
            for i in range(len(x)):
                x[i] = 0.5 * (x[i] + y[i])
                total += x[i]
    return total


@pytest.mark.parametrize("compile", [True, False], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("function", [swapped, kept])
def test_a_body_that_changes_other_arrays_than_before(function: Any, compile: bool) -> None:
    mine, plain = (np.random.default_rng(4).random((3, 7)) for _ in range(2))
    if function is kept:
        mine[2].flags.writeable = False
        mine, plain = ([*a[:2], a[2].copy()] for a in (mine, plain))
        mine[2].flags.writeable = False
    f = tracejit.function(function)
    with tracejit.config(compile=compile):
        assert f(*mine) == function(*plain)
    for a, b in zip(mine, plain, strict=True):
        np.testing.assert_array_equal(a, b)
    assert f.stats.fallbacks == 0
