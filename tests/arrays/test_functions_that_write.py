"""Functions that write into an array that they are given: NumPy's rules for what they are given."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

DTYPES = ["?", "i1", "u1", "i8", "u2", "f2", "f4", "f8", "c8", "c16"]


def outcome(f: Callable[..., Any], *args: Any) -> tuple[Any, ...]:
    """The exception's class, and all arguments and the result after the call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        try:
            result, error = f(*args), None
        except Exception as problem:
            result, error = None, problem
    return error, result, *args


def agrees(f: Callable[..., Any], *args: Any, compiled: bool = True, label: str = "") -> None:
    """`f` does what NumPy does, bit by bit, all of it compiled unless it raises."""
    g = tracejit.function(f, on_unsupported="error")

    def copied() -> list[Any]:
        return [a.copy("K") if isinstance(a, np.ndarray) else a for a in args]

    want = outcome(f, *copied())
    for _ in range(2):
        got = outcome(g, *copied())
        assert isinstance(got[0], type(want[0])), f"{label}: {want[0]!r}, {got[0]!r}"
        for a, b in zip(want[1:], got[1:], strict=True):
            same(a, b, label)
    assert not compiled or want[0] is not None or g.stats.fallbacks == 0


def same(a: Any, b: Any, label: str) -> None:
    if isinstance(a, (tuple, list)):
        for x, y in zip(a, b, strict=True):
            same(x, y, label)
        return
    assert type(a) is type(b), f"{label}: {type(a)}, {type(b)}"
    if isinstance(a, (np.ndarray, np.generic)):
        assert a.dtype == b.dtype and a.shape == b.shape, label
        np.testing.assert_array_equal(a, b, err_msg=label)


VALUES = [1, 300, -1, 1.5, 1j, True, np.float32(2.5), np.int8(-1)]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_copyto_takes_what_numpy_casts(value: Any) -> None:
    with tracejit.config(compile=False):
        for dtype in DTYPES:
            agrees(lambda x: np.copyto(x, value), np.zeros(3, dtype), label=dtype)
            agrees(lambda x: np.copyto(x, value, where=x == 0), np.zeros(3, dtype), label=dtype)
            f = lambda x, v: np.copyto(x, v)  # noqa: E731
            agrees(f, np.zeros(3, dtype), value, label=f"{dtype}, an argument")


def test_a_bool_array_is_filled_with_the_truth_of_a_list() -> None:
    agrees(lambda x: x.fill([1, 2]), np.zeros(3, int))
    with pytest.raises(tracejit.errors.UnsupportedError):
        tracejit.function(lambda x: x.fill([1, 2]), on_unsupported="error")(np.zeros(3, bool))
