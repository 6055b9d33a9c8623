"""Chunks of rows as the work of blocks of threads: the CPU's bits, and how often memory is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_kernels import on_device, same
from translated import counts

import tracejit
from tracejit.lower.passes.chunks import chunk_length, chunk_number

pytest.importorskip("cuda.bindings.nvvm")


def logistic(x: Any, w: Any, y: Any) -> Any:
    p = 1 / (1 + np.exp(-(x @ w)))
    return w - 0.1 / x.shape[0] * (x.T @ (p - y))


def weighted_columns(x: Any, w: Any, y: Any) -> Any:
    s = (x * w).sum(1) * y
    return (x * s[:, None]).sum(0), s


def largest_of_columns(x: Any, w: Any, y: Any) -> Any:
    s = (x * w).sum(axis=1)
    return (x - s[:, None]).max(axis=0) + w


def two_sums_of_columns(x: Any, w: Any, y: Any) -> Any:
    z = (x @ w - y)[:, None]
    return (x * z).sum(0), (x * x * z).sum(0)


PROGRAMS = [logistic, weighted_columns, largest_of_columns, two_sums_of_columns]
#: With one chunk and several, whole ones and a rest; fewer columns than threads, and more.
SHAPES = [(2, 2), (65, 3), (300, 33), (257, 600)]


def given(n: int, m: int, char: str) -> tuple[Any, ...]:
    rng = np.random.default_rng(n + m)
    return tuple(rng.normal(size=shape).astype(char) for shape in ((n, m), m, n))


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("char", "fd")
def test_bits(f: Callable[..., Any], char: str) -> None:
    for shape in SHAPES:
        x, w, y = given(*shape, char)
        for layout in (np.copy, lambda x: np.repeat(x, 2, axis=0)[::2, ::-1]):
            found = (on_device(f, layout(x), w, y, device=d) for d in ("fake", "cpu"))
            for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in found), strict=True):
                same(a, b)


def test_a_block_has_a_chunk() -> None:
    """An element of the matrix is read twice, by threads side by side; nothing is stored of it."""
    n, m = 1000, 512
    x, w, y = given(n, m, "f")
    f = tracejit.function(logistic, device="fake", on_unsupported="error")
    text = f.source(x, w, y)
    assert "over_groups(" in text and "team_span(" in text and "thread_span(0, " in text
    f(x, w, y)
    chunks = chunk_number(n, m, tiled=True)
    assert chunk_length(n, m, tiled=True) == 64 and chunks == 16
    counts.clear()
    f(x, w, y)
    # x twice, beside what the caches have: w for each row, and what a row gives for each column.
    few = 4 * n + 8 * m
    assert 4 * n * m <= counts["loads"] <= 4 * n * m + 2 * chunks * m + few
    assert chunks * m <= counts["stores"] <= chunks * m + few


def test_few_columns_are_a_teams_work() -> None:
    f = tracejit.function(lambda x: (x * 2).sum(axis=0), device="fake", on_unsupported="error")
    assert "thread_span(" not in f.source(np.ones((100_000, 3), np.float32))
