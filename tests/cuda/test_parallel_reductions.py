"""Reductions in any order, and running ones, by all threads of a GPU: the CPU's bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_kernels import DRIVER, on_device, same, sample

import tracejit
from tracejit.theano.flags import change_flags


def agrees(f: Callable[..., Any], *args: Any, launches: int = 2) -> None:
    want = on_device(f, *args, device="cpu")
    before = DRIVER.launches
    got = on_device(f, *args)
    assert got is not None and DRIVER.launches >= before + launches
    several = isinstance(want, tuple)
    for a, b in zip(got, want, strict=True) if several else [(got, want)]:
        same(a, b)
    assert DRIVER.used == 0


def whole(x):
    return x.sum(dtype=np.int64), x.max(), np.argmin(x), x.any()


@pytest.mark.parametrize("size", [1, 257, 9000])
def test_sizes(size: int) -> None:
    agrees(whole, np.random.default_rng(size).integers(-50, 50, size))


@pytest.mark.parametrize("char", "Bq?")
def test_integers(char: str) -> None:
    def f(x):
        return x.sum(), x.prod(), x.min(), np.argmax(x), x.any(), x.all()

    agrees(f, sample(char, np.random.default_rng(0), 2000))


@pytest.mark.parametrize("char", "de")
def test_floats(char: str) -> None:
    """Zeros with signs aside, of which the CPU takes the one that it comes to."""
    rng = np.random.default_rng(1)
    x = sample(char, rng, 3000)
    x[x == 0] = 1

    def f(x):
        return x.max(), np.nanmax(x), np.nanmin(x), np.argmax(x), np.argmin(x), (x > 0).sum()

    agrees(f, x)
    agrees(f, x[np.isfinite(x)])
    agrees(f, np.full(700, -np.inf, char))


def test_complex_positions() -> None:
    z = sample("D", np.random.default_rng(2), 900)

    def f(z):
        return np.argmax(z), np.argmin(z)

    agrees(f, z)
    agrees(f, np.round(z[np.isfinite(z)]))


@pytest.mark.parametrize("place", [0, 255, 3999])
def test_first_of_equal_ones(place: int) -> None:
    def f(x):
        return np.argmax(x), np.argmin(-x)

    x = np.zeros(4000)
    x[place::17] = 1
    agrees(f, x)
    x[place::19] = np.nan
    agrees(f, x)


def test_layouts() -> None:
    x = np.random.default_rng(3).integers(-9, 9, (40, 30, 20))
    for y in (x[::2, :, ::3], np.asfortranarray(x)):
        agrees(lambda x: (x.sum(), (x * x + 1).max(), np.argmax(x)), y)


def test_with_results_of_their_own() -> None:
    """What is computed in the same loop is stored; what reads the whole comes after."""

    def f(x, y):
        z = x * y + 1
        return z, z.max(), z - z.min(), (z > 3).sum()

    rng = np.random.default_rng(4)
    agrees(f, rng.normal(size=1500), rng.normal(size=1500))


def test_positions_that_are_looked_up() -> None:
    """What NumPy would raise is told by the threads that meet it."""

    def f(x, places):
        return x[places].max()

    agrees(f, np.arange(50), np.arange(1200) % 50)
    with pytest.raises(IndexError):
        on_device(f, np.arange(50), np.arange(1200) % 51)


def test_in_loops() -> None:
    def f(x, steps):
        for _ in range(steps):
            x = np.where(x == x.max(), 0, x)
        return x, x.sum()

    agrees(f, np.arange(2000) % 100, 5)


@pytest.mark.parametrize("size", [1, 7, 300, 5000])
def test_running_sums(size: int) -> None:
    """Of 2048 elements a block goes through one tile; the tiles of 5000 are put together."""

    def f(x):
        y = x * 2
        return np.cumsum(x), np.cumprod(y), np.maximum.accumulate(x), y

    agrees(f, np.random.default_rng(size).integers(-9, 9, size), launches=5)


@pytest.mark.parametrize("char", "bQ?")
def test_running_dtypes(char: str) -> None:
    x = sample(char, np.random.default_rng(5), 2500)
    agrees(lambda x: (np.cumsum(x), np.minimum.accumulate(x)), x)


@pytest.mark.parametrize("size", [0, 1, 7, 256, 257, 700])
def test_running_sums_that_round(size: int) -> None:
    """A block's threads compute what one of them adds up, in order."""
    x = np.random.default_rng(size).normal(size=size)

    def f(x):
        y = np.cumsum(np.exp(x))
        return y * 2, np.cumsum(y + x), np.cumprod(x), x - 1

    agrees(f, x, launches=1 if size else 0)
    agrees(lambda x: np.cumsum(x[::-1]), x, launches=0)


