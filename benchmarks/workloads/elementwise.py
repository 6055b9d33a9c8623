"""An expression of four large arrays: four passes over memory in NumPy, one when fused."""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure
from benchmarks.timing import interleaved, speed_up

Array = np.ndarray[Any, np.dtype[Any]]


def setup(n: int = 10_000_000) -> tuple[Array, ...]:
    rng = np.random.default_rng(2)
    a, b, c = (rng.uniform(1.0, 2.0, n) for _ in range(3))
    return a, b, c, rng.uniform(3.0, 4.0, n)


def expression(a: Array, b: Array, c: Array, d: Array) -> Array:
    return (a * b + c) / (d - a)


compiled = tracejit.function(expression, on_unsupported="error")


def measure() -> Figure:
    args = setup()
    # Every result is kept while timing: the figure is about memory never written before.
    figure = speed_up(compiled, expression, args, repeat=11, keep=True)
    # Beside it, results dropped at once, as in a loop: the next call may reuse their memory.
    ours, numpys = interleaved([compiled, expression], args, repeat=11)
    return Figure(figure.value, {**figure.parts, "speed_up_results_dropped": numpys / ours})
