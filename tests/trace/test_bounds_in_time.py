"""Indices that only values tell are tested before anything is read or written there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

FAR = 1 << 50


def into_rows(a: Any, p: Any) -> Any:
    b = a.copy()
    b[int(p[0])] = 7.0
    rows = b[::2]
    rows[int(p[0])] += 1
    return b


def from_a_row(a: Any, p: Any) -> Any:
    return a[int(p[0]), :] * 2 + a[int(p[1]), 0]


def where_a_test_allows(a: Any, p: Any) -> Any:
    k = int(p[0])
    b = np.zeros(len(a))
    if 0 <= k < len(a):
        b[k] = a[k, 0]
        return "inside", b
    return None


def where_a_test_of_a_sum_allows(a: Any, p: Any) -> Any:
    k = np.argmax(a[:, 0]) + p.sum()
    if -len(a) <= k < len(a):
        return a[k] + 1, a[: int(k)].sum()
    return "outside"


WAYS: list[Callable[[Any, Any], Any]] = [
    into_rows, from_a_row, where_a_test_allows, where_a_test_of_a_sum_allows,
]  # fmt: skip


def outcome(f: Callable[..., Any], *args: Any) -> Any:
    try:
        return f(*args)
    except IndexError as error:
        return str(error)


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize("way", WAYS, ids=lambda f: f.__name__)
def test_places_far_outside_are_not_touched(way: Callable[..., Any], dtype: Any) -> None:
    """Were they, the process would end."""
    f = tracejit.function(way)
    a = np.arange(20.0).reshape(5, 4)
    far = min(FAR, np.iinfo(dtype).max // 2)
    with tracejit.config(compile=True, budget=0):
        for k in (1, 2, -1, 4, 5, far, -far, 0, far, -5, -6):
            p = np.array([k, 0], dtype)
            ours, theirs = outcome(f, a.copy(), p), outcome(way, a.copy(), p)
            for x, y in zip(*map(_parts, (ours, theirs)), strict=True):
                np.testing.assert_array_equal(x, y)
    assert f.stats.fallbacks == 0


def _parts(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def test_what_is_decided_is_tested_first() -> None:
    """Before the array is filled, and before anything is put into it."""
    f = tracejit.function(where_a_test_allows, on_unsupported="error")
    with tracejit.config(compile=True, budget=0):
        text = f.source(np.ones((5, 4)), np.array([2, 0]))
    first = text.index("for ")
    assert (
        len(re.findall(r"^ +return 1$", text[:first], re.MULTILINE)) == 2
    )  # sizes; what is decided


def test_a_number_that_a_loop_has_counted_is_tested_when_it_is_there() -> None:
    """What the loop gives is no size of an argument's, and so no condition for the program."""

    def below(x: Any, y: Any, k: int) -> Any:
        y = y.copy()
        for _ in x:
            k -= 1
        y[y < x[k]] -= x[3]
        return y, np.zeros(-k)

    f = tracejit.function(below)
    with tracejit.config(compile=True, budget=0):
        for n in range(6, 10):
            x = np.arange(float(n))
            for a, b in zip(f(x, x, n - 6), below(x, x, n - 6), strict=True):
                np.testing.assert_array_equal(a, b)
        with pytest.raises(IndexError):
            f(x, x, 30)
    assert f.stats.fallbacks == 0


def test_what_is_decided_is_read_when_all_of_it_is_written() -> None:
    """An array is filled first, and then changed: of two items the second is the last."""

    def first_of_many(n: int) -> Any:
        q = np.full(3, 4)
        q[0] = n
        return np.arange(q[0])

    def in_a_loop(n: int, p: Any) -> Any:
        q = np.zeros(3, np.int64)
        for k in range(len(p)):
            q[k] += n + p[k]
        q[1] += 1
        count = 0
        for _ in range(q[0], q[1]):
            count += 1
        return count, np.ones(q[2]) if q[2] > 0 else None

    p = np.array([1, 5, 2])
    for function, args in ((first_of_many, ()), (in_a_loop, (p,))):
        f = tracejit.function(function)
        with tracejit.config(compile=True, budget=0):
            for n in (-2, 5, 0, 3, -1, 4):
                for x, y in zip(*map(_parts, (f(n, *args), function(n, *args))), strict=True):
                    np.testing.assert_array_equal(x, y)
        assert f.stats.fallbacks <= 1
