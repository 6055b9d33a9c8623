"""The budget: what would take too long to trace or to compile runs in NumPy, at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from handwritten import parsed

import tracejit
from tracejit import UnsupportedError, UnsupportedWarning
from tracejit.cpu.compiling.estimate import seconds
from tracejit.lower.kernel.text import Text

X = np.linspace(0, 1, 30) ** 2


def heat(u: Any, n: int) -> Any:
    u = u.copy()
    for _ in range(n):
        u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u


def test_a_short_one_is_compiled_and_more_can_be_allowed() -> None:
    short = tracejit.function(heat)
    np.testing.assert_allclose(short(X, 3), heat(X, 3), rtol=1e-14)
    assert (short.stats.traces, short.stats.fallbacks) == (1, 0)
    g = tracejit.function(heat)
    with tracejit.config(budget=0.05), pytest.raises(UnsupportedError, match="budget of 0"):
        g(X, 4)
    for more in (0, 5):  # what was refused under a smaller budget is tried again
        with tracejit.config(budget=more):
            np.testing.assert_allclose(g(X, 4 + more), heat(X, 4 + more), rtol=1e-14)
    assert (g.stats.traces, g.stats.fallbacks) == (2, 0)


def test_a_long_loop_is_one_region() -> None:
    g = tracejit.function(heat, on_unsupported="error")
    for n in (400, 500, 4000):
        np.testing.assert_allclose(g(X, n), heat(X, n), rtol=1e-12)
    assert g.stats.traces == 1


def test_a_path_is_kept_when_a_larger_call_is_refused() -> None:
    g = tracejit.function(heat, on_unsupported="warn")
    g(X, 2)
    with pytest.warns(UnsupportedWarning), tracejit.config(budget=0.001):
        g(X, 500)
    g(X, 2)
    assert (g.stats.traces, g.stats.fallbacks) == (1, 1)


def test_what_numpy_cannot_run_is_compiled_whatever_it_takes() -> None:
    def cost(x: Any) -> Any:
        for _ in range(6):
            x = np.sin(x) * x
        return x.sum()

    with tracejit.config(budget=0.05):
        gradient = tracejit.grad(cost)(X)
    assert np.isfinite(gradient).all()


def test_constants_of_a_trace_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracejit.trace.trace._MOST_BYTES", 1 << 10)

    def f(x: Any, n: int) -> Any:
        for k in (*range(n),):
            x = x + np.array([1.0, k] * 10)[:1]
        return x

    np.testing.assert_array_equal(tracejit.function(f)(np.ones(2), 3), np.full(2, 4.0))
    with pytest.raises(UnsupportedError, match="constant arrays"):
        tracejit.function(f)(np.ones(2), 10)


@pytest.mark.parametrize("bad", [-1, float("nan")])
def test_a_budget_is_no_negative_number(bad: float) -> None:
    with pytest.raises(ValueError, match="budget"):
        tracejit.config(budget=bad)
    with pytest.raises(TypeError, match="budget"):
        tracejit.config(budget="long")


def test_the_estimate_grows_with_what_is_compiled() -> None:
    loop = "    for i0 in range(v0):\n        v1 = x0[i0]\n        b0[i0] = v1\n"
    sine = "        v2 = sin(v1)\n"
    head = "def entry(x0, b0):\n    v0 = x0.shape[0]\n"
    one, ten = (estimate(head + loop * n) for n in (1, 10))
    assert 0.02 < one < 0.1
    assert 0.04 < ten - one < 0.2
    assert 0.01 < estimate(head + loop + sine * 10) - one < 0.1
    short = loop.replace("range(v0)", "range(2)")
    assert estimate(head + short * 10) < (one + ten) / 2


def estimate(text: str) -> float:
    """How long a kernel is said to take to compile."""
    kernel, printed = parsed(text), Text()
    printed.block(kernel.body)
    return seconds(kernel, printed.calls)
