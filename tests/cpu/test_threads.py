"""Calls divided over threads: the same bits as on one, and undivided where rows are not alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.cpu import threads
from tracejit.lower.passes.chunks import EVEN, ROWS, TILE, chunk_length

RNG = np.random.default_rng(5)
WIDE = RNG.random((901, 700))
LONG = RNG.random(700_001)


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


DIVIDED: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "flat": (lambda x, y: 1 / (1 + np.exp(-x)) + y, (LONG, LONG)),
    "rows": (softmax, (WIDE,)),
    "a vector for all rows": (lambda x, b: x * b + 1, (WIDE, WIDE[0])),
    "distances": (
        lambda x, y: ((x[:, None] - y) ** 2).sum(-1),
        (WIDE[:, :9].copy(), WIDE[:301, :9].copy()),
    ),
    "two results": (lambda x: (x - 1, x.sum(axis=1)), (WIDE,)),
}
WHOLE: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "running sum": (lambda x: np.cumsum(x), (LONG,)),
}
#: Divided phase by phase, by a second entry.
PHASED: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "sum of all": (lambda x: x.sum(), (LONG,)),
    "product": (lambda x: (1 + 1e-6 * x).prod(), (LONG,)),
    "complex sum": (lambda x: (x * 1j).sum(), (LONG,)),
    "sum of rows without gaps": (lambda x: np.exp(x[:, ::2] * x[:, 1::2]).sum(), (WIDE,)),
    "a sum after a maximum": (lambda x: np.exp(x - x.max()).sum(), (LONG,)),
    "mean and variance": (lambda x: (x.mean(), x.var()), (WIDE,)),
    "a sum that is used in two ways": (lambda x: (x / x.sum(), np.sqrt(x.sum())), (LONG,)),
    "many reductions": (
        lambda x: (
            x.min(),
            (x * 2).max(),
            (x > 0.9999).any(),
            (x < 1).all(),
            (x * 99).astype(int).sum(),
            x.astype("f").sum(dtype="f"),
            x + 1,
        ),
        (LONG,),
    ),
    "sums of columns": (lambda x: x.sum(axis=0), (WIDE,)),
    "mean of gathered": (
        lambda x: (x - np.exp(x).sum(axis=1, keepdims=True))[
            (np.arange(600_000) * 7) % x.shape[0], 0
        ].mean(),
        (WIDE,),
    ),
    "columns in many ways": (
        lambda x: (
            x.min(axis=0),
            np.maximum.reduce(x * 2),
            (x > 0.9999).any(axis=0),
            (x < 2).all(axis=0),
            (x * 99).astype(int).sum(axis=0),
            x.astype("f").sum(axis=0, dtype="f"),
            (x * 1j).sum(axis=0),
            (1 + 1e-6 * x).prod(axis=0),
            x + 1,
            x.sum(),
        ),
        (WIDE,),
    ),
    "roots of distances": (
        lambda x: np.sqrt(((x[:, None, :9] - x[:301, 10:19]) ** 2).sum(-1)),
        (WIDE,),
    ),
    "spread of columns": (lambda x: (x - x.mean(axis=0)) / x.std(axis=0), (WIDE,)),
    "columns of narrow rows": (lambda x: x.reshape(-1, 7).sum(axis=0), (LONG[:-1],)),
    "sums over two axes": (lambda x: x.reshape(-1, 10, 70).sum(axis=(0, 2)), (WIDE,)),
    "sums of columns of planes": (lambda x: x.reshape(-1, 10, 70).sum(axis=0), (WIDE,)),
    "sums of rows, and of all": (lambda x: (x.sum(axis=1), (x * x).sum()), (WIDE,)),
    "neighbours": (lambda x: x[1:] - x[:-1], (LONG,)),
    "length in a value": (lambda x: x * x.shape[0], (LONG,)),
    "positions": (lambda x: x + np.arange(x.shape[0]), (LONG,)),
    "positions of rows": (lambda x: x + np.arange(x.shape[0])[:, None], (WIDE,)),
    "transposed": (lambda x: x + x.T, (WIDE[:700],)),
    "reversed": (lambda x: x[::-1] * 2, (LONG,)),
    "rows and what they are": (lambda x: (x - x.mean(axis=1)[::-1, None], x[::2] * 2), (WIDE,)),
    "running sums": (lambda x: np.cumsum(x[::-1], axis=1), (WIDE,)),
    "a product of a vector": (lambda x, y: np.exp(x @ y[:700]), (WIDE, LONG)),
    "two products over the same rows": (lambda x, y: residual(x, y), (WIDE, LONG)),
    "two products over narrow rows": (lambda x, y: residual(x, y), (LONG[1:].reshape(-1, 5), LONG)),
    "two of two sizes": (lambda x, y: (x + 1, y[::-1] * 2), (LONG, WIDE)),
}


def residual(x: Any, y: Any) -> Any:
    """A gradient of logistic regression, with two sums over the rows."""
    p = 1 / (1 + np.exp(-(x @ y[: x.shape[1]]) / x.shape[1]))
    r = p - y[-x.shape[0] :]
    return x.T @ r, (p * p).sum(), r.max(), p > 0.5


def parts_of(f: Any, args: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, int]:
    """The result on three threads, and how many parts the call was divided into."""
    divided: list[int] = []
    plan_of = threads.plan_of

    def noted(count: int, *rest: Any) -> list[int]:
        plan = plan_of(count, *rest)
        divided.append(max(plan[4 : 2 + 3 * plan[1] : 3]))
        return plan

    monkeypatch.setattr(threads, "available", lambda: 3)
    monkeypatch.setattr(threads.Later, "_start", threads.Later._make)
    monkeypatch.setattr(threads, "plan_of", noted)
    monkeypatch.setattr(threads, "LEAST_WORK", 1 << 10)
    for _ in range(2):  # the way to divide it is compiled, if there is to be one
        f(*args)
    result = f(*args)
    monkeypatch.undo()
    return result, max(divided, default=1)


@pytest.mark.parametrize("name", [*DIVIDED, *WHOLE, *PHASED])
def test_the_bits_do_not_depend_on_threads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, args = {**DIVIDED, **WHOLE, **PHASED}[name]
    f = tracejit.function(function, on_unsupported="error")
    with tracejit.config(threads=1):
        one = f(*args)
    many, parts = parts_of(f, args, monkeypatch)
    results = [r if isinstance(r, tuple) else (r,) for r in (one, many, function(*args))]
    for a, b, numpys in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
        off = 1e-4 if numpys.dtype == "f" else 1e-12
        np.testing.assert_allclose(a, numpys, rtol=off, atol=off)
    assert parts == 1 if name in WHOLE else parts >= 3


@pytest.mark.parametrize("count", [1, 40, 400, 10_000])
@pytest.mark.parametrize("inner", [0, 3, 784, 50_000])
def test_tiles_are_few_for_few_rows_and_fit_the_second_cache(count: int, inner: int) -> None:
    length = chunk_length(count, inner, True)
    assert length % 4 == 0 and length >= 32
    assert length * inner <= TILE or length <= ROWS
    if count >= 32 * EVEN:
        assert -(-count // length) >= EVEN


@pytest.mark.parametrize("draw", [
    lambda: tracejit.MRG_RandomStreams(3).uniform((1_000_001,)),
    lambda: tracejit.MRG_RandomStreams(3).uniform((1_001, 999), nstreams=700),
    lambda: tracejit.PhiloxRandomStreams(3).normal((1_001, 999)),
    lambda: tracejit.PhiloxRandomStreams(3).gamma((1_000_001,), 2.0),
])  # fmt: skip
def test_draws_do_not_depend_on_threads(draw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    f, g = (tracejit.function([], draw()) for _ in range(2))
    with tracejit.config(threads=1):
        one = [f() for _ in range(3)]
    many, parts = parts_of(g, (), monkeypatch)
    np.testing.assert_array_equal(one[2], many)
    assert parts >= 3


def test_the_second_entry_is_compiled_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls go on meanwhile, and none waits."""
    go, made = threading.Event(), threading.Event()
    make = threads.Later._make

    def slowly(self: threads.Later) -> None:
        go.wait(60)
        make(self)
        made.set()

    monkeypatch.setattr(threads.Later, "_make", slowly)
    monkeypatch.setattr(threads, "available", lambda: 3)
    f = tracejit.function(lambda x: x[::-1] * 2, on_unsupported="error")
    before = [f(LONG) for _ in range(3)]
    go.set()
    assert made.wait(60)
    np.testing.assert_array_equal(f(LONG), before[0])


