"""Products of a matrix and a vector as sums, and loops over rows by blocks of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.cpu.passes.jam import FAR
from tracejit.lower.passes.chunks import TILE

RNG = np.random.default_rng(3)


def logistic(x: Any, w: Any) -> Any:
    return 1 / (1 + np.exp(-(x @ w)))


def gradient(x: Any, y: Any, w: Any) -> Any:
    """A step of logistic regression: both products read the same rows."""
    p = 1 / (1 + np.exp(-(x @ w)))
    r = p - y
    return w - 0.1 * (x.T @ r), (r * r).sum(), p > 0.5


def both_kept(x: Any, w: Any) -> Any:
    """What a row gives is a result, and is used again."""
    z = x @ w
    return z, np.tanh(z), x.T @ np.tanh(z), x.T @ z


def check(function: Any, *args: Any, tolerance: float = 1e-12) -> Any:
    """Compile `function`, compare it with NumPy, and return its statistics."""
    f = tracejit.function(function, on_unsupported="error")
    before = [a.copy() for a in args]
    results, expected = f(*args), function(*args)
    if not isinstance(results, tuple):
        results, expected = (results,), (expected,)
    for a, b in zip(results, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    for a, b in zip(args, before, strict=True):
        np.testing.assert_array_equal(a, b)
    return f


ROW_COUNTS = [2, 3, 4, 5, 15, 16, 17, 401]


@pytest.mark.parametrize("columns", [2, 7, 513, 1100])
def test_rows_of_all_counts(columns: int) -> None:
    """One compilation serves blocks that are full, cut short, and of fewer rows than are jammed."""
    f = tracejit.function(gradient, on_unsupported="error")
    for rows in ROW_COUNTS:
        x, y, w = RNG.standard_normal((rows, columns)), RNG.random(rows), RNG.random(columns)
        for a, b in zip(f(x, y, w), gradient(x, y, w), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)
    assert f.stats.traces == 1


def test_nothing_is_summed_to_zero() -> None:
    f = tracejit.function(gradient, on_unsupported="error")
    f(RNG.random((4, 3)), RNG.random(4), RNG.random(3))
    step, loss, where = f(np.empty((0, 3)), np.empty(0), np.arange(3.0))
    np.testing.assert_array_equal(step, np.arange(3.0))
    assert loss == 0 and where.shape == (0,)
    for a, b in zip(
        f(np.empty((4, 0)), np.ones(4), np.empty(0)),
        gradient(np.empty((4, 0)), np.ones(4), np.empty(0)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_a_product_and_what_follows_are_one_loop() -> None:
    f = check(logistic, RNG.standard_normal((50, 30)), RNG.random(30))
    assert (f.stats.loops, f.stats.passes) == (1, 2)
    assert "matmul" not in f.source(RNG.random((50, 30)), RNG.random(30))


def test_two_products_over_the_same_rows_are_one_loop() -> None:
    x, y, w = RNG.standard_normal((600, 90)), RNG.random(600), RNG.random(90)
    f = check(gradient, x, y, w)
    # One loop over blocks of rows, and one over the weights.
    assert f.stats.loops == 2
    # What a block's rows and columns give; the rest is in registers.
    assert f.stats.temporaries <= 3
    source = f.source(x, y, w)
    assert "matmul" not in source
    assert source.count(f"idiv({TILE}") == 1


def test_results_that_are_used_again() -> None:
    f = check(both_kept, RNG.standard_normal((333, 41)), RNG.random(41))
    assert f.stats.loops == 1


@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed", "transposed"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layouts(layout: str, dtype: str) -> None:
    x = RNG.standard_normal((100, 60)).astype(dtype)
    x = {
        "C": x, "F": np.asfortranarray(x), "strided": np.repeat(x, 2, axis=1)[:, ::2],
        "reversed": x[::-1, ::-1], "transposed": x.T.copy().T,
    }[layout]  # fmt: skip
    y, w = RNG.random(100).astype(dtype), RNG.random(60).astype(dtype)
    check(gradient, x, y, w, tolerance=2e-4 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, v, w: v @ x,
        lambda x, v, w: v @ x @ w,
        lambda x, v, w: x @ (2 * w + 1),
        lambda x, v, w: (x * x) @ w - np.exp(x) @ w,
        lambda x, v, w: (x @ w[:, None], v[None] @ x),
        lambda x, v, w: x[::2] @ w[::-1],
        lambda x, v, w: np.dot(x, w) + v,
        lambda x, v, w: (x @ w).sum() + (v @ x).max(),
        lambda x, v, w: x.T @ (x @ w),
        lambda x, v, w: x.T @ np.where(x @ w > 0, v, -v) + np.exp(x).T @ v,
        lambda x, v, w: (x.T @ np.maximum(x @ w, 0), np.cumsum(x @ w), np.argmax(x @ w)),
        lambda x, v, w: np.sort(x @ w) + (x @ w)[::-1],
        lambda x, v, w: (x @ w)[:, None] * w,
        lambda x, v, w: x.T @ ((x @ w) - (x @ w).mean()),
    ],
)
def test_shapes_of_products(function: Any) -> None:
    x, v, w = RNG.standard_normal((70, 40)), RNG.random(70), RNG.random(40)
    check(function, x, v, w, tolerance=1e-10)


@pytest.mark.parametrize("dtype", ["int64", "complex128", "float16", "bool"])
def test_other_dtypes_are_left_to_numpy_s_loop(dtype: str) -> None:
    x, w = (RNG.random(s).astype(dtype) for s in ((30, 20), 20))
    f = check(lambda x, w: x @ w, x, w, tolerance=1e-2 if dtype == "float16" else 1e-12)
    assert "matmul" in f.source(x, w)


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "int64", "int8", "uint16"])
@pytest.mark.parametrize(
    "function", [lambda x, y: x @ y, np.dot, np.vdot, np.inner, lambda x, y: np.dot(x + y, y * 2)]
)
def test_products_of_two_vectors_are_sums(function: Any, dtype: str) -> None:
    for length in (0, 1, 2, 9, 1000, 20_001):
        x, y = (RNG.integers(-9, 9, length).astype(dtype) for _ in range(2))
        if dtype == "complex128":
            x = x + 1j * y
        f = check(lambda x, y: function(x, y), x, y)
        if length > 1:
            assert "matmul" not in f.source(x, y)
            assert (f.stats.loops, f.stats.temporaries) == (1, 0)


def test_other_products_of_two_vectors() -> None:
    x = RNG.random(40)
    check(lambda x: x[::2] @ x[::-2] + (x @ x) * x, x)
    check(lambda x: (x > 0.5) @ (x < 0.9), x)
    check(lambda x: x.astype("e") @ x.astype("e"), x, tolerance=1e-2)
    check(lambda x: x[None] @ x[:, None], x)


def test_special_values() -> None:
    x = RNG.standard_normal((9, 600))
    x[1, 3], x[2, 599], x[4, 0] = np.inf, np.nan, -np.inf
    w = RNG.random(600)
    f = check(lambda x, w: (x @ w, x.T @ (x @ w)), x, w)
    assert f.stats.fallbacks == 0


def test_memory_that_is_read_elsewhere_in_a_block_is_not_overwritten() -> None:
    """The reversed rows belong to other blocks than the ones that are written."""

    def function(x: Any, v: Any, w: Any) -> Any:
        t = np.tanh(np.exp(np.sin(v)))
        t = np.cumsum(t) / v.shape[0]
        z = x @ w
        return t[::-1] * z + np.exp(z), x.T @ np.sin(z * t[::-1]), np.exp(t) * z

    check(function, RNG.standard_normal((3000, 20)), RNG.random(3000), RNG.random(20))


def test_draws_beside_products() -> None:
    x, w = RNG.standard_normal((5000, 30)), RNG.random(30)

    def function(x: Any, w: Any, rng: Any) -> Any:
        z = x @ w
        return x.T @ (z * rng.random(5000)), np.exp(z)

    f = tracejit.function(function, on_unsupported="error")
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    for _ in range(2):
        for a, b in zip(f(x, w, one), function(x, w, other), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11)


@pytest.mark.parametrize("columns", [3, 61, 1024, 1025])
def test_matrices_from_memory_and_from_the_cache_give_the_same(columns: int) -> None:
    """Rows are taken one by one, or four at a time; in either case by the same additions."""
    rows = FAR // columns + 3
    x, w, v = RNG.standard_normal((rows, columns)), RNG.random(columns), RNG.random(rows)
    f = check(lambda x, w, v: (x @ w, x.sum(axis=0), x.T @ (v - x @ w)), x, w, v, tolerance=1e-9)
    near, far = f(x[:64], w, v[:64])[0], f(x, w, v)[0]
    np.testing.assert_array_equal(near, far[:64])
    assert f.stats.traces == 1


PARTS: dict[str, Any] = {
    "first rows": lambda x: x[:5] @ x[:5].T,
    "first columns": lambda x: x[:, :4].T @ x[:, :4],
    "inner": lambda x: np.inner(x[:3], x[:6]),
    "a corner": lambda x: x[:5, :7].T @ x[:5],
    "part of a transposed one": lambda x: x.T[:4] @ x,
    "with a vector": lambda x: x[:6, :3].T @ x[:6, 0],
    "a row": lambda x: x[:1] @ x[:3].T,
    "some of a result": lambda x: (x + 1)[:5] @ (x + 1)[:5].T,
}


@pytest.mark.parametrize("name", PARTS)
def test_part_of_a_matrix_transposed_is_no_more_than_the_part(name: str) -> None:
    f = tracejit.function(PARTS[name])
    for shape in ((9, 8), (60, 70), (400, 300)):
        for x in (RNG.standard_normal(shape), np.asfortranarray(RNG.standard_normal(shape))):
            np.testing.assert_allclose(f(x), PARTS[name](x), rtol=1e-10, atol=1e-12)
