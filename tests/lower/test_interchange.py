"""Loops of steps over strided slices go inside of those over lines, where these are independent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.lower.program import Control


def thomas(a, b, c, d):
    for k in range(1, d.shape[-1]):
        m = 1.0 / (b[:, :, k] - a[:, :, k] * c[:, :, k - 1])
        c[:, :, k] = c[:, :, k] * m
        d[:, :, k] = (d[:, :, k] - a[:, :, k] * d[:, :, k - 1]) * m
    for k in range(d.shape[-1] - 2, -1, -1):
        d[:, :, k] -= c[:, :, k] * d[:, :, k + 1]


def sums(a, b, c, d):
    for k in range(1, d.shape[-1]):
        d[:, :, k] += d[:, :, k - 1] * 0.5


def rows(a, b, c, d):
    """Two axes: blocks of rows."""
    e = d[0]
    for k in range(1, e.shape[-1]):
        e[:, k] += e[:, k - 1] * a[0, :, k]


def shifted(a, b, c, d):
    """Lines begin elsewhere, and use what no step changes."""
    for k in range(1, d.shape[-1]):
        d[1:, 2:, k] = d[1:, 2:, k - 1] + a[:-1, :-2, k] * b[1:, 2:, 0]


def exchanged(a, b, c, d):
    for k in range(1, d.shape[-1]):
        t = c[:, :, k - 1] + d[:, :, k]
        d[:, :, k] = d[:, :, k - 1] - c[:, :, k]
        c[:, :, k] = t


def of_neighbours(a, b, c, d):
    for k in range(1, d.shape[-1]):
        d[1:, :, k] += d[:-1, :, k - 1]


def of_the_line_before(a, b, c, d):
    for k in range(1, d.shape[-1]):
        d[:, 1:, k] = c[:, :-1, k] + d[:, 1:, k - 1]
        c[:, 1:, k] = d[:, 1:, k]


def transposed(a, b, c, d):
    for k in range(1, d.shape[-1]):
        d[:, :, k] += d[:, :, k - 1].T


def along_memory(a, b, c, d):
    for k in range(1, d.shape[0]):
        d[k] += d[k - 1] * 0.5


def with_a_sum(a, b, c, d):
    for k in range(1, d.shape[-1]):
        d[:, :, k] += d[:, :, k - 1].max()


def with_a_number(a, b, c, d):
    s = 0.0
    for k in range(1, d.shape[-1]):
        d[:, :, k] += s
        s = d[0, 0, k]


def with_a_branch(a, b, c, d):
    for k in range(1, d.shape[-1]):
        if d[0, 0, k] > 0.5:
            d[:, :, k] += d[:, :, k - 1]


#: How many loops of steps each has inside.
PROGRAMS: dict[Callable[..., Any], int] = {
    thomas: 2,
    sums: 1,
    rows: 1,
    shifted: 1,
    exchanged: 1,
    of_neighbours: 0,
    of_the_line_before: 0,
    transposed: 0,
    along_memory: 0,
    with_a_sum: 0,
    with_a_number: 0,
    with_a_branch: 0,
}


def arguments(n: int) -> list[np.ndarray]:
    a, c, d = np.random.default_rng(4).uniform(size=(3, n, n, n))
    return [a, 2.5 + a + c, c, d]


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_as_numpy(function: Callable[..., Any]) -> None:
    f = tracejit.function(function)
    with tracejit.config(budget=20):
        for n in (70, 33, 16, 5):
            mine, plain = arguments(n), arguments(n)
            f(*mine)
            function(*plain)
            for x, y in zip(mine, plain, strict=True):
                np.testing.assert_array_equal(x, y)
    assert f.stats.fallbacks == 0
    program = f._paths[0].executable.program
    assert sum(bool(c.lines) for c in _controls(program)) == PROGRAMS[function]


def _controls(program: Any) -> list[Control]:
    found = list(program.controls.values())
    return found + [c for control in found for p in control.programs for c in _controls(p)]