def test_without_a_second_entry_calls_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.Later, "_start", threads.Later._make)
    monkeypatch.setattr(threads, "available", lambda: 3)
    f = tracejit.function(lambda x: x[::-1] * 2, on_unsupported="error")
    f(LONG[:9])
    executable = next(iter(f._paths)).executable

    def fail() -> Any:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(executable.launch.shared.plain, "make", fail)
    f(LONG)
    with pytest.warns(RuntimeWarning, match="no compiler"):
        np.testing.assert_array_equal(f(LONG), LONG[::-1] * 2)
    assert f.stats.traces == 1


def test_the_setting_bounds_the_threads() -> None:
    with tracejit.config(threads=1):
        assert threads.available() == 1
    with tracejit.config(threads=0):
        assert threads.available() == len(os.sched_getaffinity(0))


def test_calls_from_many_threads_are_right() -> None:
    f = tracejit.function(lambda x, y: np.exp(-x) + y, on_unsupported="error")
    wrong: list[int] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for n in (7, 3000, 400_000):
            x, y = rng.random(n), rng.random(n)
            for _ in range(20 if n < 10_000 else 2):
                if not np.allclose(f(x, y), np.exp(-x) + y, rtol=1e-14):
                    wrong.append(n)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    f = tracejit.function(lambda x: np.exp(-x) + 1, on_unsupported="error")
    for _ in range(3):
        want = f(LONG)
    executable = next(iter(f._paths)).executable
    executable.launch.shared.plain.making.join()
    f(LONG)  # the team is there
    child = os.fork()
    if not child:
        os._exit(0 if all(np.array_equal(f(LONG), want) for _ in range(20)) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_few_streams_stay_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their numbers alternate in memory, in one line of the cache."""
    f = tracejit.function([], tracejit.MRG_RandomStreams(3).uniform((1_000_001,), nstreams=100))
    assert parts_of(f, (), monkeypatch)[1] == 1


def test_no_path_runs_under_the_lock_of_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the locks of shared variables, whose holder may want to trace."""
    from tracejit.call import slow as call
    from tracejit.call.paths import tracing

    run, owned = call._run, []
    monkeypatch.setattr(call, "_run", lambda *a: owned.append(tracing._is_owned()) or run(*a))
    with tracejit.config(compile=False):
        f = tracejit.function(lambda x: x * 2)
        for n in (2, 1, 3):
            f(np.ones(n))
    assert owned and not any(owned)
