"""Calls leave nothing behind: no memory, no objects, no references to arguments."""

from __future__ import annotations

import gc
import sys
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.ir import node
from tracejit.lower.driver import Driver

CALLS = 10_000
strict = tracejit.function(on_unsupported="error")


@strict
def mixed(x, y, k):
    """An output of two axes, one that lives in a temporary, a view, a scalar and a number."""
    centred = x - x.mean(axis=0)
    return centred * k + y, np.sqrt((centred * centred).sum(axis=0)), x.T, y.sum(), k * 2


@strict
def late(x):
    """Results whose length is known only when the data has been seen."""
    return x[x > 0], np.nonzero(x)[0]


@strict
def keyed(items):
    return {name: value * 2.0 for name, value in items.items()}


X, Y = np.arange(48.0).reshape(8, 6), np.ones(6)
CASES: dict[str, Callable[[int], Any]] = {
    "mixed": lambda k: mixed(X, Y, k % 7 + 0.5),
    "late": lambda k: late(Y - k % 2),
    "keyed": lambda k: keyed({"a": X, "b": Y}),
    "shapes and layouts": lambda k: mixed(X[:, :: k % 2 + 1], Y[:: k % 2 + 1], 0.5),
}


@pytest.fixture(params=CASES)
def warm(request: pytest.FixtureRequest) -> Callable[[int], Any]:
    """A case all of whose paths are compiled, and which has settled."""
    call = CASES[request.param]
    for k in range(200):
        call(k)
    return call


