"""Sums for pairs of rows, as distances: jammed, and what is done with them in vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

RNG = np.random.default_rng(8)


def squares(x: Any, y: Any) -> Any:
    return ((x[:, None] - y) ** 2).sum(-1)


#: Programs, and the passes of each: sums and what is done with them apart, or all in one.
PROGRAMS: dict[str, tuple[Callable[..., Any], int]] = {
    "distance": (lambda x, y: np.sqrt(squares(x, y)), 2),
    "kernel": (lambda x, y: np.exp(-0.5 * squares(x, y)), 2),
    "mean of moduli": (lambda x, y: np.abs(x[:, None] - y).mean(axis=2), 2),
    "with a column and a row": (lambda x, y: squares(x, y) * x[:, :1] + y[:, 0], 2),
    "sum and root": (lambda x, y: (squares(x, y), np.sqrt(squares(x, y))), 2),
    "alone": (squares, 1),
    "near": (lambda x, y: squares(x, y) < 9, 1),
    "two results": (lambda x, y: (np.sqrt(squares(x, y)), np.exp(squares(x, y) / -99)), 1),
    "narrower": (lambda x, y: np.sqrt(squares(x, y)).astype("e"), 1),
}
#: Rows, other rows, and how long they are.
SHAPES = [
    *[(1, 1, 1), (2, 3, 1), (3, 2, 3), (4, 4, 64), (5, 7, 9), (37, 70, 31), (6, 3, 513)],
    *[(0, 3, 2), (3, 2, 0)],
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_values(name: str, dtype: str) -> None:
    function, passes = PROGRAMS[name]
    f = tracejit.function(function, on_unsupported="error")
    for rows, others, length in SHAPES:
        if name in ("with a column and a row", "mean of moduli") and not length:
            continue  # there is no column; NumPy warns
        x, y = (RNG.standard_normal((n, length)).astype(dtype) for n in (rows, others))
        found, expected = f(x, y), function(x, y)
        if not isinstance(found, tuple):
            found, expected = (found,), (expected,)
        for a, b in zip(found, expected, strict=True):
            assert a.dtype == b.dtype and a.shape == b.shape
            off = {"d": 1e-12, "f": 1e-4, "e": 1e-3, "?": 0}[a.dtype.char]
            off = max(off, 1e-4 if dtype == "float32" else 0)
            np.testing.assert_allclose(a, b, rtol=off, atol=off)
    x, y = (RNG.standard_normal((n, 5)).astype(dtype) for n in (4, 6))
    f(x, y)
    assert (f.stats.loops, f.stats.passes, f.stats.temporaries) == (1, passes, 0)


def test_the_sums_are_jammed_and_the_roots_are_not_in_their_loop() -> None:
    f = tracejit.function(PROGRAMS["distance"][0], on_unsupported="error")
    source = f.source(np.ones((9, 8)), np.ones((7, 8)))
    short = source[: source.index("> 512:")]
    assert short.count("radd_product(") == 8 and short.count(" sqrt(") == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: np.sqrt(squares(x, y)).T,
        lambda x, y: np.sqrt(squares(x, y))[:, :5],
        lambda x, y: squares(x, y)[::2, 3:],
        lambda x, y: ((x.reshape(4, 10, 11) - y[:4, None]) ** 2).sum(-1),
        lambda x, y: np.sqrt(((x[:, None, :, None] - y[:, None, None, :]) ** 2).sum(2)),
        lambda x, y: np.sqrt(((x.T[:, None] - y.T) ** 2).sum(-1)),
        lambda x, y: np.sqrt(squares(x[x[:, 0] > 0], y)),
        lambda x, y: np.sqrt(squares(x, y)).sum(axis=1),
        lambda x, y: np.sqrt(squares(x, y)).sum(axis=0),
        lambda x, y: np.sqrt(squares(x, y)).argmin(axis=1),
        lambda x, y: np.exp(-squares(x, x)) @ y,
        lambda x, y: np.sqrt(squares(x, y)) + np.arange(y.shape[0]),
        lambda x, y: np.cumsum(np.sqrt(squares(x, y)), axis=1),
    ],
)
def test_what_is_around(function: Callable[..., Any]) -> None:
    f = tracejit.function(function, on_unsupported="error")
    x, y = (RNG.standard_normal((40, 11)) for _ in range(2))
    np.testing.assert_allclose(f(x, y), function(x, y), rtol=1e-11, atol=1e-11)


def test_a_result_that_takes_the_place_of_an_argument() -> None:
    """What is read of it is read before."""
    state = tracejit.shared(RNG.standard_normal((33, 5)))
    x = state.get_value()
    s = np.sqrt(squares(x, x))[:, :5]
    d = tracejit.tensor.sqrt(((state.dimshuffle(0, "x", 1) - state) ** 2).sum(axis=2))
    tracejit.function([], [], updates=[(state, d[:, :5])])()
    np.testing.assert_allclose(state.get_value(), s, rtol=1e-12, atol=1e-12)
