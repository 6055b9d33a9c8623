"""Pairwise squared distances by broadcasting: NumPy builds the (n, n, k) differences."""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure
from benchmarks.timing import speed_up

Array = np.ndarray[Any, np.dtype[Any]]


def setup(n: int = 1_000) -> tuple[Array, Array]:
    rng = np.random.default_rng(4)
    return rng.standard_normal((n, 64)), rng.standard_normal((n, 64))


def squared_distances(x: Array, y: Array) -> Array:
    return ((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=-1)


compiled = tracejit.function(squared_distances, on_unsupported="error")


def measure() -> Figure:
    figure = speed_up(compiled, squared_distances, setup(), repeat=9)
    assert figure.parts["temporaries"] == 0, figure.parts
    return figure
