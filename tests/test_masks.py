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
