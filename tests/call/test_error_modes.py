"""``np.errstate`` around what decides: a mode that raises, or calls, is NumPy's to keep."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit import UnsupportedWarning

SEEN: list[Any] = []


def handled(x: Any) -> Any:
    try:
        with np.errstate(divide="raise"):
            y = 1.0 / x
    except FloatingPointError:
        y = x * 0 - 1
    return y


def in_a_loop(x: Any) -> Any:
    total = 0.0
    for v in x:
        try:
            with np.errstate(all="raise"):
                total = total + 1.0 / v
        except FloatingPointError:
            total = total + 100
    return total


def set_for_all(x: Any) -> Any:
    before = np.seterr(divide="raise")
    try:
        return 1 / x
    finally:
        np.seterr(**before)


def calls(x: Any) -> Any:
    with np.errstate(divide="call", call=lambda *seen: SEEN.append(seen)):
        return 1 / x


def inside(x: Any) -> Any:
    with np.errstate(divide="ignore"):
        first = 1 / x
        with np.errstate(invalid="raise"):
            return first, np.sqrt(x), np.exp(x)


def made_before(x: Any) -> Any:
    modes = np.errstate(over="raise")
    with modes:
        return np.exp(x)


@np.errstate(divide="raise")
def decorated(x: Any) -> Any:
    return 1 / x


def host_call_inside(x: Any) -> Any:
    with np.errstate(divide="raise"):
        y = x * 2
        print(end="")
        z = 1 / y
        print(end="")
    return y + z


def as_values_say(x: Any) -> Any:
    with np.errstate(divide="raise" if x[0] > 0 else "ignore"):
        return 1 / x


def ran(f: Callable[..., Any], x: Any) -> Any:
    """What a call gives, or raises, and all that it tells."""
    SEEN.clear()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            result = f(x)
        except FloatingPointError as error:
            result = str(error).splitlines()[0]
    texts = [str(w.message) for w in told if w.category is not UnsupportedWarning]
    return repr(result), sorted(set(texts)), list(map(repr, SEEN))


@pytest.mark.parametrize(
    "f",
    [
        handled, in_a_loop, set_for_all, calls, inside, made_before, decorated, host_call_inside,
        as_values_say,
    ],
)  # fmt: skip
def test_a_mode_that_raises_is_kept(f: Callable[..., Any]) -> None:
    arrays = [np.array(v) for v in ([1.0, 2.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 1e3], [-0.0, 1e3])]
    with tracejit.config(compile=False):
        g = tracejit.function(f, on_unsupported="warn")
        for x in [*arrays, *arrays]:
            assert ran(g, x) == ran(f, x)


def test_a_mode_of_the_caller_is_kept() -> None:
    def f(x: Any) -> Any:
        return np.log(x) / x

    g = tracejit.function(f, on_unsupported="warn")
    x = np.array([1.0, 0.0])
    with np.errstate(all="ignore"):
        g(x)
    assert g.stats.traces == 1
    with np.errstate(divide="raise"):
        assert ran(g, x) == ran(f, x)
        assert "divide by zero" in ran(g, x)[0]
    with np.errstate(all="ignore"):
        g(x)
    assert g.stats.compiles == 1
