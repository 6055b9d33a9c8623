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
