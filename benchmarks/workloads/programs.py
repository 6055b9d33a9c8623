"""Programs, not expressions: the kernels of `benchmarks.kernels`, as they stand, and compiled.

Against NumPy, where they are of array statements, and against Numba's `njit` of the same source,
where they are of scalars in loops: plain Python would be a hundred times slower than either.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import tracejit
from benchmarks.kernels import KERNELS, Kernel
from benchmarks.rows import Figure
from benchmarks.timing import wait_for_compiler
from benchmarks.workloads.first_call import define

TURNS = 5


def _seconds(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - start, result


def _against(kernel: Kernel, other: Callable[..., Any], threads: int = 1) -> Figure:
    """How many times faster the compiled kernel is than `other`, whose results it has."""
    compiled = tracejit.function(kernel.function, on_unsupported="error")
    first, _ = _seconds(compiled, kernel.arguments(kernel.large))
    if threads > 1:
        for _ in range(2):
            compiled(*kernel.arguments(kernel.large))
        wait_for_compiler()
    ours, theirs = [], []
    for turn in range(TURNS):
        mine, others = kernel.arguments(kernel.large), kernel.arguments(kernel.large)
        seconds, got = _seconds(compiled, mine)
        ours.append(seconds)
        seconds, want = _seconds(other, others)
        theirs.append(seconds)
        if not turn:
            _same((got, mine), (want, others), 1e-12 if kernel.sums else 0.0)
    assert compiled.stats.traces == 1, compiled.stats.traces
    parts = {"compiled_s": median(ours), "other_s": median(theirs), "first_call_s": first}
    return Figure(median(b / a for a, b in zip(ours, theirs, strict=True)), parts)


def _same(got: Any, want: Any, rtol: float) -> None:
    """Both are equal: to the bit where `rtol` is 0."""
    if isinstance(want, tuple | list):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            _same(a, b, rtol)
    elif want is not None:
        atol = rtol * float(np.abs(want).max(initial=1.0)) if isinstance(want, np.ndarray) else 0
        np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)


def scan(steps: int = 10_000) -> Figure:
    """Milliseconds of one call of a recurrence over ten numbers, of so many steps."""
    x = np.linspace(0.1, 1.0, 10)

    def recurrence(x, n):  # type: ignore[no-untyped-def]
        y = x.copy()
        for _ in range(n):
            y = 0.5 * y * (3.0 - y * y)
        return y

    compiled = tracejit.function(recurrence, on_unsupported="error")
    np.testing.assert_array_equal(compiled(x, steps), recurrence(x, steps))
    spent = median(_seconds(compiled, (x, steps))[0] for _ in range(20))
    return Figure(spent * 1e3, {"steps": steps})


class Unknown:
    """What nothing is known of: a function that asks it runs in NumPy as a whole."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, x: Any) -> Any:
        self.count += 1
        return np.sort(np.asarray(x).tolist())


def fallback() -> Figure:
    """A function of which nothing is compiled: later calls in times of the plain function's."""
    unknown, x = Unknown(), np.linspace(0.0, 1.0, 1_000)

    def plain(x):  # type: ignore[no-untyped-def]
        return unknown(x) + 1.0

    decorated = tracejit.function(plain, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
        first, _ = _seconds(decorated, (x,))
    ours, theirs = [], []
    for _ in range(2_000):
        ours.append(_seconds(decorated, (x,))[0])
        theirs.append(_seconds(plain, (x,))[0])
    assert decorated.stats.fallbacks and not decorated.stats.compiles
    return Figure(median(ours) / median(theirs), {"first_call_s": first})


def first_calls() -> Figure:
    """Seconds of the slowest first call of a kernel, in a process that has compiled another."""
    with tracejit.config(cache=False):
        tracejit.function(lambda x: -x, on_unsupported="error")(np.zeros(3))
        spent = {name: _first_call(k.function, k.arguments(k.small)) for name, k in KERNELS.items()}
    return Figure(max(spent.values()), spent)


def first_call_of_a_loop(repeat: int = 9) -> Figure:
    """Milliseconds of the first call of a loop of one array statement: median of several."""
    spent = []
    with tracejit.config(cache=False):
        for k in range(repeat + 1):  # the first one is not counted
            step = f"x[1:-1] = {k + 1} * (x[:-2] + x[2:])"
            function = define(
                f"def loop_{k}(x, n):\n    for _ in range(n):\n        {step}\n", f"loop_{k}"
            )
            spent.append(_first_call(function, (np.linspace(0.0, 1.0, 100), 50)))
    return Figure(median(spent[1:]) * 1e3, {"slowest_s": max(spent[1:])})


def _first_call(function: Callable[..., Any], args: tuple[Any, ...]) -> float:
    compiled = tracejit.function(function, on_unsupported="error")
    spent, _ = _seconds(compiled, args)
    assert compiled.stats.compiles == 1, compiled.stats.compiles
    return spent


def measure(argument: str) -> Figure:
    if argument in OTHERS:
        return OTHERS[argument]()
    name, other, *threads = argument.split("/")
    kernel = KERNELS[name]
    if threads:
        with tracejit.config(threads=int(threads[0])):
            return _against(kernel, kernel.function, int(threads[0]))
    if other == "NumPy":
        return _against(kernel, kernel.function)
    import numba

    return _against(kernel, numba.njit(kernel.function))


#: What is no comparison of a kernel, by the argument of its row.
OTHERS: dict[str, Callable[[], Figure]] = {
    "scan": scan,
    "fallback": fallback,
    "first calls": first_calls,
    "first call of a loop": first_call_of_a_loop,
}
