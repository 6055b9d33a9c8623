"""Results stored past the caches: the same bits, and nothing that is not theirs is written."""

from __future__ import annotations

import platform
import re
import sys
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.cpu import launch, threads
from tracejit.cpu.emit.emitter import emit
from tracejit.intrinsics import blocks
from tracejit.native.pool import empty

RNG = np.random.default_rng(4)
LARGE = 70_000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, Any]]:
    """Let calls of a few thousand elements stream; what each call did, and by which code."""
    noted: list[tuple[bool, Any]] = []
    way_of = threads.way_of

    def noting(spread: Any, count: int, phases: Any, args: Any, streams: bool) -> Any:
        noted.append((streams, spread[0]))
        return way_of(spread, count, phases, args, streams)

    monkeypatch.setattr(threads, "way_of", noting)
    monkeypatch.setattr(threads, "LEAST_BYTES", 1 << 17)
    monkeypatch.setattr(threads, "LEAST_WORK", 1 << 10)
    monkeypatch.setattr(threads.Later, "_start", threads.Later._make)
    return noted


def called(function: Any, args: tuple[Any, ...]) -> tuple[Any, Any]:
    """What the entry gives, and what it gives from its third call on."""
    f = tracejit.function(function, on_unsupported="error")
    with tracejit.config(threads=1):
        first = f(*args)
    for _ in range(2):
        later = f(*args)
    return first, later


def assert_equal(a: Any, b: Any) -> None:
    pairs = zip(a, b, strict=True) if isinstance(a, tuple) else [(a, b)]
    for x, y in pairs:
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("extra", [0, 1, 15, 16, 17])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32"])
def test_every_length(small: list[Any], dtype: str, extra: int) -> None:
    x, y = (RNG.integers(-9, 9, LARGE + extra).astype(dtype) for _ in range(2))
    assert_equal(*called(lambda x, y: x * y + 3, (x, y)))
    assert [s for s, _ in small][-1]


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: 1 / (1 + np.exp(-x)), (LARGE,)),
        (lambda x: (x + 1, x * 2), (LARGE,)),
        (lambda x: (x + 1, x > 0), (LARGE,)),
        (lambda x: x * x, (1_001, 77)),
        (lambda x: (x.astype("f") + 1, x - 1), (LARGE + 5,)),
    ],
    ids=["logistic", "two results", "with booleans", "matrix", "two widths"],
)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_programs(
    small: list[Any], function: Any, shape: Any, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "available", lambda: count)
    x = RNG.standard_normal(shape)
    assert_equal(*called(function, (x,)))
    assert small[-1][0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("far", [[], [0], [1_000, 69_999], range(640, 704), [LARGE + 4]])
def test_functions_that_are_guarded(
    small: list[Any], dtype: str, far: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line with a far argument is done again before it is stored."""
    sources: list[str] = []

    def noting(program: Any, phases: Any = (), streaming: bool = False) -> Any:
        emitted = emit(program, phases, streaming)
        sources.extend([emitted.text] if streaming else [])
        return emitted

    monkeypatch.setattr(launch, "emit", noting)
    x = RNG.standard_normal(LARGE + 5).astype(dtype)
    x[list(far)] = 1e9
    first, later = called(lambda x: (np.sin(x), x * 2), (x,))
    assert_equal(first, later)
    np.testing.assert_allclose(later[0], np.sin(x.astype("longdouble")), rtol=2e-7, atol=1e-9)
    assert small[-1][0] and sources[-1].count("near_sin(") == 2  # and for what is left of lines


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sin(x) * np.cos(x) + np.exp(x),  # does not wait for memory
        lambda x: x.astype(bool),
        lambda x: x * 1j,
        lambda x: x + x.sum(),
        lambda x: np.cumsum(x),
    ],
)
def test_what_is_not_streamed(small: list[Any], function: Any) -> None:
    assert_equal(*called(function, (RNG.standard_normal(LARGE),)))
    assert not any(s for s, _ in small)


@pytest.mark.parametrize(
    ("rows", "offset", "expected"),
    [(1 << 22, 0, True), (1 << 22, 2, False), ((1 << 22) - 8, 0, False), (100, 0, False)],
    ids=["large", "begins elsewhere", "smaller", "few rows"],
)
def test_which_results_are_streamed(rows: int, offset: int, expected: bool) -> None:
    """Those of 32 MB, where every part begins with a line of the cache."""
    count = 1 << 22 if rows == 100 else rows
    memory = np.empty(count + 16)
    start = -(memory.ctypes.data // 8) % 8 + offset
    shared = threads.Shared(int, threads.Later(int), False, threads.Later(int), [0])
    phases = [(rows, 3 * count, -1, False)]
    assert shared._streams(2, phases, [memory[start : start + count]]) is expected


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86's assembly")
def test_the_stores_are_non_temporal(small: list[Any]) -> None:
    with tracejit.config(cache=False):
        called(lambda x: x * 7.25 + 0.125, (RNG.standard_normal(LARGE),))
    streaming, call = small[-1]
    assert streaming
    text = call.__self__.compiled.held.__self__.compiled.assembly()
    assert re.search(r"vmovntp[sd]\s+%[xyz]mm|movntp[sd]\s+%xmm", text)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks for it on Linux only")
def test_kept_memory_begins_with_a_line_of_the_cache() -> None:
    for count in (1 << 14, (1 << 17) + 3, 1 << 20):
        assert empty(count, np.dtype(float)).ctypes.data % blocks.LINE_BYTES == 0
