"""Scalars made of elements that are overwritten later: kernels do not read what is there then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_kernels import on_device, same

pytest.importorskip("cuda.bindings.nvvm")


def one_element(x: Any) -> Any:
    a = x[0]
    x[0] = x[1] * 2
    return a + x[0]


def swapped(x: Any) -> Any:
    x[0], x[1] = x[1], x[0]
    return x.sum()


def whole_array(x: Any) -> Any:
    a = x[0] + 1
    x[:] = x * a
    return x * a


def sum_of_old_ones(x: Any, n: Any) -> Any:
    total = 0.0
    for k in range(n):
        a = x[k]
        x[k] = x[k - 1] + a
        total += a
    return total


def condition(x: Any) -> Any:
    a = x[0] * 2
    x[0] = 100
    k = 0
    while k < a:
        x[1] += a
        k += 1
    return k, x[1] + a


def branch(x: Any) -> Any:
    a = x[0]
    b = x[1] + a
    x += 1
    if b > 3:
        x *= 2
    return b * x, a


def before_a_loop(x: Any, n: Any) -> Any:
    a, b = x[2], x[1] * 3
    for _ in range(n):
        x[2] = x[2] * 0.5 + a
        x[1] = b - x[1]
    return a, a + x * b


def place(x: Any, i: Any) -> Any:
    a = x[i % 3]
    x[i % 3] = -a
    x += a
    return np.sqrt(a) + x


def reduced(x: Any) -> Any:
    m = x.max()
    s = x[0] - m
    x -= m
    x[0] = 7
    return s * x + m


def flat(x: Any) -> Any:
    total = 0.0
    for v in x.flat:
        x[0] += v
        total += v
    return total


def flat_in_a_loop(x: Any, n: Any) -> Any:
    for k in range(n):
        x.flat[k] = x.flat[k - 1] + k
    return x.flat[n - 1]


PROGRAMS = [
    one_element, swapped, whole_array, sum_of_old_ones, condition, branch, before_a_loop, place,
    reduced, flat, flat_in_a_loop,
]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("layout", [np.copy, lambda x: np.repeat(x, 2)[::-2]])
def test_old_elements(f: Callable[..., Any], layout: Any) -> None:
    numbers = (5,) if f.__code__.co_argcount == 2 else ()
    got, want = (layout(np.linspace(1, 3, 6)) for _ in range(2))
    results, expected = on_device(f, got, *numbers), f(want, *numbers)
    same(got, want)
    each = (r if isinstance(r, tuple) else (r,) for r in (results, expected))
    for a, b in zip(*each, strict=True):
        same(a, b)


def test_old_elements_of_many_steps() -> None:
    x = np.linspace(1, 3, 200)
    got, want = x.copy(), x.copy()
    same(on_device(sum_of_old_ones, got, 200), sum_of_old_ones(want, 200))
    same(got, want)
