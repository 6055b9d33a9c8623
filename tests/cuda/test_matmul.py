"""Products of matrices on a GPU, by kernels of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_kernels import DRIVER, on_device, same

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((3, 4), (4, 5)),
    ((70, 65), (65, 130)),
    ((64, 64), (64, 64)),
    ((7, 300), (300,)),
    ((300,), (300, 40)),
    ((2, 3, 9, 20), (2, 3, 20, 17)),
    ((5, 9, 20), (20, 4)),
    ((4, 0), (0, 3)),
    ((0, 4), (4, 3)),
]


def product(x, y):
    return x @ y


def close(got: Any, want: Any) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    if want.dtype.kind in "biu":
        same(got, want)
        return
    wide = got.astype(np.complex128 if want.dtype.kind == "c" else float)
    eps = np.finfo(want.dtype).eps
    np.testing.assert_allclose(wide, want, rtol=300 * eps, atol=300 * eps)


def multiplied(f: Callable[..., Any], *args: Any) -> None:
    before = DRIVER.launches
    got = on_device(f, *args)
    assert DRIVER.launches > before or not args[0].size
    close(got, f(*args))
    close(on_device(f, *args), got)
    np.testing.assert_array_equal(on_device(f, *args), got)  # run to run
    assert DRIVER.used == 0


@pytest.mark.parametrize(("left", "right"), SHAPES, ids=str)
def test_shapes(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    multiplied(product, rng.normal(size=left), rng.normal(size=right))


@pytest.mark.parametrize("char", "fFDilbB?e")
def test_dtypes(char: str) -> None:
    rng = np.random.default_rng(1)
    x, y = (rng.integers(0, 5, shape).astype(char) for shape in ((20, 33), (33, 18)))
    multiplied(product, x, y)
    multiplied(product, x, y[:, 0])
    multiplied(product, x.T, x[:, 3])


def test_views() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 40))
    multiplied(lambda x: x.T[:, 3:] @ x[3:, ::2] @ x[:20, 5:], np.asfortranarray(x[:, :39]))
    multiplied(lambda x: x.T @ x[:, 0] + x[1] @ x.T, x)
    multiplied(lambda x, k: x[k:, :k] @ x[:k, k:], x, 7)


def test_in_programs() -> None:
    """With what is computed before and after in kernels of their own."""
    rng = np.random.default_rng(3)

    def layer(x, w, b):
        return np.tanh(x @ w + b) @ w.T

    multiplied(layer, rng.normal(size=(30, 20)), rng.normal(size=(20, 10)), rng.normal(size=10))
