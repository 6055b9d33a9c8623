"""Nothing of the compiler's reaches the user's standard error."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import tracejit

PROGRAM = """
import numpy as np, tracejit
x = np.array([3.0, np.nan, -0.0, 7.0])
functions = [
    np.nanargmax, np.nanargmin, np.nanmax, np.argmax, np.max, np.sum, np.all,
    lambda x: np.max(np.where(np.isnan(x), -np.inf, x)),
    lambda x: np.min(np.where(np.isnan(x), np.inf, x)),
]
with tracejit.config(cache=False):
    for f in functions:
        tracejit.function(lambda x: f(x), on_unsupported="error")(x)
"""


def test_compilations_are_quiet() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bound", [np.inf, -np.inf])
def test_a_bound_in_place_of_nan_is_exact(dtype: type, bound: float) -> None:
    x = np.array([3.0, np.nan, -0.0, 0.0, np.inf, -np.inf, -np.nan, 1e-40], dtype)
    f = tracejit.function(lambda x: np.where(np.isnan(x), bound, x))
    expected = np.where(np.isnan(x), bound, x)
    result = f(x)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(np.signbit(result), np.signbit(expected))
    assert "fmax" in f.source(x) or "fmin" in f.source(x)
