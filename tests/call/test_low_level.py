"""Compiled functions as C functions, which SciPy calls by pointer."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import integrate, ndimage

import tracejit
from tracejit import UnsupportedError

FACTOR = np.arange(3.0)


def gauss(x: Any) -> Any:
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def halvings(x: Any) -> Any:
    n = 0
    while x > 0.01:
        x, n = x * 0.5, n + 1
    return n + x


def twisted(x: Any, y: Any) -> Any:
    return np.sin(x * y) + x


def spread(window: Any) -> Any:
    return (window * window).mean() - window.mean() ** 2


def test_a_function_of_one_number() -> None:
    c = tracejit.function(gauss).low_level()
    assert c.signature == "double (double)"
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(c.address)(0.3) == c.ctypes(0.3)
    for x in (0.0, -0.0, 1.5, -40.0, math.inf, math.nan):
        np.testing.assert_allclose(c.ctypes(x), gauss(x), rtol=1e-14)
    found, _ = integrate.quad(c.callable, -8, 8)
    assert found == pytest.approx(1, rel=1e-12)


def test_data_is_not_looked_at() -> None:
    c = tracejit.function(halvings).low_level("double (double, void *)")
    assert [c.ctypes(x, None) for x in (7.0, 0.001)] == [halvings(7.0), halvings(0.001)]


def test_several_numbers() -> None:
    c = tracejit.function(twisted).low_level("double (int, double *)")
    two = (ctypes.c_double * 2)(0.5, 3.0)
    assert c.ctypes(2, two) == pytest.approx(twisted(0.5, 3.0), rel=1e-15)
    assert math.isnan(c.ctypes(3, two))
    limits = [(0, 1), (0, 2)]
    got, want = integrate.nquad(c.callable, limits), integrate.nquad(twisted, limits)
    assert got[0] == pytest.approx(want[0], rel=1e-12)


@pytest.mark.parametrize("shape", [3, (1, 2)])
def test_a_window(shape: Any) -> None:
    image = np.random.default_rng(0).random((12, 17))
    size = int(np.prod(np.broadcast_to(shape, 2)))
    c = tracejit.function(spread).low_level("int (double *, npy_intp, double *, void *)", size=size)
    got = ndimage.generic_filter(image, c.callable, shape)
    np.testing.assert_allclose(got, ndimage.generic_filter(image, spread, shape), atol=1e-15)
    out, window = ctypes.c_double(), (ctypes.c_double * 1)(1.0)
    assert c.ctypes(window, 1, ctypes.byref(out), None) == 0


@pytest.mark.parametrize(
    ("f", "signature", "size", "error", "text"),
    [
        (gauss, "float (float)", None, ValueError, "signature must be one of"),
        (twisted, "double (double)", None, ValueError, "more than the one argument"),
        (spread, "int (double *, npy_intp, double *, void *)", None, ValueError, "size"),
        (lambda x: x * np.ones(3), "double (double)", None, UnsupportedError, "one float64"),
        (lambda x: 1, "double (double)", None, UnsupportedError, "no C function"),
        (lambda x: (x, x + 1), "double (double)", None, UnsupportedError, "no C function"),
        (lambda x: FACTOR[0] * x, "double (double)", None, UnsupportedError, "outside"),
        (lambda x: print(x), "double (double)", None, UnsupportedError, "print"),
    ],
)
def test_what_is_no_c_function_says_why(
    f: Callable[..., Any], signature: str, size: int | None, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        tracejit.function(f).low_level(signature, size=size)
