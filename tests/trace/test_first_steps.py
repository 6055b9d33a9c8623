"""A step that is done by itself, before a loop of the others, is done once: lists and dicts too."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit


def appended(x: Any, y: Any, state: Any) -> Any:
    found = []
    for i in range(len(x)):
        found.append(x[i - 1])
    return found


def appended_beside_writes(x: Any, y: Any, state: Any) -> Any:
    found = []
    for i, _ in enumerate(x):
        found.append(i + x[i - 1])
        y[:i] += y[:i]
    return found


def in_a_dict(x: Any, y: Any, state: Any) -> None:
    for i in range(len(x)):
        state["s"] += 2
        state["s"] -= x[i - 1]


def in_a_branch(x: Any, y: Any, state: Any) -> None:
    if state["k"] >= x[1]:
        for i in range(len(x) - 1):
            state["s"] += 2
            state["s"] -= x[i]


def in_nested_lists(x: Any, y: Any, state: Any) -> Any:
    rows = [[1.0, 2.0], [3.0]]
    for i in range(len(x)):
        rows[0][1] += x[i - 1]
        rows[1][0] = rows[0][1] * 2
    return rows


@pytest.mark.parametrize(
    "function",
    [appended, appended_beside_writes, in_a_dict, in_a_branch, in_nested_lists],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("start", [np.int64(2), 2, 2.5])
def test_a_first_step_is_done_once(function: Callable[..., Any], start: Any) -> None:
    f = tracejit.function(function, on_unsupported="error")
    with tracejit.config(budget=0):
        for n in (6, 7, 9, 40):
            x = np.cos(np.arange(float(n))) - 1
            given = [[x.copy(), np.ones(n), {"s": start, "k": 1}] for _ in range(2)]
            results = [copy.deepcopy(f(*given[0])), function(*given[1])]
            for ours, theirs in ((results[0], results[1]), (given[0][2], given[1][2])):
                assert repr(ours) == repr(theirs)
            np.testing.assert_array_equal(given[0][1], given[1][1])
    assert f.stats.fallbacks == 0
