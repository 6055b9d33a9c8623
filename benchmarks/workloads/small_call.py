"""The cost of a call: the logistic function of eight numbers, plus eight more."""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure
from benchmarks.timing import checked, interleaved

Array = np.ndarray[Any, np.dtype[Any]]


def setup(n: int = 8) -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    return rng.standard_normal(n), rng.standard_normal(n)


def logistic(x: Array, y: Array) -> Array:
    return 1 / (1 + np.exp(-x)) + y


compiled = tracejit.function(logistic, on_unsupported="error")


def measure() -> Figure:
    args = setup()
    checked(compiled, logistic, args)
    ours, numpys = interleaved([compiled, logistic], args, repeat=41, inner=20_000)
    return Figure(ours / numpys, {"compiled_s": ours, "numpy_s": numpys})
