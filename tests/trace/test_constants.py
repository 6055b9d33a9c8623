"""Values that are a number or None, or one text or another, by which way a branch went."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tracejit


def place_of_largest(x):
    k, best = None, -1e9
    for i in range(len(x)):
        if x[i] > best and x[i] > 2:
            k, best = i, x[i]
    return k, best


def looked_up(x, limit):
    k = None
    for i in range(len(x)):
        if x[i] > limit:
            k = i
    if k is not None and x[k] > 5:
        return -1.0
    if k is None:
        return 0.0
    return x[k] * 2


def gaps(x):
    last, total = None, 0
    for i in range(len(x)):
        if x[i] > 0:
            if last is not None:
                total += i - last
            last = i
    return total, last


def word(x):
    for i in range(len(x)):
        if x[i] > 3:
            return "large"
    return "small"


def compared(x):
    kind = "none"
    for i in range(len(x)):
        if x[i] > 3:
            kind = "some"
    return 1 if kind == "some" else 2, kind != "none", kind == "other", kind == None  # noqa: E711


def nothing(x):
    for i in range(len(x)):
        if x[i] > 3:
            return
    return None


def bisected(a, v):
    low, high, at = 0, len(a) - 1, None
    while low <= high:
        middle = (low + high) // 2
        if a[middle] == v:
            at = middle
            break
        if a[middle] < v:
            low = middle + 1
        else:
            high = middle - 1
    return at


def truths(x):
    k = None
    for i in range(len(x)):
        if x[i] > 3:
            k = i
    return 1 if k else 2, not k


def early(a, p):
    if a[p] == 0:
        return None
    return a[p] * 2


X = np.array([1.0, -2.0, 4.5, 0.5, 7.0, 2.5])
CALLS: list[tuple[Any, list[tuple[Any, ...]]]] = [
    (place_of_largest, [(X,), (-abs(X),)]),
    (looked_up, [(X, 3.0), (X, 100.0), (X, -5.0)]),
    (gaps, [(X,), (-abs(X),)]),
    (word, [(X,), (-abs(X),)]),
    (compared, [(X,), (-abs(X),)]),
    (nothing, [(X,), (-abs(X),)]),
    (bisected, [(np.arange(9.0), 7.0), (np.arange(9.0), 7.5)]),
    (truths, [(X,), (-abs(X),), (np.array([5.0, 0.0]),)]),
    (early, [(X, 1), (np.zeros(3), 1)]),
]


def found_or_raised(x, limit):
    k = None
    for i in range(len(x)):
        if x[i] > limit:
            k = i
    if k is None:
        raise ValueError(f"none of {x} is larger than {limit}")
    return x[k] * 2 + k


def same(got: Any, want: Any) -> None:
    assert type(got) is type(want)
    if isinstance(want, tuple):
        for a, b in zip(got, want, strict=True):
            same(a, b)
    else:
        assert got == want


@pytest.mark.parametrize("f, calls", CALLS, ids=lambda v: getattr(v, "__name__", ""))
def test_values(f: Any, calls: list[tuple[Any, ...]]) -> None:
    compiled = tracejit.function(f)
    for args in calls:
        same(compiled(*args), f(*args))
    assert compiled.stats.fallbacks == 0


def test_what_is_asked_of_none_is_refused() -> None:
    def f(x):
        k = None
        for i in range(len(x)):
            if x[i] > 3:
                k = i
        return x[k]

    compiled = tracejit.function(f, on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning, match="is None or of class int"):
        same(compiled(X), f(X))


def test_none_that_raises_is_none_no_more() -> None:
    compiled = tracejit.function(found_or_raised)
    for _ in range(2):
        same(compiled(X, 3.0), found_or_raised(X, 3.0))
        with pytest.raises(ValueError) as theirs:
            found_or_raised(X, 9.0)
        with pytest.raises(ValueError) as ours:
            compiled(X, 9.0)
        assert str(ours.value) == str(theirs.value)
    assert (compiled.stats.compiles, compiled.stats.fallbacks) == (1, 0)
