"""Elementary functions of complex numbers: NumPy's special values, and how far they are off."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import tracejit

#: Parts of complex numbers: what overflows, underflows, and where the sine makes up for it.
PARTS = [
    0.0, -0.0, 1.0, -0.5, 5e-324, -5e-324, 1e-310, 3e5, 1e22, 87.5, 89.0, -103.5, 700.0, 709.8,
    710.0, 720.0, 1000.0,
    -745.5, -750.0, 1430.0, 1500.0, 1e300, -1e300, np.inf, -np.inf, np.nan,
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
def test_complex_exponentials(dtype: Any) -> None:
    f = tracejit.function(lambda z: np.exp(z), on_unsupported="error")
    with np.errstate(all="ignore"):
        z = np.array([complex(x, y) for x in PARTS for y in PARTS]).astype(dtype)
        expected = np.exp(z)
    for mine, numpys in ((f(z).real, expected.real), (f(z).imag, expected.imag)):
        numbers = ~np.isnan(numpys)
        np.testing.assert_array_equal(np.isnan(mine), ~numbers)
        np.testing.assert_array_equal(np.signbit(mine)[numbers], np.signbit(numpys)[numbers])
        finite = np.isfinite(numpys)
        np.testing.assert_array_equal(mine[~finite & numbers], numpys[~finite & numbers])
        np.testing.assert_array_max_ulp(mine[finite], numpys[finite], 3)


@pytest.mark.parametrize(("dtype", "wide"), [(np.complex128, None), (np.complex64, np.complex128)])
def test_parts_of_complex_exponentials_to_two_units(dtype: Any, wide: Any) -> None:
    rng = np.random.default_rng(3)
    z = (rng.normal(size=4000) * 20 + 1j * rng.normal(size=4000) * 100).astype(dtype)
    z = np.append(z, (1j * rng.uniform(-4, 4, 4000)).astype(dtype))
    result = tracejit.function(lambda z: np.exp(z), on_unsupported="error")(z)
    if wide is None:
        exact = np.array([complex(mpmath.exp(mpmath.mpc(each))) for each in z])
    else:
        exact = np.exp(z.astype(wide))
    for mine, right in ((result.real, exact.real), (result.imag, exact.imag)):
        form = np.finfo(mine.dtype)
        exponent = np.maximum(np.frexp(right)[1], form.minexp + 1)
        units = np.abs(mine.astype(right.dtype) - right) / np.ldexp(1.0, exponent - 1 - form.nmant)
        assert units.max() <= (2.5 if wide is None else 2.0)  # mpmath's numbers are rounded


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
def test_quotients_have_numpys_bits(dtype: Any) -> None:
    divide = tracejit.function(lambda a, b: a / b, on_unsupported="error")
    numbers = [0.0, -0.0, 1.0, -1.0, 3.0, 1e300, -1e-310, np.inf, -np.inf, np.nan]
    rng = np.random.default_rng(4)
    with np.errstate(all="ignore"):
        edge = np.array([complex(x, y) for x in numbers for y in numbers]).astype(dtype)
        plain = (rng.normal(size=4000) + 1j * rng.normal(size=4000)) * 10.0 ** rng.integers(-30, 30)
        for a, b in (
            (np.repeat(edge, edge.size), np.tile(edge, edge.size)),
            (plain.astype(dtype), plain[::-1].astype(dtype)),
        ):
            expected, result = a / b, divide(a, b)
            for mine, numpys in ((result.real, expected.real), (result.imag, expected.imag)):
                np.testing.assert_array_equal(mine, numpys)
                known = ~np.isnan(numpys)
                np.testing.assert_array_equal(np.signbit(mine)[known], np.signbit(numpys)[known])


def test_arithmetic_of_complex_numbers_is_one_loop() -> None:
    f = tracejit.function(lambda z: ((z - 1j) / (z + 1j)) ** 2, on_unsupported="error")
    z = np.array([1 + 2j, -0.5j, 3.0])
    np.testing.assert_allclose(f(z), ((z - 1j) / (z + 1j)) ** 2, rtol=1e-15)
    assert f.stats.loops == 1 and "ufunc" not in f.source(z)
