"""Containers that a branch or a loop sees: it is a region as long as it leaves them as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

X = np.random.default_rng(5).normal(size=90)


def from_a_list(x, box):
    n = 0
    for i in range(len(x)):
        if x[i] > box[0][i]:
            n += 1
            box[1][i] = x[i]
    return n


def from_a_dict(x, box):
    while np.abs(x).max() > box["limit"]:
        x *= 0.5
        box["u"] += 1
    return x


def from_a_list_of_its_own(x, box):
    weights = [0.25, x[0], 0.5]
    s = np.float64(0)
    for i in range(1, len(x) - 1):
        if x[i] > 0:
            s += weights[0] * x[i - 1] + weights[2] * x[i + 1]
    return s + len(weights)


CASES: list[tuple[Callable[..., Any], Any]] = [
    (from_a_list, [X * 0, X.copy()]), (from_a_dict, {"limit": 0.25, "u": np.zeros(3)}),
    (from_a_list_of_its_own, None),
]  # fmt: skip


def copied(box: Any) -> Any:
    if isinstance(box, dict):
        return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in box.items()}
    return None if box is None else [v.copy() for v in box]


@pytest.mark.parametrize("f, box", CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_as_numpy_does(f, box) -> None:
    g = tracejit.function(f, on_unsupported="error")
    for _ in range(2):
        ours, theirs = copied(box), copied(box)
        np.testing.assert_array_equal(g(X.copy(), ours), f(X.copy(), theirs))
        np.testing.assert_equal(ours, theirs)
    assert g.stats.fallbacks == 0


@pytest.mark.filterwarnings("ignore::tracejit.errors.UnsupportedWarning")
def test_what_changes_one_is_pythons() -> None:
    def f(x):
        found = [x[0]]
        for i in range(len(x)):
            if x[i] > 0:
                found.insert(0, i)
        return found

    g = tracejit.function(f, on_unsupported="warn")
    for _ in range(2):
        assert g(X) == f(X)
    assert g.stats.fallbacks == 2
