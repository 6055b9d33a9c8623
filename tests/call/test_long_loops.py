"""Loops that once were unrolled without end: they compile, or are given up within the budget."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit import UnsupportedWarning
from tracejit.trace import budget

X = np.linspace(0, 1, 30) ** 2
GRID = np.random.default_rng(3).random((30, 30)) < 0.4


def heat(u: Any, n: int) -> Any:
    u = u.copy()
    for _ in range(n):
        u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u


def life(g: Any, n: int) -> Any:
    for _ in range(n):
        near = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        s = sum(np.roll(np.roll(g, i, 0), j, 1) for i, j in near)
        g = (s == 3) | (g & (s == 2))
    return g


def runge_kutta(y: Any, n: int) -> Any:
    def f(y: Any) -> Any:
        return np.sin(y) - y

    for _ in range(n):
        a = f(y)
        b = f(y + 0.05 * a)
        y = y + 0.05 * (a + b)
    return y


def escape(width: int, height: int, limit: int) -> Any:
    out = np.zeros((height, width), np.int64)
    for y in range(height):
        for x in range(width):
            c = complex(-2 + 3 * x / width, -1.5 + 3 * y / height)
            z, n = 0j, 0
            while abs(z) <= 2 and n < limit:
                z, n = z * z + c, n + 1
            out[y, x] = n
    return out


def newton(a: float, x: Any) -> Any:
    root = a
    for _ in range(3000):
        root = 0.5 * (root + a / root)
    return x * root


def swallowing(x: Any) -> Any:
    for k in range(100_000):
        try:
            x = x + k
        except Exception:
            return x
    return x


def history(u: Any, n: int) -> Any:
    u, means = u.copy(), []
    for _ in range(n):
        u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        means.append(u.mean())
    return u


#: What each is called with.
REGIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "a stencil in time": (heat, (X, 4_000)),
    "a cellular automaton": (life, (GRID, 600)),
    "steps that call a helper": (runge_kutta, (X, 5_000)),
    "an exception in each step": (swallowing, (X,)),
    "loops over numbers": (escape, (60, 60, 50)),
    "one number": (newton, (3.0, X)),
    "a list that grows": (history, (X, 4_000)),
}


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch) -> list[budget.Budget]:
    """Those of the traces that are made."""
    made: list[budget.Budget] = []

    class Noted(budget.Budget):
        def __init__(self, seconds: float = 0.0, hurried: bool = False) -> None:
            super().__init__(seconds, hurried)
            made.append(self)

    monkeypatch.setattr("tracejit.trace.trace.Budget", Noted)
    return made


def operations(budgets: list[budget.Budget]) -> int:
    """How many were traced, also to be undone."""
    return sum(b.made + b.undone for b in budgets)


@pytest.mark.parametrize("name", REGIONS)
def test_a_long_loop_is_a_region(name: str, budgets: list[budget.Budget]) -> None:
    f, args = REGIONS[name]
    g = tracejit.function(f, on_unsupported="error")
    start = time.process_time()
    result = g(*args)
    assert time.process_time() - start < 10
    np.testing.assert_allclose(result, f(*args), rtol=1e-9)
    assert (g.stats.traces, g.stats.fallbacks) == (1, 0)
    # However many steps there are: a body is traced a few times.
    assert len(budgets) == 2 and operations(budgets) < 2_000


def noted(u: Any, n: int) -> Any:
    u, means = u.copy(), {}
    for k in range(n):
        u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        means[str(k)] = u.mean()
    return u


def test_what_can_be_no_region_runs_in_numpy_at_once(budgets: list[budget.Budget]) -> None:
    f, args = noted, (X, 4_000)
    g = tracejit.function(f, on_unsupported="warn")
    start = time.process_time()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UnsupportedWarning)
        result = g(*args)
    assert time.process_time() - start < 10
    np.testing.assert_allclose(result, f(*args), rtol=1e-9)
    assert operations(budgets) < 1.5 * tracejit.config.budget / budget.SECONDS
    assert (len(told), g.stats.traces, g.stats.fallbacks) == (1, 0, 1)
    assert "changes a dict" in str(told[0].message)
    count = len(budgets)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        g(*args)
    assert len(budgets) == count  # what was refused is not tried again


def test_what_was_too_large_is_tried_again_with_a_larger_budget() -> None:
    g = tracejit.function(noted, on_unsupported="warn")
    with warnings.catch_warnings(), tracejit.config(budget=0.02):
        warnings.simplefilter("ignore", UnsupportedWarning)
        g(X, 20)
    np.testing.assert_allclose(g(X, 20), noted(X, 20), rtol=1e-12)
    assert g.stats.traces == 1
