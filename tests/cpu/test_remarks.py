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
