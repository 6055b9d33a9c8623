"""Programs of many arguments, results and guards: compiled in time that is linear in them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from benchmarks.workloads.compile_time import arguments, guards, results


def seconds(make: Callable[[int], tuple[Any, tuple[Any, ...]]], n: int) -> float:
    """CPU time of a first call, whose result is NumPy's."""
    function, arguments = make(n)
    compiled = tracejit.function(function)
    with tracejit.config(cache=False):
        start = time.process_time()
        result = compiled(*arguments)
        taken = time.process_time() - start
    expected = function(*arguments)
    for found, wanted in zip(
        result if isinstance(result, list) else [result],
        expected if isinstance(expected, list) else [expected],
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    return taken


@pytest.mark.parametrize("make", [arguments, results, guards])
def test_time_is_linear(make: Any) -> None:
    seconds(make, 8)  # what is made once
    few, many = (seconds(make, n) for n in (25, 100))
    assert many < 4 * 2.5 * few + 0.5


def chain(x: Any) -> Any:
    for k in range(50):
        x = x * 1.01 + np.abs(x - k)
    return x


def remainders(k: Any) -> Any:
    for n in range(1, 40):
        k = k + (k * 3 + n) % (abs(k) + n)
    return k


@pytest.mark.parametrize(
    "function, dtype", [(chain, "f8"), (chain, "f4"), (remainders, "f8"), (remainders, "i8")]
)
def test_what_is_left_of_whole_vectors(function: Any, dtype: str) -> None:
    """Elements get what each alone does, and what lies behind the last one stays."""
    compiled, changed = tracejit.function(function), tracejit.function(in_place(function))
    x = np.linspace(-9, 9, 37).astype(dtype)
    each = np.concatenate([compiled(x[k : k + 1]) for k in range(len(x))])
    np.testing.assert_allclose(each, function(x), rtol=1e-5 if dtype == "f4" else 1e-13)
    for n in range(len(x) + 1):
        np.testing.assert_array_equal(compiled(x[:n]), each[:n])
        memory = x.copy()
        changed(memory[:n])
        np.testing.assert_array_equal(memory[:n], each[:n])
        np.testing.assert_array_equal(memory[n:], x[n:])
    assert compiled.stats.fallbacks == changed.stats.fallbacks == 0


def in_place(function: Any) -> Any:
    def f(x: Any) -> None:
        x[:] = function(x)

    return f


@pytest.mark.parametrize("function, loops", [(chain, 1), (remainders, 2)])
def test_a_large_loop_is_compiled_once(function: Any, loops: int) -> None:
    """Vectors go through all of it; only what could trap is done anew for what is left of them."""
    compiled = tracejit.function(function)
    with tracejit.config(cache=False):
        compiled(np.arange(100.0 if function is chain else 100))
    (path,) = compiled._paths
    llvm = path.executable.entry.__self__.compiled.llvm()
    named = re.findall(r"^(vector\.body|loop\.body)[\d.]*:", llvm, re.MULTILINE)
    assert len(named) == loops, named
