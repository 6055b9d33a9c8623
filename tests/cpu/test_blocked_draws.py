"""Draws by blocks, compiled."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.tensor import raw_random


@pytest.mark.parametrize("reverse_first", [False, True])
def test_draws_that_follow_each_other_are_numpys(reverse_first: bool) -> None:
    """The second goes on where the first has stopped, whichever is used first."""
    state, n = raw_random.random_state_type(), T.iscalar()
    after, a = raw_random.uniform(state, (n,))
    _, b = raw_random.uniform(after, (n,))
    outputs = [b[::-1] * 1, a * 2] if reverse_first else [a + b, a * 2]
    f = tracejit.function([state, n], outputs)
    numpys = np.random.RandomState(3)
    first, second = numpys.random_sample(700), numpys.random_sample(700)
    want = [second[::-1] if reverse_first else first + second, first * 2]
    for mine, right in zip(f(np.random.RandomState(3), 700), want, strict=True):
        np.testing.assert_array_equal(mine, right)
    assert f.stats.compiles == 1
