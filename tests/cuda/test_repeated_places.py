"""Scatters to places that repeat, by all threads of a GPU: what one after the other gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_kernels import DRIVER, on_device, same, sample


def agrees(f: Callable[..., Any], *args: Any, launches: int = 2) -> None:
    copies = [np.copy(a) for a in args]
    want = on_device(f, *copies, device="cpu")
    before = DRIVER.launches
    got = on_device(f, *args)
    assert DRIVER.launches >= before + launches
    if want is not None:
        same(got, want)
    for a, b in zip(args, copies, strict=True):
        same(a, b)
    assert DRIVER.used == 0


def last_stays(x, places, values):
    y = x.copy()
    y[places] = values
    return y


def summed(x, places, values):
    y = x.copy()
    np.add.at(y, places, values)
    return y


def written(x, places, values):
    x[places] = values * 2
    np.maximum.at(x, places, values)


@pytest.mark.parametrize("size", [1, 300, 2000])
@pytest.mark.parametrize("f", [last_stays, summed, written])
def test_sizes(f: Callable[..., Any], size: int) -> None:
    rng = np.random.default_rng(size)
    agrees(f, rng.normal(size=40), rng.integers(-40, 40, size), rng.normal(size=size))


@pytest.mark.parametrize("char", "feDb?")
def test_dtypes(char: str) -> None:
    rng = np.random.default_rng(1)
    x, v = sample(char, rng)[:50], sample(char, rng, 600)
    places = rng.integers(0, 50, 600)
    agrees(last_stays, x, places, v)
    if char != "?":
        agrees(summed, x, places, v)


def test_several_axes() -> None:
    rng = np.random.default_rng(2)
    x, rows, columns = rng.normal(size=(9, 8)), rng.integers(0, 9, 200), rng.integers(0, 8, 200)

    def f(x, rows, columns, v):
        y = x.copy()
        y[rows, columns] = v
        np.add.at(y, (rows, columns), 1.5)
        return y

    agrees(f, x, rows, columns, rng.normal(size=200))
    agrees(f, np.asfortranarray(x), rows, columns, rng.normal(size=200))

    def whole_rows(x, rows, v):
        y = x.copy()
        np.add.at(y, rows, v)
        return y

    agrees(whole_rows, x, rows, rng.normal(size=(200, 8)))


def test_places_that_are_none() -> None:
    x = np.arange(5.0)
    with pytest.raises(IndexError):
        on_device(written, x, np.array([1, 7, 1]), np.ones(3))
    same(x, np.arange(5.0))
    assert DRIVER.used == 0
