"""What `explain` says of loops and branches, at the user's lines."""

from __future__ import annotations

import numpy as np

import tracejit

X = np.arange(1.0, 60)


def program(x):
    n = 0
    for k in range(2):
        x = x + k
    for i in range(len(x)):
        if x[i] > 5:
            n += 1
    while x.sum() > 100:
        x = x * 0.5
    return None if n > 1000 else x


def test_each_is_told() -> None:
    g = tracejit.function(program, on_unsupported="error")
    g(X)
    told, first = g.explain(), program.__code__.co_firstlineno
    for line, text in (
        (2, "the loop is unrolled, 2 steps"),
        (4, "the loop is a region"),
        (5, "the branch is a region"),
        (7, "the loop is a region"),
        (9, "the branch is decided by the first part"),
    ):
        assert f"line {first + line}: {text}" in told, told
