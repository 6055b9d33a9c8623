"""``x.flat`` and ``x.view()``: the elements of the array itself, in whatever order they lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.errors import UnsupportedError


def put_one(x):
    x.flat[2] = 9
    x.flat[-1] += 1
    return x.flat[3] * 2, len(x.flat)


def put_several(x):
    x.flat[1:4] = [7, 8]
    x.flat[[0, 0]] = 1.5
    return x.flat[::2], x.flat[:3] * 2


def by_a_mask(x):
    x.flat[x.reshape(-1) > 3] = 0
    return x.flat[np.array([5, 0])]


def gone_through(x):
    total = 0.0
    for v in x.flat:
        x[0, 0] += v
        total += v
    return total, sum(v * 2 for v in x.flat)


def in_a_loop(x, n):
    for k in range(n):
        x.flat[k] = x.flat[k - 1] + k
    return x.flat[n - 1]


def kept(x):
    it = x.flat
    x[0, 1] = 50
    it[3] = 4
    return it[1] + it[3]


def through_a_view(x):
    y = x.view()
    y[0] = 3
    x[1] += 1
    return y, y.view(x.dtype)[1] * 2


LAYOUTS: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda x: x.copy(),
    np.asfortranarray,
    lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    lambda x: x.T.copy().T[:, ::-1],
]


def agrees(f: Callable[..., Any], *args: Any) -> None:
    g = tracejit.function(f, on_unsupported="error")
    for lay in LAYOUTS:
        x, y = lay(np.arange(6.0).reshape(2, 3)), lay(np.arange(6.0).reshape(2, 3))
        want, got = f(x, *args), g(y, *args)
        np.testing.assert_array_equal(x, y)
        wants, gots = (v if isinstance(v, tuple) else (v,) for v in (want, got))
        for a, b in zip(wants, gots, strict=True):
            assert type(a) is type(b)
            np.testing.assert_array_equal(a, b)
            assert np.shares_memory(a, x) == np.shares_memory(b, y)
    assert g.stats.fallbacks == 0


@pytest.mark.parametrize("f", [put_one, put_several, by_a_mask, gone_through, kept, through_a_view])
def test_flat(f: Callable[..., Any]) -> None:
    agrees(f)


def test_flat_in_a_loop() -> None:
    agrees(in_a_loop, 5)


REFUSED = [
    lambda x: x.flat,
    lambda x: x.flat.copy(),
    lambda x: x.flat == 1,
    lambda x: x.flat > 1,
    lambda x: x.flat.__setitem__(0, [1, 2]),
    lambda x: x.view(np.int32),
]


@pytest.mark.parametrize("f", REFUSED)
def test_what_is_refused(f: Callable[..., Any]) -> None:
    x = np.arange(6.0).reshape(2, 3)
    with pytest.raises(UnsupportedError):
        tracejit.function(f, on_unsupported="error")(x)
    np.testing.assert_array_equal(x, np.arange(6.0).reshape(2, 3))


def test_an_index_out_of_bounds() -> None:
    def f(x, k):
        x.flat[k] = 1

    with pytest.raises(IndexError):
        tracejit.function(f, on_unsupported="error")(np.zeros((2, 3)), 6)
