"""Code of Python's that reads or writes in the order of memory, between segments."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit


def positions_first(x):
    y = x[:, [0, 1]]
    print(end="")
    z = y.reshape(-1)
    z[1] = 99
    return y


def columns(x):
    y = np.column_stack([x[0], x[0]])
    print(end="")
    z = y.ravel()
    z[1] = 99
    return y


def like(x):
    y = np.zeros_like(x)
    print(end="")
    y.reshape(-1)[1] = 9
    return y


def turned(x):
    y = x.T * 2
    print(end="")
    z = y.reshape(-1)
    z[1] = 5
    return y


def by_a_library(x):
    y = x[:, [0, 1]]
    memoryview(y)
    y.reshape(-1)[0] = 99
    return y * 1


def in_the_order_of_memory(x):
    y = np.zeros_like(x)
    y[0] = x[0]
    return [float(v) for v in np.nditer(y, order="K")]


def not_divided(x):
    y = x[:, [0, 1]]
    z = y.reshape(-1)
    z[1] = 99
    return y


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "f",
    [positions_first, columns, like, turned, by_a_library, in_the_order_of_memory, not_divided],
    ids=lambda f: f.__name__,
)
def test_as_numpy(f: Callable[..., Any], order: Any) -> None:
    g = tracejit.function(f, on_unsupported="warn")
    with warnings.catch_warnings(), tracejit.config(compile=False):
        warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
        for _ in range(3):
            x = np.asarray(np.arange(6.0).reshape(2, 3), order=order)
            np.testing.assert_array_equal(g(x), f(x))


def plain(x):
    y = (x - x.min()) / 2
    print(end="")
    return y + y.mean(0), y @ y.T


def test_what_lies_in_c_order_is_compiled() -> None:
    g = tracejit.function(plain, on_unsupported="warn")
    with warnings.catch_warnings(), tracejit.config(compile=False):
        warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
        for a, b in zip(g(np.ones((2, 3))), plain(np.ones((2, 3))), strict=True):
            np.testing.assert_array_equal(a, b)
    assert g._segments is not None
    assert [part.segment.stats.traces for _, part in g._segments.lines] == [1, 1]


def test_a_write_into_another_order_of_what_is_reshaped() -> None:
    def f(x):
        y = x.reshape(-1, order="F")
        y[0] = -1
        return y.sum()

    for order in ("C", "F"):
        x, y = (np.asarray(np.arange(6.0).reshape(2, 3), order=order) for _ in range(2))
        g = tracejit.function(f, on_unsupported="warn")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
            assert g(x) == f(y)
        np.testing.assert_array_equal(x, y)
