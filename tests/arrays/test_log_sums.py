"""``logaddexp`` along an axis: the logarithm of one sum, whatever the size of the elements."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit
from tracejit.testing import check_grads

RNG = np.random.default_rng(5)
INF, NAN = np.inf, np.nan
ROWS = {
    "one": [1.5],
    "infinite": [INF],
    "nothing": [-INF] * 3,
    "nan": [NAN, 1.0],
    "both": [INF, -INF, 2.0],
    "infinite and nan": [INF, NAN],
    "large": [1e4, 1e4, -1e4],
    "small": [-1e5] * 4,
    "random": RNG.normal(0, 20, 3000),
    "equal": np.full(70, 0.25),
}


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize("ufunc", [np.logaddexp, np.logaddexp2])
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-13), ("float32", 2e-6)])
@pytest.mark.parametrize("name", ROWS)
def test_special_values_and_sizes(name, dtype, rtol, ufunc):
    x = np.array(ROWS[name], dtype)
    f = tracejit.function(lambda x: (ufunc.reduce(x), ufunc.reduce(x[None], axis=1, keepdims=True)))
    exact = ufunc.reduce(x.astype(float))
    for got, want in zip(
        f(x), (ufunc.reduce(x), ufunc.reduce(x[None], 1, keepdims=True)), strict=True
    ):
        assert got.dtype == want.dtype and got.shape == want.shape
        np.testing.assert_allclose(got.ravel(), exact, rtol)


def test_columns_and_loops():
    x = RNG.normal(size=(40, 30))
    f = tracejit.function(lambda x: np.logaddexp.reduce(x, axis=1))
    np.testing.assert_allclose(f(x), np.logaddexp.reduce(x, axis=1), 1e-14)
    assert (f.stats.loops, f.stats.temporaries) == (1, 0)
    g = tracejit.function(lambda x: np.logaddexp.reduce(x))
    np.testing.assert_allclose(g(x), np.logaddexp.reduce(x), 1e-14)


def test_derivatives():
    x = RNG.normal(size=9)
    check_grads(lambda x: np.logaddexp.reduce(x), (x,))
    slopes = tracejit.grad(lambda x: np.logaddexp.reduce(x))(x)
    np.testing.assert_allclose(slopes, np.exp(x) / np.exp(x).sum(), 1e-13)


@pytest.mark.parametrize("ufunc", [np.logaddexp, np.logaddexp2])
@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_of_a_number_and_itself(dtype, ufunc):
    x = np.array([0.0, -0.0, INF, -INF, NAN, 1.5, -3.0, 6e4, *RNG.normal(0, 30, 99)], dtype)
    np.testing.assert_array_equal(tracejit.function(lambda x: ufunc(x, x))(x), ufunc(x, x))
