"""The first call of programs ten times as large: steps of a loop, guards, arguments, results.

A Python loop is compiled step by step, so a program is as large as its loop is long. CPU time, with
the disk cache off and no budget.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure

Program = tuple[Callable[..., Any], tuple[Any, ...]]


def steps(n: int) -> Program:
    """A chain of operations on one array: one loop of 2 n operations."""

    def f(x: Any) -> Any:
        for k in range(n):
            x = x * 1.01 + k
        return x

    return f, (np.ones(100),)


def guards(n: int) -> Program:
    """n questions about a number, each of which is tested at every call."""

    def f(x: Any, t: int) -> Any:
        s = 0
        for k in range(n):
            if t > 2 * k:
                s += k
        return x * s

    return f, (np.ones(3), n)


def arguments(n: int) -> Program:
    """The sum of n arguments."""
    names = [f"a{k}" for k in range(n)]
    scope: dict[str, Any] = {}
    exec(f"def f({', '.join(names)}):\n    return {' + '.join(names)}", scope)
    return scope["f"], (np.ones(3),) * n


def results(n: int) -> Program:
    """n arrays that one loop gives."""
    return lambda x: [x * k + 1 for k in range(n)], (np.ones(100),)


PROGRAMS = {steps: 1000, guards: 1000, arguments: 400, results: 400}


def seconds(function: Callable[..., Any], args: tuple[Any, ...]) -> float:
    compiled = tracejit.function(function, on_unsupported="error")
    with tracejit.config(cache=False, budget=0):
        start = time.process_time()
        compiled(*args)
        return time.process_time() - start


def measure() -> Figure:
    """The largest growth of the time for a program ten times as large."""
    growth: dict[str, float] = {}
    parts: dict[str, float] = {}
    for program, most in PROGRAMS.items():
        seconds(*program(most // 10 + 1))
        few, many = (seconds(*program(n)) for n in (most // 10, most))
        growth[program.__name__] = many / few
        parts[f"{program.__name__}_{most}_s"] = many
    return Figure(max(growth.values()), {**growth, **parts})
