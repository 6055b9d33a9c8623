"""Calls of libraries' functions as text, compared with what they give outside: bits, or nearly."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import tracejit


def function(expression: str, parameters: str, **modules: Any) -> Any:
    """A function of an expression, which may name NumPy and these modules."""
    scope: dict[str, Any] = {"np": np, **modules}
    exec(f"def f({parameters}): return {expression}", scope)
    return scope["f"]


def listed(text: str) -> list[str]:
    """Expressions, which two spaces part."""
    return [e for line in text.strip().split("\n") for e in line.split("  ")]


def outcome(f: Callable[..., Any], *args: Any) -> Any:
    """The result of a call, or the class of its exception."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of infinities, and of what is nearly singular
            return f(*args)
    except Exception as error:
        return type(error)


def met(f: Callable[..., Any], *args: Any, compile: bool = False) -> tuple[Any, Any] | None:
    """What a call gives when it is compiled, and outside; None where that raises.

    Then a compiled one raises the same, or is refused.
    """
    want = outcome(f, *args)
    with tracejit.config(compile=compile):
        got = outcome(tracejit.function(f, on_unsupported="error"), *args)
    if isinstance(want, type):
        assert isinstance(got, type) and issubclass(got, (want, tracejit.UnsupportedError)), got
        return None
    assert type(got) is type(want), got
    return got, want


def check(f: Callable[..., Any], *args: Any, compile: bool = False, near: float = 0) -> None:
    """The same classes, dtypes, shapes and bits, twice; or an exception of the same class.

    Values may differ relatively by `near`, of single precision by ten million times as much.
    """
    want = outcome(f, *args)
    with tracejit.config(compile=compile, check=True):
        g = tracejit.function(f, on_unsupported="error")
        for _ in range(2):
            got = outcome(g, *args)
            if isinstance(want, type):
                assert isinstance(got, type) and issubclass(got, want), got
                assert not issubclass(got, tracejit.UnsupportedError)
                continue
            _same(got, want, near)


def _same(got: Any, want: Any, near: float) -> None:
    assert type(got) is type(want), (got, want)
    if isinstance(want, tuple):
        for x, y in zip(got, want, strict=True):
            _same(x, y, near)
    elif not isinstance(want, (np.ndarray, np.generic)):
        assert got == want
    else:
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        if not near:
            np.testing.assert_array_equal(got, want)
            return
        off = near * 1e7 if want.dtype.char in "fF" else near
        np.testing.assert_allclose(got, want, rtol=off, atol=near / 100)


def flat(result: Any) -> list[Any]:
    """The results of a call, one or several."""
    return list(result) if isinstance(result, tuple) else [result]