def resident() -> int:
    """Bytes of memory that the process holds."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


def settled() -> int:
    for _ in range(3):
        gc.collect()
    return len(gc.get_objects())


def test_ten_thousand_calls_leave_nothing(warm):
    objects, nodes = settled(), len(node._table)
    tracemalloc.start()
    try:
        warm(0)
        settled()
        before = tracemalloc.get_traced_memory()[0]
        for k in range(CALLS // 10):
            warm(k)
        settled()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    for k in range(CALLS):
        warm(k)
    assert settled() - objects < 50
    assert len(node._table) <= nodes
    assert grown < 10_000  # an entry a call, of 16 bytes, would be 16 000


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_the_resident_set_does_not_grow():
    """Outputs of 8 MB: one that stayed would be seen at once; small ones over many calls."""
    large = np.ones((1000, 1000))

    def calls(count: int) -> None:
        for k in range(count):
            mixed(large, large[0], 0.5)
            for _ in range(100):
                mixed(X, Y, k + 0.5)

    for _ in range(2):  # an entry for several threads is compiled meanwhile
        calls(20)
        for thread in threading.enumerate():
            if thread.name == "tracejit compiler":
                thread.join()
    before = resident()
    calls(100)
    assert resident() - before < 4 << 20


# References -------------------------------------------------------------------------------------


def held(x: np.ndarray, call: Callable[[np.ndarray], Any]) -> int:
    """References to `x` that are left by a call whose result is dropped."""
    before = sys.getrefcount(x)
    call(x)
    return sys.getrefcount(x) - before


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])
def test_arguments_are_released(compiled):
    f = strict(lambda x, pair: (x * 2.0 + pair[0], x.sum(axis=0)))
    with tracejit.config(compile=compiled):
        for shape in (
            (3, 4),
            (5, 4),
            (4, 1),
            (0, 4),
        ):  # the first, a warm one, a new path, an empty
            x = np.zeros(shape)
            before = sys.getrefcount(x)
            f(x, [x, 1.0])
            gc.collect()  # a trace may be a cycle
            assert sys.getrefcount(x) == before
            gc.disable()
            try:
                assert held(x, lambda x: [f(x, [x, 1.0]) for _ in range(100)]) == 0
                assert held(x, lambda x: f.graph(x, [x, 1.0])) == 0
            finally:
                gc.enable()
        assert f.explain()
        watched = weakref.ref(x)
        del x
        gc.collect()
        assert watched() is None


def test_a_result_that_is_a_view_keeps_its_argument_as_in_numpy():
    f = strict(lambda x: (x.T, x[1:] * 2))
    x = np.zeros((3, 4))
    watched = weakref.ref(x)
    view, computed = f(x)
    del x
    gc.collect()
    assert watched() is not None and np.shares_memory(view, watched())
    del view
    gc.collect()
    assert watched() is None and computed.base is None


def test_a_call_that_fails_keeps_nothing():
    f = strict(lambda x, y: x @ y + x.sum())
    x = np.ones((4, 4))
    f(x, x)
    y = np.ones((3, 3))
    watched = weakref.ref(y)
    for _ in range(3):
        with pytest.raises(ValueError):
            f(x, y)
    del y
    for _ in range(50):  # a thread that has compiled may not have ended yet
        gc.collect()
        if watched() is None:
            break
        time.sleep(0.1)
    assert watched() is None


def test_results_belong_to_the_caller():
    before = [mixed(X, Y, k + 0.5)[0] for k in range(50)]
    for k in range(50):
        result = before[k]
        np.testing.assert_array_equal(result, mixed.__wrapped__(X, Y, k + 0.5)[0])
        references = sys.getrefcount(result)
        assert references == 3  # the list, the name and the question
    pointers = {r.__array_interface__["data"][0] for r in before}
    assert len(pointers) == 50


# Functions --------------------------------------------------------------------------------------


@pytest.fixture
def no_new_nodes() -> Iterator[None]:
    gc.collect()
    before = len(node._table)
    yield
    gc.collect()
    assert len(node._table) <= before


def captured(weights: np.ndarray) -> Any:
    @strict
    def f(x, how="sum"):
        y = x * weights
        return y.sum() if how == "sum" else y.max(axis=0) * np.ones(x.shape[1])

    return f


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])
def test_a_dropped_function_releases_its_paths(compiled, no_new_nodes):
    weights = np.ones((2, 3))
    f = captured(weights)
    with tracejit.config(compile=compiled):
        f(weights)
        f(weights, "max")
        f(weights.astype("f4"), "max")
    executable = f._records[0].executable
    watched = [weakref.ref(o) for o in (f, f.__wrapped__, *f._records, executable, weights)]
    assert f.stats.traces == 3
    del f, weights, executable
    gc.collect()
    assert [w() for w in watched] == [None] * len(watched)


def test_a_function_releases_an_array_that_it_no_longer_captures():
    f = strict(lambda x: x + REBOUND[0])
    x = np.zeros(3)
    f(x)
    watched = weakref.ref(REBOUND[0])
    REBOUND[0] = np.full(3, 7.0)
    np.testing.assert_array_equal(f(x), REBOUND[0])
    gc.collect()
    assert watched() is None


REBOUND = [np.ones(3)]


def test_retracing_is_bounded(monkeypatch):
    """A function that looks at ever new values keeps the newest paths only."""
    monkeypatch.setattr("tracejit.call.slow.MAX_PATHS", 16)
    f = strict(lambda x, text: x * len(text))
    with tracejit.config(compile=False):
        x = np.ones(2)
        for k in range(30):
            f(x, "a" * k)
        before = settled()
        for k in range(30, 130):
            f(x, "a" * k)
    assert f.stats.traces == 130
    assert settled() - before < 500
    assert len(f._records) <= 16


def test_a_shape_is_read_once_before_a_call(monkeypatch):
    lines = []
    much = Driver.much

    def noting(driver, works, *least):
        name = much(driver, works, *least)
        lines.append(list(driver.lines))
        return name

    monkeypatch.setattr(Driver, "much", noting)
    f = tracejit.function(lambda x: x + 1, on_unsupported="error")
    np.testing.assert_array_equal(f(np.ones((2, 3))), np.full((2, 3), 2.0))
    f(np.ones(3))
    assert lines == [
        ["_tjx_n0, _tjx_n1 = _tj_p0.shape", "_tjx_work = (2*_tjx_n0*_tjx_n1)"],
        ["_tjx_work = (3*_tjx_len(_tj_p0))"],
    ]
