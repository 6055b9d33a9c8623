"""Sizes that data tells, on a GPU: masks, positions, what they pick, and loops over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_kernels import DRIVER, on_device, same

SIZES = [0, 1, 300, 5000]


def chosen(x, m):
    return x[m]


def placed(x, m):
    y = x.copy()
    y[m] = np.arange(x.size, dtype=x.dtype)[m] + 1
    return y


def numbered(x, m):
    y = x.copy()
    y[m] = 7
    return y


def used(x, m):
    y = x[m]
    return np.exp(y) + 1, y.size, y.max(initial=0)


def counted(x, m):
    return m.sum(), np.count_nonzero(x > 0), np.flatnonzero(x > 0)


def twice(x, m):
    y = x[m]
    return y[y > 0] * 2, np.nonzero(m)


FUNCTIONS = [chosen, placed, numbered, used, counted, twice]


def compare(f: Callable[..., Any], *args: Any) -> None:
    before = DRIVER.launches
    got, want = on_device(f, *args), on_device(f, *args, device="cpu")
    assert got is not None and (DRIVER.launches > before or not args[0].size)
    flat = [(got, want)]
    while flat:
        a, b = flat.pop()
        if isinstance(b, tuple):
            flat += zip(a, b, strict=True)
        else:
            same(a, b)
    assert DRIVER.used == 0


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("size", SIZES)
def test_masks(f: Callable[..., Any], size: int) -> None:
    rng = np.random.default_rng(size)
    x = rng.normal(size=size)
    compare(f, x, rng.random(size) < 0.3)


@pytest.mark.parametrize("char", "fdDieh?")
def test_dtypes(char: str) -> None:
    rng = np.random.default_rng(1)
    x = (10 * rng.normal(size=700)).astype(char)
    m = rng.random(700) < 0.5
    compare(lambda x, m: (x[m], np.compress(m, x)), x, m)

    def written(x, m, v):
        y = x.copy()
        y[m] = v
        return y

    compare(written, x, m, x[: m.sum()])
    compare(written, x, m, x[3])


def test_several_axes() -> None:
    rng = np.random.default_rng(2)
    x, m = rng.normal(size=(30, 50, 4)), rng.random((30, 50)) < 0.2

    def f(x, m):
        y = x.copy()
        y[m] = 0
        z = x.copy()
        z[m] = x[m][:, ::-1]
        return x[m], y, z, np.nonzero(m), np.argwhere(x > 1), x[x > 1]

    compare(f, x, m)


def test_arrays_with_gaps() -> None:
    """They are read, and written, where they lie."""
    rng = np.random.default_rng(4)
    x, m = rng.normal(size=900), rng.random(900) < 0.4
    for a, b in ((x[::2], m[:450]), (x[::-1], m), (x[:300], m[::3]), (x[::-3], m[::3])):
        compare(lambda x, m: (x[m], x[5:][m[5:]], np.nonzero(m)), a, b)
        before = a.copy()

        def write(x, m, v):
            x[m] = v

        for v in (x[: b.sum()] + 1, 7.5):
            y = np.repeat(before, 2)[::2]
            on_device(write, y, b, v)
            want = before.copy()
            want[b] = v
            same(y, want)


def test_put_again() -> None:
    x, m = np.arange(20.0), np.arange(20) % 3 == 0

    def f(x, m, v):
        y = x.copy()
        np.place(y, m, v)
        return y

    compare(f, x, m, np.array([1.0, 2.0, 3.0]))


def test_in_loops() -> None:
    def f(x, steps):
        total = 0
        for k in range(steps):
            y = x[x > k]
            total += y.size
        return total

    compare(f, np.arange(40) % 9, 5)


def test_written_into_arguments() -> None:
    def f(x, m):
        x[m] *= 2
        x[x > 5] = 0
        return x.sum(dtype=np.int64)

    x, m = np.arange(30), np.arange(30) % 2 == 0
    y = x.copy()
    assert on_device(f, x, m) == on_device(f, y, m, device="cpu")
    same(x, y)


def test_wrong_lengths() -> None:
    def f(x, m, v):
        y = x.copy()
        y[m] = v
        return y

    with pytest.raises(ValueError):
        on_device(f, np.arange(9.0), np.arange(9) < 4, np.arange(3.0))
    assert DRIVER.used == 0
