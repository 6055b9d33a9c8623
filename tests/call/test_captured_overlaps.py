"""Captured arrays, and defaults, which share memory with each other or with arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

A = np.arange(6.0)
B = A[1:]
C = A
M = np.arange(12.0).reshape(3, 4)
ROW = M[1]


def a_slice(x):
    B[0] += x[0]
    return A.sum()


def read_through_a_slice(x):
    A[1] = x[0]
    return B * 2


def twice(x):
    C[0] = 5
    return A * x[0]


def a_row(x):
    M[1, 2] = 9
    ROW[0] = x[1]
    return M.sum(), ROW * 2


def an_argument(x):
    A[1] = 9
    return x * 2


def into_an_argument(x):
    x[0] = 5.0
    return A * 2, B.sum()


def in_a_loop(x):
    for i in range(len(B)):
        B[i] += A[i] + x[0]
    return A.max()


def in_a_closure() -> Callable[..., Any]:
    whole, part = A, A[::2]

    def f(x):
        part[0] = x[0]
        return whole[0] * 2

    return f


def everything() -> tuple[np.ndarray, np.ndarray]:
    return A.copy(), M.copy()


def reset() -> None:
    A[:], M[:] = np.arange(6.0), np.arange(12.0).reshape(3, 4)


CASES: list[tuple[Callable[..., Any], Callable[[], np.ndarray]]] = [
    (a_slice, lambda: np.ones(2)),
    (a_slice, lambda: A[2:]),
    (a_slice, lambda: B),
    (read_through_a_slice, lambda: np.ones(2)),
    (twice, lambda: np.ones(2)),
    (twice, lambda: A),
    (a_row, lambda: np.ones(2)),
    (a_row, lambda: M[:, 1]),
    (an_argument, lambda: A),
    (an_argument, lambda: B),
    (an_argument, lambda: A[1:3]),
    (into_an_argument, lambda: B),
    (into_an_argument, lambda: A[::2]),
    (in_a_loop, lambda: np.ones(2)),
    (in_a_loop, lambda: A[3:]),
    (in_a_closure(), lambda: np.ones(2)),
    (in_a_closure(), lambda: A[-1:]),
]


@pytest.mark.parametrize("f, make", CASES)
def test_captured_arrays_that_share_memory(f: Any, make: Callable[[], np.ndarray]) -> None:
    g = tracejit.function(f, on_unsupported="error")
    for _ in range(2):
        reset()
        found = f(make())
        want = [np.array(v) for v in (found if isinstance(found, tuple) else [found])]
        left = everything()
        reset()
        got = g(make())
        got = list(got) if isinstance(got, tuple) else [got]
        for a, b in zip((*want, *left), (*got, *everything()), strict=True):
            np.testing.assert_array_equal(a, b)
    assert (g.stats.traces, g.stats.fallbacks) == (1, 0)
    reset()


def test_which_arrays_share_memory_is_looked_at_in_each_call() -> None:
    g = tracejit.function(lambda x: (x.fill(3), B[0] + A[0])[1], on_unsupported="error")
    for make in (lambda: np.ones(3), lambda: A[1:3], lambda: A, lambda: np.ones(3), lambda: B[::2]):
        reset()
        make().fill(3)
        want = B[0] + A[0]
        reset()
        assert g(make()) == want
    assert g.stats.fallbacks == 0
    reset()


def test_what_is_captured_may_be_another_array_later() -> None:
    base = np.arange(4.0)
    whole, part = base, base[:2]

    def held(x):
        whole[0] = x
        return part * 2

    g = tracejit.function(held, on_unsupported="error")
    for k, new in enumerate((base[:2], base[:3], np.arange(5.0), base[1:], base)):
        part = new
        base[:] = np.arange(4.0)
        want = held(7.0 + k)
        base[:] = np.arange(4.0)
        np.testing.assert_array_equal(g(7.0 + k), want)
        assert whole[0] == 7 + k
    assert g.stats.fallbacks == 0


@pytest.mark.parametrize("keyword", [False, True])
def test_a_default_is_the_array_that_it_is(keyword: bool) -> None:
    if keyword:

        def f(n, *, buffer=np.zeros(4)):  # noqa: B008
            for i in range(n):
                buffer[i] += 1
            return buffer * 2
    else:

        def f(n, buffer=np.zeros(4)):  # noqa: B008
            buffer[n] += 1
            return buffer * 2

    g = tracejit.function(f, on_unsupported="error")
    [own] = f.__defaults__ or (f.__kwdefaults__ or {}).values()
    expected = np.zeros(4)
    for k in (1, 2, 3, 2):
        expected[(slice(0, k)) if keyword else k] += 1
        np.testing.assert_array_equal(g(k), expected * 2)
        np.testing.assert_array_equal(own, expected)
        given = np.ones(4)
        np.testing.assert_array_equal(g(k, buffer=given), given * 2)
        np.testing.assert_array_equal(own, expected)
    assert g.stats.fallbacks == 0
