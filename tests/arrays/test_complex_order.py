"""Complex numbers in NumPy's order: comparisons, extremes and their positions, inside the loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tracejit

PARTS = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan)
VALUES = np.array([complex(a, b) for a, b in itertools.product(PARTS, PARTS)])
PAIRS = np.array(list(itertools.product(VALUES, VALUES))).T


def _bits(x):
    """The bits of an array, with one NaN for all."""
    x = np.atleast_1d(x)
    if x.dtype.kind == "c":
        x = x.view(x.real.dtype)
    return np.where(np.isnan(x), np.nan, x).tobytes() if x.dtype.kind == "f" else x.tobytes()


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
def test_every_pair_of_special_values(dtype):
    """Comparisons and extremes of two, to the bit, and no loop of NumPy's is called for them."""
    x, y = PAIRS.astype(dtype)

    @tracejit.function
    def f(x, y):
        compared = x < y, x <= y, x > y, x >= y, x == y, x != y
        return *compared, np.maximum(x, y), np.minimum(x, y), np.fmax(x, y), np.fmin(x, y)

    with np.errstate(invalid="ignore"):
        expected = f.__wrapped__(x, y)
    for made, wanted in zip(f(x, y), expected, strict=True):
        assert made.dtype == wanted.dtype
        assert _bits(made) == _bits(wanted)
    assert "ufunc_loop" not in f.source(x, y)
    assert "ufunc_over" not in f.source(x, y)


def _reductions(x):
    found = []
    for axis in (None, 0, 1):
        found += [np.max(x, axis), np.min(x, axis), np.argmax(x, axis), np.argmin(x, axis)]
    return *found, np.fmax.reduce(x.ravel()), np.fmin.reduce(x.ravel())


_compiled = tracejit.function(_reductions)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_extremes_of_arrays(order, threads):
    """First positions, equal numbers, signed zeros and NaN in either part."""
    rng = np.random.default_rng(5)
    plain = rng.choice(VALUES[~np.isnan(VALUES)], (40, 30))
    wide = rng.standard_normal((300, 70)) + 1j * rng.standard_normal((300, 70))
    equal = np.full((9, 31), -0.0 + 1j)
    holes = plain.copy()
    holes[rng.random(holes.shape) < 0.02] = complex(1, np.nan)
    for x in (plain, wide, equal, np.sort(wide), holes, rng.choice(VALUES, (13, 17))):
        given = {"C": x, "F": np.asfortranarray(x), "strided": np.repeat(x, 2, 1)[:, ::2]}[order]
        with tracejit.config(threads=threads), np.errstate(invalid="ignore"):
            for made, wanted in zip(_compiled(given), _reductions(given), strict=True):
                np.testing.assert_array_equal(made, wanted)


def test_extremes_of_what_is_computed():
    """A complex extreme is found in the loop that computes its operand."""

    @tracejit.function
    def f(x):
        return np.max(x * x + 1), np.argmin(x * 1j)

    x = np.exp(1j * np.arange(1000.0))
    np.testing.assert_array_equal(f(x), f.__wrapped__(x))
    assert "ufunc_loop" not in f.source(x)
