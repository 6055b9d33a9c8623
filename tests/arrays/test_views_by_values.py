"""Views whose bounds are values of arrays: of what was there when NumPy asked, by the program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.lower import driver

#: Which results share memory is asked of the host's arrays.
pytestmark = pytest.mark.cpu


def cut(x):
    k = int(x[0])
    x[0] = 5
    return x[:k]


def at_extreme(x):
    k = x.argmax()
    x *= 2
    return x[k:], x[: k + 1][::-1], k


def after_count(x):
    k = 0
    for v in x:
        if v > 2:
            k = k + 1
    x[:] = 7
    return x[:k], x[1:]


def of_another_result(x):
    y = x * 2
    k = int(y.argmin())
    return y, y[k:], y[: len(x) - k]


def row_told(x):
    k = int(x.sum()) % 3
    y = x.reshape(-1, 2)
    x[:] = 1
    return y[k // 2 :], y.T[:, k:]


def trimmed(x):
    return np.trim_zeros(x)


FUNCTIONS = [cut, at_extreme, after_count, of_another_result, row_told, trimmed]
ARRAYS = {
    "C": lambda: np.array([2.0, 1.0, 9.0, 3.0, 0.0, 4.0]),
    "strided": lambda: np.array([3.0, 0.0, 1.0, 0.0, 4.0, 9.0, 2.0, 1.0])[::2],
    "reversed": lambda: np.arange(6.0)[::-1],
    "ones": lambda: np.ones(2),
    "zeros": lambda: np.zeros(4),
    "integers": lambda: np.array([1, 8, 3, 2]),
}


@pytest.fixture(params=[False, True], ids=["interpreted", "compiled"])
def settings(request: pytest.FixtureRequest) -> Iterator[None]:
    with tracejit.config(compile=request.param):
        yield


def told(f: Callable[..., Any], x: np.ndarray) -> Any:
    """What `f` gives, what it leaves, and which parts of the argument the results are."""
    try:
        found = f(x)
    except Exception as error:
        return type(error), x.tolist()
    results = found if type(found) is tuple else (found,)
    values = [np.asarray(r).tolist() for r in results]
    shared = [isinstance(r, np.ndarray) and np.shares_memory(r, x) for r in results]
    shapes = [(np.shape(r), getattr(r, "strides", None), np.asarray(r).dtype) for r in results]
    for r in results:
        if isinstance(r, np.ndarray) and r.size:
            r[...] = 99
    return values, shared, shapes, x.tolist(), [np.asarray(r).tolist() for r in results]


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_as_numpy(f: Callable[..., Any], settings: None) -> None:
    g = tracejit.function(f)
    for make in ARRAYS.values():
        assert told(g, make()) == told(f, make())
        assert told(g, make()) == told(f, make())


@pytest.mark.parametrize("f", [cut, at_extreme, of_another_result, trimmed])
def test_the_program_tells_the_bounds(
    f: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that works out no value by the interpreter: it takes what the program gives."""
    g = tracejit.function(f)
    g(ARRAYS["C"]())
    g(ARRAYS["C"]())

    def refuse(*args: Any) -> Any:
        raise AssertionError("the interpreter is asked")

    monkeypatch.setattr(driver, "evaluate", refuse)
    assert told(g, ARRAYS["C"]()) == told(f, ARRAYS["C"]())
    assert g.stats.traces == 1
