"""Row-wise standardisation: mean, deviation and result, of rows that fit the cache."""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure
from benchmarks.timing import speed_up

Array = np.ndarray[Any, np.dtype[Any]]


def setup(n: int = 10_000) -> tuple[Array]:
    return (np.random.default_rng(3).standard_normal((n, 784)),)


def standardise_rows(x: Array) -> Array:
    mu = x.mean(axis=1, keepdims=True)
    sd = x.std(axis=1, keepdims=True)
    return (x - mu) / sd


compiled = tracejit.function(standardise_rows, on_unsupported="error")


def measure() -> Figure:
    return speed_up(compiled, standardise_rows, setup(), repeat=15)
