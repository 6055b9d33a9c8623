"""Nothing of LLVM's reaches the user: no loop is told to be vectorised that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "nanargmax": lambda x: (np.nanargmax(x), np.nanargmin(x)),
    "masked extremes": lambda x: (
        np.max(np.where(x > 0, x, -np.inf)),
        np.min(np.where(np.isnan(x), np.inf, x)),
        np.max(np.where(x > 0, -np.inf, x * 2)),
    ),
    "rows": lambda x: np.max(np.where(x[:, None] > x, x, -np.inf), axis=1) + np.cumsum(x),
    "logical": lambda x: (np.all(np.isnan(x)), np.any(x > 3), np.isfinite(x).all()),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_llvm_says_nothing(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    f, x = PROGRAMS[name], np.linspace(-1, 3, 1_003)
    with tracejit.config(cache=False, threads=1):
        found = tracejit.function(f)(x)
    np.testing.assert_equal(found, f(x))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("length", [7, 15, 1023])
def test_a_sum_from_a_place_on_of_as_many_elements_as_there_are_in_bits(
    length: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """LLVM sees that ``7 - k`` is ``7 ^ k``, and then found no count in a loop of so many steps."""

    @tracejit.function
    def f(x: Any, places: Any) -> Any:
        assert len(x) == length
        return np.dot(x[places[-1] :], x[places[-1] :])

    x = np.arange(float(length))
    for start in (0, 1, length - 1, length, -1, -2):
        with tracejit.config(cache=False, threads=1):
            assert f(x, np.array([0, start])) == x[start:] @ x[start:]
    assert f.stats.compiles == 1 and f.stats.fallbacks == 0
    assert capfd.readouterr().err == ""
