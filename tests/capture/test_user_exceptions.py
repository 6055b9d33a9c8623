"""The user's own exceptions come out as Python raises them, whatever traced values they hold."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.call.slow

X = np.arange(2.0)


class Mine(Exception):
    def __init__(self, k: Any, why: Any = "x") -> None:
        super().__init__(k)
        self.k, self.why = k, why

    def __str__(self) -> str:
        return f"mine {self.k:.3f} {self.why}"


def key(x, k):
    if k < 3:
        raise KeyError(k)
    return x * k


def own(x, k):
    raise Mine(k, why=x.shape[0])


def text(x, k):
    raise ValueError(f"k is {k} and n {len(x)}")


def chained(x, k):
    try:
        raise KeyError(k)
    except KeyError as e:
        raise Mine(k) from e


def asserting(x, k):
    raise AssertionError("too small", k, x.shape)


def of_an_array(x, k):
    raise ValueError(x + k)


def group(x, k):
    raise ExceptionGroup("both", [ValueError(k), KeyError(x.shape[0])])


def leaving(x, k):
    raise SystemExit(k)


def stopping(x, k):
    raise StopIteration(k)


def missing(x, k):
    return k.nothing


def from_a_list(x, k):
    return x * [1, 2, 3][k + 5]


def from_a_dict(x, k):
    return x * {1: 2}[k + 5]


def converting(x, k):
    return x * int("a" * k)


def in_context(x, k):
    try:
        return 1 / 0
    except ZeroDivisionError:
        raise KeyError(k)  # noqa: B904


def noted(x, k):
    error = ValueError(k)
    error.add_note(f"note {k}")
    raise error


def outcome(f: Callable[..., Any], *args: Any) -> Any:
    try:
        f(*args)
    except BaseException as error:
        parts = [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]
        return (
            type(error), str(error).split("\n")[0], [type(a) for a in error.args], repr(error.args),
            [repr(p) for p in parts], getattr(error, "k", None),
            [n for n in getattr(error, "__notes__", ()) if n.startswith("note")],
        )  # fmt: skip
    raise AssertionError("it raises")


RAISING = [
    key, own, text, chained, asserting, of_an_array, group, leaving, stopping, missing,
    from_a_list, from_a_dict, converting, in_context, noted,
]  # fmt: skip


@pytest.mark.parametrize("f", RAISING)
def test_an_exception_is_pythons(f: Any) -> None:
    g = tracejit.function(f)
    expected = outcome(f, X, 1)
    assert outcome(g, X, 1) == expected
    assert outcome(g, X, 1) == expected  # again, where it is known


def in_a_loop(x, k):
    for i in range(len(x)):
        if x[i] > 0.5:
            raise ValueError(f"{x[i]} at {i}", k) from KeyError(k)
    return x.sum()


def of_two_arrays(x, k):
    y = x.copy()
    for i in range(len(x)):
        y[i] *= 2
        if y[i] > 1:
            message = f"{y[i]:g}"
            raise ValueError("too large: " + message)
    return y


@pytest.mark.parametrize("f", [in_a_loop, of_two_arrays])
def test_a_message_of_values(f: Any) -> None:
    g = tracejit.function(f, on_unsupported="error")
    small = X * 0.1
    for _ in range(2):
        np.testing.assert_array_equal(g(small, 1), f(small, 1))
        assert outcome(g, X, 1) == outcome(f, X, 1)
    assert g.stats.traces >= 1 and g.stats.loops > 0


def test_a_message_of_values_that_is_caught() -> None:
    """The handler sees the message: that is Python's."""

    def f(x, k):
        found = ""
        for i in range(len(x)):
            try:
                if x[i] > 0.5:
                    raise ValueError(f"{x[i]}")
            except ValueError as e:
                found += str(e)
        return found

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
        assert tracejit.function(f, on_unsupported="warn")(X, 1) == f(X, 1)


def returned_before(x, y):
    try:
        j = -1
        while j < len(x) - 1:
            j += 1
            if x[j] > 1:
                return j
    except LookupError:
        return -5


def raised_before(x, y):
    try:
        for i in range(len(x)):
            if x[i] > 0.5:
                raise Mine(i, "large")
            y[i % 3] = np.min(y[:i])
    except ValueError:
        return -5


def raised_after(x, y):
    try:
        for i in range(len(x)):
            if i == 4:
                break
            y[0] += [v for v in x if v > x.max()][0]  # noqa: RUF015
        raise KeyError(3)
    except LookupError as e:
        return type(e).__name__


def not_reached(x, y):
    try:
        return x[0] > 1 and x[10] > 1
    except IndexError:
        return "none"


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
@pytest.mark.parametrize("f", [returned_before, raised_before, raised_after, not_reached])
def test_only_what_numpy_reaches_is_handled(f: Any) -> None:
    def found(f: Any, x: Any) -> Any:
        try:
            return f(x, np.ones(3))
        except Exception as error:
            return repr(error)

    g = tracejit.function(f, on_unsupported="warn")
    for x in (np.array([0.1, 0.2]), np.array([5.9]), np.arange(9.0) + 1, np.array([0.1, 0.2, 3.0])):
        assert found(g, x) == found(f, x)


def test_one_that_is_handled_keeps_the_trace() -> None:
    @tracejit.function
    def handled(x, k):
        try:
            if k < 3:
                raise KeyError(k)
        except KeyError as e:
            return x * e.args[0]
        return x

    np.testing.assert_array_equal(handled(X, 2), X * 2)
    np.testing.assert_array_equal(handled(X, 1), X)
    assert handled.stats.traces == 1


@pytest.mark.parametrize("f", [key, own])
def test_in_a_derivative_it_holds_values(f: Any) -> None:
    with pytest.raises((KeyError, Mine)) as caught:
        tracejit.grad(lambda x, k: f(x, k).sum())(X, 1)
    assert caught.value.args == (1,)
    assert type(caught.value.args[0]) is int


def test_an_exit_from_outside_ends_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler's ``sys.exit()`` during a trace: the plain run must not swallow it."""

    def interrupted(*args: Any) -> Any:
        raise SystemExit(3)

    monkeypatch.setattr(tracejit.call.slow, "run_trace", interrupted)
    f = tracejit.function(lambda x: x * 2)
    with pytest.raises(SystemExit):
        f(X)
    assert f.stats.fallbacks == 0
