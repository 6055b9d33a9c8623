"""Small programs that were once wrong: effects in tests of loops, what integers cannot hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from programs.compare import differences, outcome

import tracejit


def assigned_in_the_test(x):
    i = 0
    while (v := x[i]) < 3:
        i += 1
    return v, i


def counted_in_the_test(x, lim):
    k = 0
    while (k := k + 1) < lim:
        if x[k] > 0:
            x[k] = k * 100
    return k


def lowered(x, i):
    x[i] -= 1
    return x[i] > 0


def written_in_the_test(x):
    n = 0
    while lowered(x, 0):
        n += 1
    return n


def raised(x, i):
    x[i] += 1
    return x[i]


def sum_that_writes(x):
    return sum(raised(x, i) for i in range(len(x)))


def all_that_writes(x):
    return all(raised(x, 0) < 100 for i in range(len(x)))


def any_that_writes(x):
    return any(raised(x, i) > 5 for i in range(len(x)))


def max_that_writes(x):
    return max(raised(x, i) for i in range(len(x)))


EFFECTS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (assigned_in_the_test, (np.arange(7.0),)), (counted_in_the_test, (np.ones(50), 5)),
    (counted_in_the_test, (np.ones(50), 40)), (written_in_the_test, (np.array([4.0]),)),
    *((f, (np.arange(float(n)),)) for n in (1, 5, 40)
      for f in (sum_that_writes, all_that_writes, any_that_writes, max_that_writes)),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
@pytest.mark.parametrize("compiling", [False, True], ids=["interpreted", "compiled"])
@pytest.mark.parametrize(("f", "args"), EFFECTS)
def test_effects_happen_once(f: Any, args: Any, compiling: bool) -> None:
    g = tracejit.function(f, on_unsupported="warn")
    with tracejit.config(compile=compiling):
        for _ in range(2):
            ours, theirs = (tuple(np.copy(a) if np.ndim(a) else a for a in args) for _ in range(2))
            assert not differences(outcome(f, theirs), outcome(g, ours), 0)


def put_one(x, v):
    x[0] = v


def put_slice(x, v):
    x[:2] = [v, v]


def put_chosen(x, v):
    x[x >= 0] = [v]


def filled(x, v):
    x.fill(v)


def in_a_loop(x, v):
    for i in range(len(x)):
        x[i] = v


def made(x, v):
    return np.array([v, 1], dtype=x.dtype)


NUMBERS = (2.0, 2.9, float("nan"), float("inf"), 1e300, 300.7, -1.5, 5, 300, -129)


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint64"])
@pytest.mark.parametrize("f", [put_one, put_slice, put_chosen, filled, in_a_loop, made])
def test_what_an_integer_cannot_hold(f: Any, dtype: str) -> None:
    g = tracejit.function(f, on_unsupported="warn")
    with tracejit.config(compile=False):
        for make in (lambda v: v, np.float64, np.float32):
            for number in NUMBERS:
                length = 40 if f is in_a_loop else 4
                ours, theirs = np.zeros(length, dtype), np.zeros(length, dtype)
                if f is put_chosen:
                    ours, theirs = ours[:1], theirs[:1]
                found = differences(
                    outcome(f, (theirs, make(number))), outcome(g, (ours, make(number))), 0
                )
                # What C makes of a float32 that is out of range is the machine's.
                assert not found or make is np.float32, (found, number)


def test_numbers_that_fit_are_compiled() -> None:
    for f in (put_one, put_slice, filled, in_a_loop):
        g = tracejit.function(f)
        for v in (2.5, -3.0, 100.9):
            x, y = np.zeros(40, np.int8), np.zeros(40, np.int8)
            g(x, v)
            f(y, v)
            np.testing.assert_array_equal(x, y)


def test_complex_numbers_of_python_on_the_left() -> None:
    def f(x):
        c = 0j
        for k in range(3):
            c = c * c + x[k]
        return 1j + x[0], 1j * x[1], 2j - x.mean(), c

    g = tracejit.function(f)
    for x in (np.array([0.5, 2.0, 3.0]), np.array([1.0, -0.0, 0.25])):
        for a, b in zip(g(x), f(x), strict=True):
            assert (type(a), repr(a)) == (type(b), repr(b))


def test_elements_written_one_by_one_before_an_inner_loop() -> None:
    """The inner loop reads what they have become: it has not what made them in it."""

    def f(x, v, n):
        a, b = x * 1, v * 1
        for _ in range(n):
            for i in range(1, len(a)):
                a[i - 1] += b[i]
                b[i] = a[i - 1]
            for _ in range(n):
                a[1:-1] += a[2:] + b[:-2]
        return a, b

    rng = np.random.default_rng(1)
    for n, m in ((5, 7), (4, 6), (5, 3)):
        x, v = rng.normal(size=(2, n))
        g = tracejit.function(f)
        for got, want in zip(g(x, v, m), f(x, v, m), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-13)
