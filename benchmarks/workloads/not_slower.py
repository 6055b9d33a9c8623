"""Compiled functions against NumPy's own: the worst ratio of their times, over a table of cases.

A case is one call of NumPy's: a short program in which there is nothing to fuse, so that all there
is to win is the call itself. It is measured for the dtypes, the layouts and the sizes that it
names, on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure
from benchmarks.timing import wait_for_compiler

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[[Array], Any]

SIZES = (1_000, 100_000)
REAL = ("float64", "float32", "int64")
FLOATS = ("float64", "float32")
NUMBERS = (*REAL, "complex128")
ALL = (*NUMBERS, "bool")

#: Inputs by name, made of random numbers.
INPUTS: dict[str, Callable[[Array], Array]] = {
    "random": lambda x: x,
    "ascending": np.sort,
    "rows of 50": lambda x: x.reshape(-1, 50),
    "square": lambda x: x.reshape(25 if x.size == 1_000 else 250, -1),
    "four rows": lambda x: x.reshape(4, -1),
}
FLAT = ("random", "ascending")
MATRICES = ("rows of 50", "square", "four rows")


@dataclass(frozen=True)
class Case:
    """A function of one array, the inputs that it is measured on, and their dtypes."""

    name: str
    function: Function
    inputs: tuple[str, ...] = ("random",)
    dtypes: tuple[str, ...] = ALL


CASES = (
    Case("argmax", lambda x: np.argmax(x), (*FLAT, "square")),
    Case("argmax of rows", lambda x: np.argmax(x, axis=1), MATRICES),
    Case("argmax of columns", lambda x: np.argmax(x, axis=0), MATRICES),
    Case("argmin", lambda x: np.argmin(x), FLAT),
    Case("argmin of rows", lambda x: np.argmin(x, axis=1), MATRICES),
    Case("argmin of columns", lambda x: np.argmin(x, axis=0), MATRICES),
    Case("median", lambda x: np.median(x), FLAT, NUMBERS),
    Case("median of rows", lambda x: np.median(x, axis=1), MATRICES, NUMBERS),
    Case("nanmedian", lambda x: np.nanmedian(x), FLAT, NUMBERS),
    Case("nanmedian of rows", lambda x: np.nanmedian(x, axis=1), MATRICES, FLOATS),
    Case("max", lambda x: np.max(x), FLAT),
    Case("max of rows", lambda x: np.max(x, axis=1), MATRICES),
    Case("max of columns", lambda x: np.max(x, axis=0), MATRICES),
    Case("sum", lambda x: np.sum(x)),
    Case("sum of columns", lambda x: np.sum(x, axis=0), ("rows of 50", "square")),
    Case("count_nonzero of rows", lambda x: np.count_nonzero(x, axis=1), MATRICES),
    Case("tile", lambda x: np.tile(x, 3)),
    Case("tile of two axes", lambda x: np.tile(x, (2, 3)), ("random", *MATRICES)),
    Case("repeat", lambda x: np.repeat(x, 3)),
    Case("roll", lambda x: np.roll(x, 7), ("random", "square")),
    Case("logaddexp.reduce", lambda x: np.logaddexp.reduce(x), dtypes=FLOATS),
    Case("logaddexp", lambda x: np.logaddexp(x, x), dtypes=FLOATS),
)


def numbers(dtype: str, size: int) -> Array:
    """Random numbers of a dtype."""
    rng = np.random.default_rng(7)
    if dtype == "bool":
        return rng.random(size) < 0.5
    if dtype == "complex128":
        return rng.standard_normal(size) + 1j * rng.standard_normal(size)
    if dtype == "int64":
        return rng.integers(-(10**6), 10**6, size)
    return rng.standard_normal(size).astype(dtype)


def arguments(case: Case) -> Iterator[tuple[str, Array]]:
    """What a case is measured on, with a name for each."""
    for dtype in case.dtypes:
        for size in SIZES:
            for kind in case.inputs:
                made = INPUTS[kind](numbers(dtype, size))
                yield f"{case.name}, {dtype}, {size:,}, {kind}", made


def ratio(function: Callable[..., Any], *args: Array, seconds: float = 0.05) -> float:
    """The time of the compiled function in times of the function's.

    The least of many turns each, more of them where it seems to be slower.
    """
    compiled = tracejit.function(function, on_unsupported="error")
    for _ in range(3):
        compiled(*args)
        wait_for_compiler()
    start = time.perf_counter()
    function(*args)
    rounds = range(max(1, min(200, int(2e-5 / (time.perf_counter() - start)))))
    least = [np.inf, np.inf]
    for attempt in range(5):
        end = time.perf_counter() + seconds * (attempt + 1)
        while time.perf_counter() < end:
            for k, call in enumerate((compiled, function)):
                start = time.perf_counter()
                for _ in rounds:
                    call(*args)
                least[k] = min(least[k], time.perf_counter() - start)
        if least[0] < least[1]:
            break
    return least[0] / least[1]


def measure() -> Figure:
    ratios = {name: ratio(case.function, x) for case in CASES for name, x in arguments(case)}
    worst = max(ratios, key=lambda name: ratios[name])
    return Figure(ratios[worst], {"worst": worst, "ratios": ratios})
