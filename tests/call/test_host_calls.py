"""Host calls: what is not compiled runs as itself, between compiled segments."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit import UnsupportedWarning

X = np.random.default_rng(1).random((6, 5))
CALLS: list[Any] = []


class Model:
    """An object with a state of its own, and no source that a trace reads."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Any) -> Any:
        self.calls += 1
        CALLS.append(np.array(memoryview(x)))
        return CALLS[-1] + self.calls


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


def parts(f: Any) -> list[Any]:
    """The segments that have run, outermost first."""
    found = []
    for _, first in f._segments.lines if f._segments else ():
        segment = first.segment
        inner = parts(segment)
        found += inner if inner else [segment]
    return found


def check(f: Callable[..., Any], *args: Any, compiled: int, calls: int = 3) -> Any:
    """`f` gives and leaves what Python does; `compiled` of its segments have a path."""
    g = tracejit.function(f, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        for _ in range(calls):
            mine, plain = copied(args), copied(args)
            CALLS.clear()
            want, wanted = f(*plain), list(CALLS)
            CALLS.clear()
            got = g(*mine)
            same(got, want)
            same(list(mine), list(plain))
            same(CALLS, wanted)
    found = parts(g)
    assert sum(bool(p.stats.traces) for p in found) == compiled, [p.stats for p in found]
    assert all(p.stats.traces <= 2 for p in found)
    return g


def copied(args: Any) -> Any:
    return [a.copy() if isinstance(a, (np.ndarray, list, dict)) else a for a in args]


def same(got: Any, want: Any) -> None:
    assert type(got) is type(want)
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            same(a, b)
    elif isinstance(want, dict):
        assert got.keys() == want.keys()
        for k in want:
            same(got[k], want[k])
    else:
        if isinstance(want, (str, type(None))):
            assert got == want
            return
        np.testing.assert_allclose(got, want, rtol=1e-11)
        assert np.asarray(got).dtype == np.asarray(want).dtype


def between(x: Any) -> Any:
    y = np.exp(x) * 2
    z = np.asarray(memoryview(np.ascontiguousarray(x)))
    return (z + y).sum(axis=0)


def logged(x: Any) -> Any:
    y = np.sqrt(x) + 1
    logging.getLogger("tests").info("now %s", y.shape)
    return y * y


def printed(x: Any) -> Any:
    for k in range(3):
        x = x * 0.5 + np.cos(x)
        print(k, x.shape)
    return x - x.mean()


def formatted(x: Any) -> Any:
    low = (x * 2).min()
    text = f"{low:.3f}"
    return x - low, text


def test_results_are_arguments_of_the_next_segment() -> None:
    check(between, X, compiled=2)


def test_logging_is_a_host_call(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tests"):
        check(logged, X, compiled=2)
    assert [r.getMessage() for r in caplog.records] == ["now (6, 5)"] * 6


def test_a_loop_is_divided_at_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    check(printed, X, compiled=2)
    assert capsys.readouterr().out == "0 (6, 5)\n1 (6, 5)\n2 (6, 5)\n" * 6


def test_what_formats_is_pythons() -> None:
    check(formatted, X, compiled=2)


def written(x: Any, y: Any) -> Any:
    x[0] = x[0] * 2 + 1
    print(float(x.sum()))
    x += y
    y[:, 1] = x[:, 0] * 3
    print(float(y.sum()))
    return x @ y.T


def test_writes_stay_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    check(written, X, X[::-1].copy(), compiled=3)
    lines = capsys.readouterr().out.split()
    np.testing.assert_allclose([float(v) for v in lines[:2]], [float(v) for v in lines[2:4]])


def kept(x: Any, seen: list[Any]) -> Any:
    y = x * 2 + 1
    seen.append(y)
    print(end="")
    y += np.sin(y)
    return y


def test_an_array_that_was_given_away_is_the_same_one() -> None:
    seen: list[Any] = []
    g = tracejit.function(kept, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        for _ in range(3):
            y = g(X, seen)
            assert seen[-1] is y
            np.testing.assert_allclose(y, X * 2 + 1 + np.sin(X * 2 + 1))


def nested_step(x: Any, k: int) -> Any:
    y = x * 0.9 + np.sin(x) * k
    print(end="")
    return y / (1 + y * y)


def nested(x: Any) -> Any:
    for k in range(4):
        x = nested_step(x + 1, k)
    return x.sum()


def test_functions_that_make_host_calls_are_compiled_around_them() -> None:
    check(nested, X, compiled=2)


def early(x: Any, limit: float) -> Any:
    y = x * 2 + 1
    if y.sum() > limit:
        print(end="")
        return y.max()
    while y.sum() < limit:
        y = y * 1.5 + 0.1
        if y[0, 0] > 50:
            print(end="")
            break
    else:
        y = -y
    return y.min(), y


@pytest.mark.parametrize("limit", [1.0, 500.0, 50_000.0])
def test_exits_are_pythons(limit: float) -> None:
    g = tracejit.function(early, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        for _ in range(2):
            same(g(X, limit), early(X, limit))


def raising(x: Any, out: Any) -> Any:
    out[0] = x[0] + 1
    print(end="")
    out[1] = x[1] * 2
    y = x + np.ones(x.shape[1] + 1)
    out[2] = y[0]
    return y


def test_exceptions_leave_what_python_leaves() -> None:
    g = tracejit.function(raising, on_unsupported="warn")
    for _ in range(2):
        mine, plain = np.zeros_like(X), np.zeros_like(X)
        with pytest.raises(ValueError, match="broadcast"):
            raising(X, plain)
        with warnings.catch_warnings(), pytest.raises(ValueError, match="broadcast"):
            warnings.simplefilter("ignore", UnsupportedWarning)
            g(X, mine)
        np.testing.assert_array_equal(mine, plain)


def handled(x: Any) -> Any:
    y = x
    try:
        y = x * 2
        print(end="")
        y = y[:, :2] + np.zeros((6, 3))
    except ValueError:
        return y.sum()
    return y


def test_a_handler_sees_what_was_assigned() -> None:
    check(handled, X, compiled=2)


def test_the_warning_names_the_line() -> None:
    g = tracejit.function(logged, on_unsupported="warn")
    with pytest.warns(UnsupportedWarning) as told:
        g(X)
        g(X)
    text = str(told[0].message)
    assert len(told) == 1
    assert "logging" in text.splitlines()[2]
    assert "what is around it is compiled" in text
    assert "line" in g.explain()


def test_an_error_is_raised_where_it_is_asked_for() -> None:
    g = tracejit.function(logged, on_unsupported="error")
    for _ in range(2):
        with pytest.raises(tracejit.UnsupportedError, match="logging"):
            g(X)


def growing(x: Any, table: dict[str, Any]) -> Any:
    for k in range(40):
        x = x * 0.5 + np.cos(x)
        table[f"{k}"] = x.sum()
    return x


def test_a_structure_that_grows_is_not_compiled_at_each_step() -> None:
    g = tracejit.function(growing, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        mine, plain = {}, {}
        same(g(X, mine), growing(X, plain))
    same(mine, plain)
    assert all(p.stats.traces <= 6 for p in parts(g))


def changing(x: Any, pick: Any) -> Any:
    y = x * 2 + 1
    z = pick(y)
    return z * z + 1


@pytest.mark.parametrize(
    "pick",
    [
        lambda y: list(y[0]),
        lambda y: None if y.sum() < 0 else y.astype(np.float32),
        lambda y: y.astype(str).astype(float),
        lambda y: np.float32(memoryview(y)[0, 0]),
        lambda y: int(memoryview(y)[0, 0]),
        lambda y: np.ma.masked_array(y, y > 2),
    ],
)
def test_a_result_is_guarded(pick: Callable[[Any], Any]) -> None:
    """What a host call gives may be of another class, dtype or rank each time."""

    def host(y: Any) -> Any:
        memoryview(np.ascontiguousarray(y))
        return pick(y)

    g = tracejit.function(changing, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        for k in range(4):
            x = X[k % 2 :]
            try:
                want: Any = changing(x, host)
            except TypeError:
                with pytest.raises(TypeError):
                    g(x, host)
                continue
            got = g(x, host)
            same(got, want)
            assert type(got) is type(want)


def test_defaults_and_code_may_change() -> None:
    def f(x: Any, by: Any = 2.0) -> Any:
        y = np.exp(x) * by
        print(end="")
        return y + by

    def other(x: Any, by: Any = 2.0) -> Any:
        y = np.exp(-x) * by
        print(end="")
        return y - by

    g = tracejit.function(f, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        for defaults in ((2.0,), (3.0,), (np.arange(5.0),)):
            f.__defaults__ = defaults
            for _ in range(3):
                same(g(X), f(X))
        f.__code__ = other.__code__
        for _ in range(3):
            same(g(X), other(X, f.__defaults__[0]))


class Log:
    def __init__(self) -> None:
        self.log: list[Any] = []

    def reset(self) -> int:
        self.log = []
        return len(self.log)


def reset(x: Any, o: Any) -> Any:
    y = x * 2
    before = o.log
    print(end="")
    o.log.append(o.reset())
    return y + 1, len(before), len(o.log)


def test_what_is_called_is_looked_up_before_its_arguments() -> None:
    g = tracejit.function(reset, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        for _ in range(3):
            same(g(X, Log()), reset(X, Log()))


@pytest.mark.parametrize("f", [lambda d, x: d["l"].append, lambda d, x: d.get, lambda d, x: x.sum])
def test_methods_that_are_returned_are_those_of_the_caller(f: Callable[..., Any]) -> None:
    held: dict[str, Any] = {"l": []}
    g = tracejit.function(f, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        assert g(held, X).__self__ is f(held, X).__self__


def later(x: Any) -> Any:
    a = 0
    for k in range(6):
        print(end="")
        a = a * 2 + 1
        print(end="")
        a = x if k == 2 else a
    return a


def test_a_segment_that_meets_arrays_late_is_compiled_then() -> None:
    g = tracejit.function(later, on_unsupported="warn")
    with warnings.catch_warnings(), tracejit.config(compile=False):
        warnings.simplefilter("ignore", UnsupportedWarning)
        for _ in range(2):
            same(g(X), later(X))
    assert g._segments is not None
    (doubled,) = [part for lines, part in g._segments.lines if lines[0] == _line(later) + 4]
    assert doubled.segment.stats.traces
    assert not doubled.segment.stats.fallbacks


def _line(f: Callable[..., Any]) -> int:
    return f.__code__.co_firstlineno


def reported(x):
    a = x * 2 + 1
    text = f"{a[0]:.3f}"
    b = np.sin(a) + a
    text += f"{b[0]:.3f}"
    c = (a * b).sum()
    for k in range(2):
        c = c + (b * k).sum()
        text += f"{c:.3f}"
        b = b * 1.5
    return a + b + c, text


def test_parts_of_parts_become_parts_side_by_side() -> None:
    f = tracejit.function(reported, on_unsupported="warn")
    x = np.linspace(0, 1, 5)
    for k in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if not k else "error")
            found, wanted = f(x), reported(x)
        np.testing.assert_allclose(found[0], wanted[0], rtol=1e-14)
        assert found[1] == wanted[1]
    text = f.explain()
    parts = [part.segment for _, part in f._segments.lines]
    assert len(parts) == 6 and "divided" not in text
    # What was compiled inside of a part is kept.
    assert all(part.stats.traces == 1 and part._segments is None for part in parts)


def test_what_is_pythons_is_explained() -> None:
    f = tracejit.function(reported, on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning):
        f(np.linspace(0, 1, 5))
    first = reported.__code__.co_firstlineno
    lines = [line for line in f.explain().splitlines() if "is Python's" in line]
    reason = "the text of a traced array is asked for"
    assert lines == [f"line {first + k} is Python's: {reason}" for k in (2, 4, 8)]
