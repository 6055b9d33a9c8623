"""Programs of many arguments, results and guards: compiled in time that is linear in them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit


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


def arguments(n: int) -> Any:
    names = ", ".join(f"a{k}" for k in range(n))
    scope: dict[str, Any] = {}
    exec(f"def f({names}): return {' + '.join(f'a{k}' for k in range(n))}", scope)
    return scope["f"], tuple(np.full(3, k) for k in range(n))


def results(n: int) -> Any:
    return lambda x: [x * k + 1 for k in range(n)], (np.linspace(0, 1, 5),)


def guards(n: int) -> Any:
    def f(x: Any, t: Any) -> Any:
        s = 0
        for k in range(n):
            if t > 2 * k:
                s += k
        return x * s

    return f, (np.ones(3), n)


@pytest.mark.parametrize("make", [arguments, results, guards])
def test_time_is_linear(make: Any) -> None:
    seconds(make, 8)  # what is made once
    few, many = (seconds(make, n) for n in (25, 100))
    assert many < 4 * 2.5 * few + 0.5
