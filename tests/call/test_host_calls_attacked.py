"""Programs divided at host calls, as strangers write them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit import UnsupportedWarning

X = np.random.default_rng(1).random((4, 3))


def both(f: Callable[..., Any], *args: Any, calls: int = 2) -> tuple[Any, Any]:
    """What the plain function gives, and what the compiled one gives at its last call."""
    g = tracejit.function(f, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        want = f(*args)
        for _ in range(calls):
            got = g(*args)
    return got, want


def halves(x: Any, n: int) -> Iterator[Any]:
    for k in range(n):
        x = x * 0.5 + k
        print(end="")
        yield x


def over_generator(x: Any) -> Any:
    t = 0
    for a in halves(x, 4):
        t = t + a.sum()
        print(end=f"{float(t):.0f}"[:0])
    return t


def test_the_last_statement_of_a_segment_is_a_host_call() -> None:
    got, want = both(over_generator, X)
    np.testing.assert_allclose(got, want)


def rows(x: Any, n: int) -> Any:
    print(end="")
    return x.reshape(n, -1)


def caught(x: Any) -> Any:
    y = x * 2
    found = []
    try:
        print(end="")
        y = y.reshape(7, -1)
    except ValueError as error:
        found.append((type(error), str(error)))
    try:
        rows(y, 5)
    except ValueError as error:
        found.append((type(error), str(error)))
    return y, found


def test_a_handler_around_a_segment_sees_what_numpy_raises() -> None:
    got, want = both(caught, X)
    np.testing.assert_allclose(got[0], want[0])
    assert got[1] == want[1]


def test_what_a_segment_raises_names_the_line() -> None:
    g = tracejit.function(rows, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        g(X, 4)
        for _ in range(2):
            with pytest.raises(ValueError, match="into shape") as raised:
                g(X, 5)
    assert type(raised.value) is ValueError
    assert "operands: x float64[4, 3]" in raised.value.__notes__[0]
