"""The cost of a call: of an expression over eight numbers, of one write, of one branch."""

from __future__ import annotations

from collections.abc import Callable
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


def write(x: Array) -> None:
    x[0] = 1.0


def branch(x: Array, n: int) -> Array:
    if n > 3:
        return x + 1
    return x - 1


compiled = tracejit.function(logistic, on_unsupported="error")


def measure(argument: str = "share") -> Figure:
    """The share of NumPy's time that `logistic` takes, or the microseconds of one call."""
    x, y = setup()
    if argument == "share":
        return _share((x, y))
    if argument == "logistic":
        return _microseconds(logistic, (x, y))
    return _microseconds(write, (x,)) if argument == "write" else _microseconds(branch, (x, 5))


def _share(args: tuple[Array, Array]) -> Figure:
    checked(compiled, logistic, args)
    ours, numpys = interleaved([compiled, logistic], args, repeat=41, inner=20_000)
    return Figure(ours / numpys, {"compiled_s": ours, "numpy_s": numpys})


def _microseconds(plain: Callable[..., Any], args: tuple[Any, ...]) -> Figure:
    function = tracejit.function(plain, on_unsupported="error")
    mine, others = args[0].copy(), args[0].copy()
    got, want = function(mine, *args[1:]), plain(others, *args[1:])
    np.testing.assert_array_equal(mine, others)
    if want is not None:
        np.testing.assert_allclose(got, want, rtol=1e-15)
    ours, numpys = interleaved([function, plain], args, repeat=41, inner=20_000)
    assert (function.stats.traces, function.stats.fallbacks) == (1, 0)
    return Figure(ours * 1e6, {"compiled_s": ours, "numpy_s": numpys})
