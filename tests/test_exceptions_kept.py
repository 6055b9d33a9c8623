"""What NumPy raises is part of the result, whoever reads the values."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit


@pytest.fixture
def plain() -> Iterator[None]:
    """Calls may run in plain NumPy."""
    with tracejit.config(on_unsupported="warn"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _kept(f: Callable[..., Any], *args: Any, **options: Any) -> None:
    """The compiled `f` raises what NumPy raises, at the first and at the second call."""
    with pytest.raises(Exception) as expected:
        f(*args)
    compiled = tracejit.function(f, **options)
    for _ in range(2):
        with pytest.raises(type(expected.value)):
            compiled(*args)


# Floating-point errors ---------------------------------------------------------------------------


def _divides(x: np.ndarray) -> np.ndarray:
    return 1.0 / x


@np.errstate(divide="raise")
def _decorated(x: np.ndarray) -> np.ndarray:
    return 1.0 / x


def _inside(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="raise"):
        return 1.0 / x


def _inside_after(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(all="ignore"):
        first = 1.0 / x
    with np.errstate(divide="raise"):
        return first, 1.0 / x


def _by_decorator(x: np.ndarray) -> np.ndarray:
    return _decorated(x) * 2


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("f", [_inside, _inside_after, _by_decorator])
def test_modes_in_the_function(f: Callable[..., Any]) -> None:
    _kept(f, np.zeros(2))


@pytest.mark.usefixtures("plain")
def test_modes_that_call_and_print(capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    @tracejit.function
    def called(x: np.ndarray) -> np.ndarray:
        with np.errstate(divide="call", call=lambda kind, flag: seen.append(kind)):
            return 1.0 / x

    @tracejit.function
    def printed(x: np.ndarray) -> np.ndarray:
        with np.errstate(divide="print"):
            return 1.0 / x

    called(np.zeros(2)), called(np.zeros(2))
    assert seen == ["divide by zero"] * 2
    printed(np.zeros(2))
    out = capfd.readouterr()
    assert "divide by zero" in out.out + out.err


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("compiled", [True, False])
def test_modes_of_the_caller(compiled: bool) -> None:
    """A mode set around the call, before or after the function was compiled, and gone again."""
    f = tracejit.function(_divides)
    with tracejit.config(compile=compiled):
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
            f(np.zeros(2))
        for _ in range(3):
            assert f(np.zeros(2))[0] == np.inf
            with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
                f(np.zeros(2))
            old = np.seterr(all="raise")
            try:
                with pytest.raises(FloatingPointError):
                    f(np.zeros(2))
            finally:
                np.seterr(**old)
        assert f.stats.traces == 1
        fallbacks = f.stats.fallbacks
        with np.errstate(all="ignore"):
            assert f(np.zeros(2))[0] == np.inf
            assert f(np.zeros(2))[1] == np.inf
        assert f.stats.fallbacks == fallbacks


@pytest.mark.usefixtures("plain")
def test_modes_are_set_by_each_call() -> None:
    def sets(x: np.ndarray) -> tuple[np.ndarray, str]:
        old = np.seterr(divide="ignore")
        now = np.geterr()["divide"]
        np.seterr(**old)
        return x * 2, now

    f = tracejit.function(sets)
    before = np.geterr()
    assert [f(np.ones(2))[1] for _ in range(2)] == ["ignore", "ignore"]
    assert np.geterr() == before


def test_quiet_modes_are_compiled() -> None:
    @tracejit.function
    def f(x: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="warn", over=None):
            return 1.0 / x

    assert f(np.zeros(2))[0] == np.inf


def test_bad_modes_are_refused_as_numpy_refuses_them() -> None:
    def bad_name(x: np.ndarray) -> np.ndarray:
        with np.errstate(zero="raise"):  # type: ignore[call-arg]
            return 1.0 / x

    def bad_mode(x: np.ndarray) -> np.ndarray:
        with np.errstate(divide="stop"):  # type: ignore[arg-type]
            return 1.0 / x

    for f in (bad_name, bad_mode):
        _kept(f, np.zeros(2))


def test_derivatives_are_of_no_mode() -> None:
    """NumPy has none to run in its place."""
    slope = tracejit.grad(lambda x: np.sum(1.0 / x))
    with np.errstate(all="raise"):
        assert slope(np.full(2, 2.0))[0] == -0.25


def test_a_symbolic_function_knows_no_modes() -> None:
    import tracejit.tensor as T

    x = T.dvector()
    f = tracejit.function([x], 1 / x)
    with np.errstate(all="raise"):
        assert f(np.zeros(2))[0] == np.inf
        assert f(np.zeros(2))[0] == np.inf
