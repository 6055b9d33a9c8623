"""The elementary functions against NumPy's own validation tables, and on every float32."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_vecmath import NAMES, evaluate, numpy_or_scipy

TABLES = Path(np.__file__).parent / "_core" / "tests" / "data"
#: Functions that NumPy has a table of.
LISTED = [name for name in NAMES if (TABLES / f"umath-validation-set-{name}.csv").exists()]


def rows(name: str, dtype: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """Inputs, expected outputs, and the most units in the last place by which NumPy may err."""
    unsigned = np.uint32 if dtype is np.float32 else np.uint64
    found: list[tuple[int, int, int]] = []
    text = (TABLES / f"umath-validation-set-{name}.csv").read_text().splitlines()
    lines = (line for line in text if line.strip() and not line.startswith(("#", "dtype")))
    for kind, given, expected, most in csv.reader(lines):
        if kind == f"np.{dtype.__name__}":
            found.append((int(given, 16), int(expected, 16), int(most)))
    given, expected, most = zip(*found, strict=True)
    as_floats = (np.array(v, unsigned).view(dtype) for v in (given, expected))
    return *as_floats, max(most)  # type: ignore[return-value]


def test_most_functions_have_a_table() -> None:
    assert len(LISTED) >= 18


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LISTED)
def test_numpys_tables(name: str, dtype: Any) -> None:
    given, expected, most = rows(name, dtype)
    assert len(given) > 100
    np.testing.assert_array_max_ulp(evaluate(name, given), expected, maxulp=most, dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_float32(name: str) -> None:
    """Within one unit of the double-precision result, rounding of which costs next to nothing."""
    reference = numpy_or_scipy(name)
    form = np.finfo(np.float32)
    for start in range(0, 1 << 32, 1 << 24):
        x = np.arange(start, start + (1 << 24), dtype=np.uint32).view(np.float32)
        with np.errstate(all="ignore"):
            exact = reference(x.astype(np.float64))
            result = evaluate(name, x).astype(np.float64)
            rounded = exact.astype(np.float32)
        plain = np.isfinite(rounded)
        same = (result == rounded) | (np.isnan(result) & np.isnan(rounded))
        assert same[~plain].all(), x[~plain][~same[~plain]][:3]
        exponent = np.maximum(np.frexp(exact[plain])[1], form.minexp + 1)
        units = np.abs(result[plain] - exact[plain]) / np.ldexp(1.0, exponent - 1 - form.nmant)
        if units.size:
            assert units.max() <= 1.0, (x[plain][units.argmax()], units.max())
