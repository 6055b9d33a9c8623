"""Programs of many arguments, results and guards: compiled in time that is linear in them."""

from __future__ import annotations

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
