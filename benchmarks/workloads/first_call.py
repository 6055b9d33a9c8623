"""The first call: trace, fuse, compile and run, with the disk cache off and new source each time.

The process is warm: another function has been compiled, so Numba and LLVM are set up.
"""

from __future__ import annotations

import itertools
import linecache
import random
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure

Array = np.ndarray[Any, np.dtype[Any]]
LOOPS = 20


def setup(n: int = 1_000) -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    return rng.uniform(0.5, 1.0, n), rng.uniform(0.5, 1.0, n)


def define(source: str, name: str) -> Callable[..., Any]:
    """A function from its source, which the line lookup can find as if it were a file."""
    filename = f"<benchmark {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope: dict[str, Any] = {"np": np}
    exec(compile(source, filename, "exec"), scope)
    function: Callable[..., Any] = scope[name]
    return function


def kernels() -> Iterator[Callable[..., Any]]:
    """Functions of one fused loop, the logistic's size, no two of the same operations."""
    choices = list(itertools.product("+-*", repeat=3))
    random.Random(6).shuffle(choices)
    for number, (first, second, third) in enumerate(choices):
        name = f"kernel_{number}"
        body = f"1 / (1 + np.exp(-x {first} y)) {second} y {third} x"
        yield define(f"def {name}(x, y):\n    return {body}\n", name)


def programs() -> Iterator[Callable[..., Any]]:
    """Functions of 20 loops: each sum needs all of the values that depend on the sum before."""
    for number in itertools.count():
        name = f"program_{number}"
        signs = random.Random(number)
        lines = [f"def {name}(x, y):\n"]
        for _ in range(LOOPS - 1):
            op = signs.choice("+-*")
            lines.append(f"    s = np.sum(x {op} y)\n")
            lines.append("    x = x / (1 + s * s)\n")
        lines.append("    return x + y\n")
        yield define("".join(lines), name)


def first_calls(functions: Iterator[Callable[..., Any]], loops: int, repeat: int) -> Figure:
    """Median milliseconds of the first call; every function must have ``loops`` loops."""
    args = setup()
    times: list[float] = []
    phases: dict[str, list[float]] = {}
    with tracejit.config(cache=False):
        # The first one warms the process up and is not counted.
        for number, python_function in enumerate(itertools.islice(functions, repeat + 1)):
            function = tracejit.function(python_function, on_unsupported="error")
            start = time.perf_counter()
            got = function(*args)
            seconds = time.perf_counter() - start
            np.testing.assert_allclose(got, python_function(*args), rtol=1e-9)
            assert function.stats.compiles == 1, function.stats.compiles
            assert function.stats.loops == loops, (function.stats.loops, loops)
            if number:
                times.append(seconds)
                for phase, spent in function.stats.seconds.items():
                    phases.setdefault(phase, []).append(spent)
    parts = {f"{phase}_s": median(spent) for phase, spent in phases.items()}
    return Figure(1e3 * median(times), {**parts, "loops": loops, "max_s": max(times)})


def measure(which: str) -> Figure:
    if which == "kernel":
        return first_calls(kernels(), 1, repeat=15)
    return first_calls(programs(), LOOPS, repeat=7)
