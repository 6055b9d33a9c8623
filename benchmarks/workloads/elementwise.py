"""An expression of four large arrays: four passes over memory in NumPy, one when fused."""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure
from benchmarks.timing import speed_up

Array = np.ndarray[Any, np.dtype[Any]]


def setup(n: int = 10_000_000) -> tuple[Array, ...]:
    rng = np.random.default_rng(2)
    a, b, c = (rng.uniform(1.0, 2.0, n) for _ in range(3))
    return a, b, c, rng.uniform(3.0, 4.0, n)


def expression(a: Array, b: Array, c: Array, d: Array) -> Array:
    return (a * b + c) / (d - a)


compiled = tracejit.function(expression, on_unsupported="error")


def measure() -> Figure:
    # Both sides drop each result at once, and the system gives every call fresh pages: memory of
    # this size goes back to it when it is freed.
    return speed_up(compiled, expression, setup(), repeat=15)
