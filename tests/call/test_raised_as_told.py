"""Calls for whose values NumPy raises: where the compiled program tells so, nothing is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.call import slow


def taken(x, i):
    return x[i] * 2


def put(x, i):
    x[i] = 3.0
    return x


def in_a_loop(x, i):
    total = 0.0
    for k in range(len(i)):
        x[k] = x[k] + 1
        total += x[i[k]].sum()
    return total


def of_a_mask(x, i):
    y = x * 2
    return y[i], x[x > 0.5]


def inverted(x, i):
    return np.linalg.inv(x * (i[1] < 10))


def told_apart(x, i):
    return np.unravel_index(i, (5, 5)), x.sum()


def drawn(x, i, r):
    return x[i] + r.random(len(i))[:, None]


FUNCTIONS = [taken, put, in_a_loop, inverted]
GOOD, BAD = np.array([0, 1, 2]), np.array([0, 100, 2])


def told(f: Callable[..., Any], *args: Any) -> Any:
    """What `f` gives or raises, and leaves of its first argument."""
    x = np.random.default_rng(1).random((6, 6))
    try:
        return f(x, *args), x.tolist()
    except Exception as error:
        return type(error), str(error), x.tolist()


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What has been traced."""
    found: list[Any] = []
    trace = slow._traced
    monkeypatch.setattr(slow, "_traced", lambda *a, **k: found.append(a[0]) or trace(*a, **k))
    return found


@pytest.mark.cpu
@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_nothing_is_traced_again(f: Callable[..., Any], traces: list[Any]) -> None:
    g = tracejit.function(f)
    for _ in range(2):  # at the second call it is known to write
        np.testing.assert_equal(told(g, GOOD), told(f, GOOD))
        assert told(g, BAD)[:2] == told(f, BAD)[:2]
    before = len(traces)
    for _ in range(3):
        assert told(g, BAD) == told(f, BAD)
        np.testing.assert_equal(told(g, GOOD), told(f, GOOD))
    assert len(traces) == before and not g.stats.fallbacks


@pytest.mark.cpu
@pytest.mark.parametrize("f", [of_a_mask, told_apart], ids=lambda f: f.__name__)
def test_what_no_code_tells_is_traced_once(f: Callable[..., Any], traces: list[Any]) -> None:
    g = tracejit.function(f, on_unsupported="warn")
    for _ in range(2):
        np.testing.assert_equal(told(g, GOOD), told(f, GOOD))
        assert told(g, BAD) == told(f, BAD)
    before = len(traces)
    for _ in range(3):
        assert told(g, BAD) == told(f, BAD)
    np.testing.assert_equal(told(g, GOOD), told(f, GOOD))
    assert len(traces) == before and not g.stats.fallbacks


def test_generators_are_where_numpy_leaves_them() -> None:
    g = tracejit.function(drawn)
    ours, numpys = np.random.default_rng(3), np.random.default_rng(3)
    for places in (GOOD, BAD, BAD, GOOD):
        np.testing.assert_equal(told(g, places, ours), told(drawn, places, numpys))
        assert ours.bit_generator.state == numpys.bit_generator.state


def test_one_that_was_wrong_is_not_believed_again(traces: list[Any]) -> None:
    g = tracejit.function(taken, on_unsupported="warn")
    g(np.ones((3, 3)), GOOD)
    [path] = g._paths
    path.driver, driver = lambda *args: path.told.__setitem__(0, True) or slow.MISS, path.driver
    g._recent, path.told = (path,), [False]
    g._ask_none()
    with pytest.warns(tracejit.UnsupportedWarning):
        np.testing.assert_equal(g(np.ones((3, 3)), GOOD), np.full((3, 3), 2.0))
    assert not path.is_trusted and g.stats.fallbacks == 1
    path.driver = driver
    np.testing.assert_equal(g(np.ones((3, 3)), GOOD), np.full((3, 3), 2.0))
    assert g.stats.fallbacks == 1


def test_shared_variables_are_as_they_were() -> None:
    state = tracejit.shared(np.zeros(3))

    @tracejit.function
    def f(x, i):
        state.set_value(state.get_value() + 1)
        return x[i]

    f(np.arange(4.0), GOOD)
    for _ in range(2):
        with pytest.raises(IndexError):
            f(np.arange(4.0), BAD)
        np.testing.assert_array_equal(state.get_value(), np.ones(3))
