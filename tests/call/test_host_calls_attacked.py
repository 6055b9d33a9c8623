"""Programs divided at host calls, as strangers write them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

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
