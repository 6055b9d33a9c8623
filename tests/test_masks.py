"""What masks and repetitions cost: passes and temporaries, with NumPy's values."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit


def test_the_modulus_in_a_mask_is_computed_once():
    """It is needed to count the elements and to find them."""
    f = tracejit.function(lambda c: c[abs(c) < 1])
    c = np.exp(np.linspace(-1, 1, 999)) * (0.6 - 0.8j)
    np.testing.assert_array_equal(f(c), f.__wrapped__(c))
    assert f.source(c).count("= absolute(") == 1


@pytest.mark.parametrize("times", [1, 3, (1, 4), (3, 1), (2, 2), 0, 20])
def test_tile(times):
    """Repeated along one axis a few times, without a temporary."""
    f = tracejit.function(lambda x: np.tile(x, times))
    x = np.arange(12.0).reshape(3, 4)
    for a in (x, np.asfortranarray(x), x[:, ::-2], x[:1], x[0], x > 5, x + 1j):
        with tracejit.config(compile=False):
            np.testing.assert_array_equal(f(a), f.__wrapped__(a))
    if times in (3, (3, 1)):
        np.testing.assert_array_equal(f(x), f.__wrapped__(x))
        assert "flat(" not in f.source(x)


@pytest.mark.parametrize(
    "shape", [(0,), (7,), (512,), (70_000,), (3, 0), (40, 50), (6, 700), (2, 3, 900)]
)
def test_what_is_true_is_counted(shape):
    """In small numbers, by blocks, however it lies in memory; all of it is more than one holds."""
    x = np.random.default_rng(1).random(shape) < 0.9
    axes = (None, *range(x.ndim), (0, -1) if x.ndim > 1 else 0)
    f = tracejit.function(
        lambda x: [(np.count_nonzero(x, a), x.sum(a), (x == 0).sum(a)) for a in axes]
    )
    for y in (x, x[::-1], x[..., ::-2], x.T, np.ones_like(x), x.astype(np.int8) * 3):
        for got, want in zip(f(y), f.__wrapped__(y), strict=True):
            for mine, numpys in zip(got, want, strict=True):
                np.testing.assert_array_equal(mine, numpys)
                assert np.asarray(mine).dtype == np.asarray(numpys).dtype
    g = tracejit.function(lambda x: np.count_nonzero(x))
    assert g(x) == np.count_nonzero(x)
    assert "int16(0)" in g.source(x)


@pytest.mark.parametrize("expression", [
    "np.tile(x, (2, 3))", "np.tile(x, (2, 1, 3))", "np.repeat(x, 3)", "np.repeat(x, 2, axis=0)",
    "np.repeat(x + 1, 3, axis=1)", "np.roll(x, 5)", "np.roll(x, -5)",
    "np.tile(x[:, ::-2], (3, 2))",
])  # fmt: skip
def test_repetitions_are_written_where_they_belong(expression):
    f = tracejit.function(eval(f"lambda x: {expression}", {"np": np}))
    real = np.arange(12.0).reshape(3, 4)
    for x in (real, np.arange(70, dtype="h").reshape(7, 10), np.eye(4) * 1j, real.astype("e")):
        for a in (x, np.asfortranarray(x), x[::-1, ::2]):
            with tracejit.config(compile=False):
                plain = f(a)
            got, want = f(a), f.__wrapped__(a)
            np.testing.assert_array_equal(got, want)
            np.testing.assert_array_equal(plain, want)
            assert got.flags.c_contiguous and got.dtype == want.dtype
    g = tracejit.function(f.__wrapped__)
    g(np.arange(12.0).reshape(3, 4))
    assert g.stats.temporaries == 0


def test_a_repetition_that_is_read_again_is_in_memory():
    def function(x):
        y = np.repeat(np.exp(x), 3)
        return y, y[1:] - y[:-1], np.roll(x, 3)[::-1].copy(), np.tile(y, (2, 2)).sum()

    f = tracejit.function(function)
    for got, want in zip(f(np.arange(9.0)), function(np.arange(9.0)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-14)
