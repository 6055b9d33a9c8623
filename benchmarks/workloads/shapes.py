"""Fifty shapes through one function: sizes are run-time values, so nothing is compiled again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure

Array = np.ndarray[Any, np.dtype[Any]]
SHAPES = 50


def setup(n: int) -> tuple[Array, Array]:
    """A matrix and a row that broadcast together, of sizes that depend on ``n``."""
    rng = np.random.default_rng(n)
    rows, columns = n + 5, 2 * n + 7
    return rng.standard_normal((rows, columns)), rng.standard_normal(columns)


def elementwise(x: Array, y: Array) -> Array:
    return np.exp(-x) * y + x


def slices(x: Array, y: Array) -> Array:
    return (x[1:-1] - x[:-2]) * y


def reshape(x: Array, y: Array) -> Array:
    return x.reshape(-1).sum() + x.sum(axis=0) * y


def zeros(x: Array, y: Array) -> Array:
    return np.zeros(x.shape[0])[:, None] + y


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "elementwise": elementwise,
    "slices": slices,
    "reshape": reshape,
    "zeros": zeros,
}


def measure(which: str) -> Figure:
    reference = FUNCTIONS[which]
    compiled = tracejit.function(reference, on_unsupported="error")
    for n in range(SHAPES):
        args = setup(n)
        np.testing.assert_allclose(compiled(*args), reference(*args), rtol=1e-9, atol=1e-12)
    stats = compiled.stats
    parts = {"shapes": SHAPES, "traces": stats.traces, "compiles": stats.compiles}
    return Figure(max(stats.traces, stats.compiles), parts)
