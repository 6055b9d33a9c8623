"""Arrays that are only copied: by one call, over the same ranges as loops."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit

X = np.random.default_rng(0).standard_normal((300, 40))


@pytest.mark.parametrize("dtype", ["float64", "float16", "complex64", "bool", "int8"])
@pytest.mark.parametrize("shape", [(0,), (7,), (12_000,), (300, 40), (30, 40, 10)])
def test_copied(shape, dtype):
    f = tracejit.function(lambda x: x.copy())
    x = np.resize(X, shape).astype(dtype)
    got = f(x)
    np.testing.assert_array_equal(got, x)
    assert got.dtype == x.dtype and not np.shares_memory(got, x)
    assert "copy_range(" in f.source(x)


@pytest.mark.parametrize(
    "x",
    [X[::2], X[:, ::-1], X[0, ::3], np.asfortranarray(X), X.T, np.broadcast_to(X[0], (5, 40))],
)
def test_other_layouts(x):
    f = tracejit.function(lambda x: x.copy())
    np.testing.assert_array_equal(f(x), x)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x.copy(), x + 1),
        lambda x: x.astype(np.float32),
        lambda x: x[1:].copy(),
        lambda x: np.concatenate([x, x]),
        lambda x: np.stack([x, x.copy()]),
    ],
)
def test_what_does_more(f):
    g = tracejit.function(f)
    for a, b in zip(g(X), f(X), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nan_is_copied_as_it_is():
    """Bit for bit, of float16 too."""
    for dtype, bits in ((np.float16, np.uint16), (np.float32, np.uint32)):
        x = np.full(5, np.iinfo(bits).max, bits).view(dtype)
        x.view(bits)[:] -= np.arange(5, dtype=bits)
        got = tracejit.function(lambda x: x.copy())(x)
        np.testing.assert_array_equal(got.view(bits), x.view(bits))


def test_parts_of_a_large_one():
    """Several threads copy ranges, and results of 32 MB are stored past the caches."""
    f = tracejit.function(lambda x: x.copy())
    for n in (300_000, 5_000_000):
        x = np.arange(float(n))
        for _ in range(4):
            np.testing.assert_array_equal(f(x), x)
