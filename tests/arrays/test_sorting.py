"""Sorting: NumPy's own sorts, called from compiled programs."""

from __future__ import annotations

import numpy as np
import pytest
from devices import on_cpu

import tracejit

RNG = np.random.default_rng(0)


def sample(char: str, shape: tuple[int, ...] = (7, 13, 40)) -> np.ndarray:
    x = RNG.normal(0, 50, shape)
    if char in "FD":
        x = x + 1j * RNG.integers(-3, 3, shape)
    if char in "efd":
        x[RNG.random(shape) < 0.05] = np.nan
    return x.astype(char)


@pytest.mark.parametrize("char", "?bhilBHILefdFD")
def test_every_dtype_and_kind(char):
    """To the bit, ties included: they are NumPy's own machine code."""

    def f(x):
        return (
            np.sort(x),
            np.sort(x, axis=0, kind="stable"),
            np.argsort(x, 1, kind="mergesort"),
            x.argsort(),
        )

    g = tracejit.function(f, on_unsupported="error")
    x = sample(char)
    wanted = [*f(x)]
    if not on_cpu():  # equal elements stay in order
        wanted[-1] = x.argsort(kind="stable")
    for got, want in zip(g(x), wanted, strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("expression", [
    "np.sort(x, axis=None)", "np.argsort(x, axis=None)", "np.sort(x.T, 0)", "np.sort(x[::2, 1:])",
    "np.sort(x, kind='heapsort')", "np.sort(x, stable=True)", "np.sort(x[:0])",
    "np.sort(x * 2) + 1",
    "np.median(x)", "np.median(x, axis=0)", "np.median(x, axis=(0, 1), keepdims=True)",
    "np.median(x[:, :3], axis=1)", "np.median(np.arange(4))", "np.median(x.astype('f'), axis=1)",
    "np.median(np.where(x > 1, np.nan, x), axis=1)", "np.nanmedian(np.where(x > 1, np.nan, x), 1)",
    "np.nanmedian(np.where(x > 0, np.nan, x), axis=(0, 1), keepdims=True)",
    "np.median(x[:1, :1] * 0 + 1.7e308)",
    "np.sort(x)[:, ::-1][:, :2]", "np.take_along_axis(x, np.argsort(x, 0), 0)",
])  # fmt: skip
def test_expressions(expression):
    scope: dict[str, object] = {"np": np}
    exec(f"def f(x): return {expression}", scope)
    f = scope["f"]
    g = tracejit.function(f, on_unsupported="error")
    x = RNG.normal(size=(5, 4))
    with tracejit.config(compile=False):
        plain = g(x)
    got, want = g(x), f(x)  # type: ignore[operator]
    for result in (plain, got):
        assert type(result) is type(want) and result.dtype == want.dtype
        np.testing.assert_array_equal(result, want)


def rows_of(char: str, n: int) -> dict[str, np.ndarray]:
    """Rows whose middle is found in every way there is."""
    x = sample(char, (n,))
    if char in "efdFD":
        x = np.where(np.isnan(x), x.dtype.type(1), x)
    up = np.sort(x)
    made = {
        "random": x, "rising": up, "falling": up[::-1], "equal": x * 0,
        "few": (x.real > 0).astype(char), "one other": np.where(np.arange(n) == n // 3, x, x[0]),
        "swapped": up[np.r_[n - 1, 1 : n - 1, 0][:n]], "saw": np.resize(up[:: n // 40 + 1], n),
        "waves": up[np.argsort(np.sin(np.arange(n)))], "halves": np.r_[up[::2], up[1::2][::-1]],
    }  # fmt: skip
    if char in "efdFD":
        for name, places in (("one nan", [n // 2]), ("nans", slice(None, None, 3)), ("all", ...)):
            made[name] = x.copy()
            made[name][places] = np.nan
        made["infinite"] = np.where(np.arange(n) % 3, x, x.dtype.type(np.inf))
        made["zeros"] = np.where(np.arange(n) % 2, x * 0, -x * 0)
    return {name: row.astype(char) for name, row in made.items()}


@pytest.mark.filterwarnings("ignore:All-NaN", "ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("char", "?bhilBHILefdFD")
@pytest.mark.parametrize("function", [np.median, np.nanmedian])
def test_middle_of_every_row(function, char):
    """One and several rows, of lengths for every way to search them."""
    one = tracejit.function(lambda x: function(x))
    rows = tracejit.function(lambda x: function(x, axis=1))
    for n in (1, 2, 3, 8, 65, 700, 5_000, 5_001, 40_000):
        made = rows_of(char, n)
        for name, x in made.items():
            got, want = one(x), function(x)
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want, err_msg=f"{name}, {n}")
        x = np.stack(list(made.values()))
        np.testing.assert_array_equal(rows(x), function(x, axis=1))


@pytest.mark.parametrize("layout", [lambda x: x[:, ::-2], lambda x: x.T, lambda x: x[::-1]])
def test_middle_in_other_layouts(layout):
    x = layout(sample("d", (60, 70)))
    for axis in (None, 0, 1, (0, 1)):
        f = tracejit.function(lambda x, axis=axis: (np.median(x, axis), np.nanmedian(x, axis)))
        for got, want in zip(f(x), (np.median(x, axis), np.nanmedian(x, axis)), strict=True):
            np.testing.assert_array_equal(got, want)


def test_middle_needs_no_copy():
    f = tracejit.function(lambda x: np.median(x, axis=1))
    x = RNG.normal(size=(50, 30))
    f(x)
    if on_cpu():
        assert "middle_rows(" in f.source(x)
    if on_cpu():  # the pairs, and their means
        assert (f.stats.loops, f.stats.temporaries) == (1, 1)


@pytest.mark.parametrize("call", [
    lambda x: np.sort(x, axis=2),
    lambda x: np.sort(x, kind="bubble"),
    lambda x: np.sort(x, kind="stable", stable=True),
    lambda x: np.sort(x, order="f"),
    lambda x: np.sort(x.sum()),
    lambda x: np.median(x, axis=(0, 0)),
])  # fmt: skip
def test_numpys_exceptions(call):
    x = np.ones((2, 3))
    with pytest.raises(Exception) as want:
        call(x)
    with pytest.raises(type(want.value)):
        tracejit.function(lambda x: call(x), on_unsupported="error")(x)


def test_one_call_for_all_rows_and_no_copy_of_what_is_contiguous():
    f = tracejit.function(lambda x: np.sort(x), on_unsupported="error")
    x = RNG.normal(size=(50, 30))
    np.testing.assert_array_equal(f(x), np.sort(x))
    if on_cpu():
        assert (f.stats.loops, f.stats.temporaries) == (0, 0)


def test_derivatives_go_back_to_where_the_elements_were():
    x = RNG.normal(size=(3, 4))
    weights = np.arange(12.0).reshape(3, 4)
    g = tracejit.grad(lambda x: (np.sort(x, axis=0) * weights).sum())(x)
    want = np.empty_like(g)
    np.put_along_axis(want, np.argsort(x, axis=0), weights, axis=0)
    np.testing.assert_array_equal(g, want)
    [middle] = np.argwhere(x[0, :3] == np.median(x[0, :3]))[0]
    g = tracejit.grad(lambda v: np.median(v))(x[0, :3].copy())
    assert g.tolist() == [float(k == middle) for k in range(3)]
    holes = np.where(x > 0.3, np.nan, x)
    tracejit.testing.check_grads(lambda x: np.median(x, axis=1).sum(), (x,))
    g = tracejit.grad(lambda v: np.nanmedian(v, axis=1).sum())(holes)
    for row, slopes in zip(holes, g, strict=True):
        close = np.abs(row - np.nanmedian(row))
        assert np.isclose(slopes.sum(), 1) and set(slopes[close > np.nanmin(close) + 1e-9]) <= {0.0}
