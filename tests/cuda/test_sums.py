"""Sums, products and rows on a GPU: by teams of threads, with the CPU's bits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake import downloaded
from test_kernels import DRIVER, on_device, same

import tracejit
from tracejit.theano.flags import change_flags

R = np.random.default_rng(7)
X = R.normal(size=1000)
M = R.normal(size=(37, 50))


def both(f: Callable[..., Any], *args: Any) -> None:
    """`f` gives the same bits on both, and leaves the same in its arguments."""
    ours, theirs = ([np.array(a) for a in args] for _ in range(2))
    want = on_device(f, *ours, device="cpu")
    launches = DRIVER.launches
    with change_flags(device="fake"):
        got = downloaded(tracejit.function(f, on_unsupported="error")(*theirs))
    assert DRIVER.launches > launches and DRIVER.used == 0
    several = isinstance(want, tuple)
    for a, b in zip(got if several else [got], want if several else [want], strict=True):
        same(a, b)
    for a, b in zip(theirs, ours, strict=True):
        same(a, b)


def softmax(m):
    e = np.exp(m - m.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def normalised(m):
    return (m - m.mean(1, keepdims=True)) / np.sqrt(m.var(1, keepdims=True) + 1e-5)


def logsumexp(m):
    a = m.max(1)
    return a + np.log(np.exp(m - a[:, None]).sum(1))


def regression(x, y, w):
    p = 1 / (1 + np.exp(-(x @ w)))
    loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    return loss, ((p - y)[:, None] * x).sum(0) / len(x)


def distances(a, b):
    return np.sqrt(((a[:, None] - b) ** 2).sum(-1))


def accumulated(x):
    s = 0.0
    for k in range(5):
        s += (x * k).sum()
        x[k] = s
    return s


def several(x):
    return x.sum(), (x * x).sum(), x.max(), x.min(), (x > 0).sum(), np.any(x > 3), np.all(x < 9)


def of_all_axes(m):
    return m.sum((0, 2)), m.sum(1), m.sum((1, 2)), m.sum(), m.sum(0), m.prod((0, 2))


def chosen(x):
    return np.where(x > 0, x, 0).sum() / (x > 0).sum(), np.nansum(x), x.std(), np.ptp(x)


PROGRAMS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (softmax, (M,)),
    (softmax, (M.astype("f"),)),
    (normalised, (M,)),
    (normalised, (M.astype("f"),)),
    (logsumexp, (R.normal(size=(100, 10)),)),
    (regression, (R.normal(size=(300, 40)), (R.random(300) < 0.5) * 1.0, R.normal(size=40))),
    (distances, (R.normal(size=(30, 17)), R.normal(size=(20, 17)))),
    (accumulated, (X,)),
    (several, (X,)),
    (several, (R.normal(size=20_000).astype("f"),)),
    (of_all_axes, (1 + R.normal(size=(7, 30, 50)) / 100,)),
    (chosen, (X,)),
]


@pytest.mark.parametrize("f, args", PROGRAMS, ids=lambda v: getattr(v, "__name__", ""))
def test_programs(f: Callable[..., Any], args: tuple[Any, ...]) -> None:
    both(f, *args)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "complex128", "complex64"])
@pytest.mark.parametrize("functions", [False, True], ids=["plain", "functions"])
def test_lengths(dtype: str, functions: bool) -> None:
    def f(x):
        return (np.exp(x) if functions else x).sum()

    for n in (0, 1, 3, 15, 16, 17, 33, 100, 511, 512, 529, 1100, 8192, 9000):
        x = R.normal(size=n)
        both(f, (x + 1j * x[::-1] if dtype.startswith("c") else x).astype(dtype))


@pytest.mark.parametrize("shape", [(3, 700), (100, 3), (1, 40), (40, 1), (0, 5), (5, 0)])
def test_rows_and_columns(shape: tuple[int, int]) -> None:
    m = R.normal(size=shape)
    for x in (m, np.asfortranarray(m), m.astype("f")):
        both(lambda x: (x.sum(0), x.sum(1), (x + 1).prod(1), np.abs(x).sum()), x)


def test_chunks() -> None:
    """More than a chunk: a kernel leaves what each gives, and others combine it."""
    m = R.normal(size=(900, 20))
    both(lambda m: (m.sum(), m.sum(0), (m * m).sum(1), m.max(0), (m > 0).sum(0)), m)
    names = tracejit.cuda.ptx(lambda x: np.exp(x).sum(), np.ones(20_000))
    assert len(names) == 2


def test_gradients() -> None:
    both(lambda x: np.sum(x), X)
    gradient = tracejit.grad(lambda x: np.log(np.exp(x).sum()))
    with change_flags(device="fake"):
        got = gradient(X)
    same(got, gradient(X))


def test_what_a_team_does_in_ptx() -> None:
    [rows] = tracejit.cuda.ptx(softmax, M).values()
    assert "shfl.sync.bfly" in rows and "bar.warp.sync" in rows
    assert not re.search(r"\.local|\.approx|\.ftz", rows)
    dot = "".join(tracejit.cuda.ptx(lambda x, y: (x * y).sum(), X, X).values())
    assert "fma.rn.f64" in dot  # as on a CPU


def test_a_sum_over_rows_of_sums() -> None:
    """What each row gives is a thread's partial result in its turn: nothing is kept in memory."""

    def rows(s, b, y):
        e = np.exp(s + b)
        p = e / e.sum(axis=1, keepdims=True)
        return -(y * np.log(p)).sum(axis=1).mean(), (p - y).sum(0), np.log(p.max(1)).sum()

    for n in (5, 40, 700):
        s, b, y = R.normal(size=(n, 10)), R.normal(size=10), R.normal(size=(n, 10))
        both(rows, s, b, y)
        both(rows, s.astype("f"), b.astype("f"), y.astype("f"))
    found = tracejit.cuda.ptx(rows, s, b, y)
    assert not any(".local" in text for text in found.values())