@pytest.mark.parametrize("char", "defFD")
def test_running_dtypes_that_round(char: str) -> None:
    x = sample(char, np.random.default_rng(9), 600)
    x[0] = -0.0
    if char in "FD":
        x = np.where(np.isfinite(x), x, 1).astype(char)
    agrees(lambda x: np.cumsum(x), x, launches=1)
    agrees(lambda x: np.cumprod(x), np.where(abs(x) < 2, x, 1).astype(char), launches=1)
    if char not in "FD":
        agrees(lambda x: (np.maximum.accumulate(x), np.fmin.accumulate(x)), x, launches=1)


def test_running_sums_of_running_sums() -> None:
    x = np.arange(5000) % 7
    agrees(lambda x: np.cumsum(np.cumsum(x)), x, launches=1)
    agrees(lambda x: np.cumsum(np.cumsum(x) * 2 + x), x, launches=1)
    agrees(lambda x: np.cumsum(np.cumsum(x[:600] * 0.1)), x, launches=1)


def test_running_sums_in_place_and_checked() -> None:
    def f(x, places):
        np.cumsum(x, out=x)
        return np.cumsum(x[places])

    x, places = np.random.default_rng(4).normal(size=300), np.arange(300)[::-1]
    mine = x.copy()
    got, want = on_device(f, mine, places.copy()), f(x, places)
    same(got, want)
    same(mine, x)
    with pytest.raises(IndexError):
        on_device(f, mine, places + 1)
    same(mine, np.cumsum(x))


def test_running_sums_that_round_are_in_order() -> None:
    """One after the other: another order has other bits. Lines are each a thread's."""
    x = np.random.default_rng(6).normal(size=(50, 30))
    agrees(lambda x: (np.cumsum(x[0]), np.cumsum(x, axis=1), np.cumprod(x, axis=0)), x)


def test_lines_are_shared_along_any_axis() -> None:
    x = np.random.default_rng(7).normal(size=(6, 40, 9))

    def running(axis: int) -> Callable[..., Any]:
        return lambda x: (np.cumsum(x, axis=axis), np.cumprod(x + 1, axis=axis), x * 2)

    for axis in range(3):
        agrees(running(axis), x, launches=1)
        with change_flags(device="fake"):
            text = tracejit.function(running(axis)).source(x)
        assert "over_y" in text, "two axes are the grid's"


def test_rows() -> None:
    """A team of threads takes a row."""
    x = np.random.default_rng(8).integers(-99, 99, (30, 500))

    def f(x):
        return x.sum(axis=1), x.max(axis=1), (x > 5).any(axis=1), (x * 2).min(axis=1)

    agrees(f, x, launches=1)
    agrees(f, x[:, ::-3], launches=1)
    with change_flags(device="fake"):
        assert "teams(" in tracejit.function(f).source(x)


def test_rows_of_floats() -> None:
    x = sample("d", np.random.default_rng(9), 3000).reshape(20, 150)
    x[x == 0] = 1
    agrees(lambda x: (x.max(axis=1), np.argmax(x, axis=1)), x, launches=1)
    agrees(lambda x: (x - x.min(axis=1)[:, None], np.nanmax(x, axis=1)), x, launches=1)


@pytest.mark.parametrize("char", "deDB")
def test_places_of_extremes_of_rows(char: str) -> None:
    """A team of threads takes a row; of equal ones, the first place counts, and of NaN."""
    x = sample(char, np.random.default_rng(10), 6 * 70).reshape(6, 70)
    if char in "dfeFD":
        x[1, 5:7] = np.nan
        x[2] = 0
        x[2, 3] = -0.0
        x[3] = -np.inf
    if char in "FD":
        x[4] = np.array([1 + 2j, 1 + 3j, np.inf - 1j, complex(np.inf, np.nan), 1 + 3j] * 14)
        x[5, ::2], x[5, 1::2] = 2 - 1j, complex(2, -np.inf)
    f = lambda x: (np.argmax(x, axis=1), np.argmin(x, axis=-1), x.argmax(axis=0))  # noqa: E731
    agrees(f, x)
    agrees(f, x.T, launches=1)
    with change_flags(device="fake"):
        text = tracejit.function(lambda x: np.argmax(x, axis=1)).source(x)
    assert "in teams(" in text or char == "e"


def test_complex_extremes() -> None:
    x = sample("D", np.random.default_rng(11), 900).reshape(3, 300)
    x[1] = np.where(np.isnan(x[1]), 1 + 1j, x[1])
    x[2, 4:6] = complex(1, np.nan), complex(np.nan, 2)

    def f(x):
        return x.max(axis=1), x.min(axis=1), x[1].max(), x[2].min(), x.max(), x[1:2].min()

    agrees(f, x)
    agrees(lambda x: (x.max(axis=0), x.max(), x.min(axis=1)), x.T)
    agrees(lambda x: (x * 2).max(initial=0), x[1])
