"""What is refused by its values: arrays are as they were, or as NumPy leaves them."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.errors import UnsupportedError


def beyond_64_bits(x):
    s = 1
    for i in range(len(x)):
        s = s * 7 + int(x[i])
        x[i] = 0
    return s


def handled(x):
    for i in range(len(x)):
        try:
            x[i] = 1 // int(x[i])
        except ZeroDivisionError:
            x[i] = -1


KEPT = np.arange(40.0)


def captured(x):
    for i in range(len(x)):
        try:
            KEPT[int(x[i])] = 1 // int(x[i])
        except ZeroDivisionError:
            KEPT[0] = -1


@pytest.mark.parametrize("f", [beyond_64_bits, handled, captured])
def test_a_refusal_leaves_the_arrays_as_they_were(f: Callable[..., Any]) -> None:
    x, kept = np.arange(40.0) % 3, KEPT.copy()
    g = tracejit.function(f, on_unsupported="error")
    for _ in range(2):
        with pytest.raises(UnsupportedError):
            g(x)
        np.testing.assert_array_equal(x, np.arange(40.0) % 3)
        np.testing.assert_array_equal(KEPT, kept)


def test_a_refusal_of_the_compiler_comes_before_the_function_has_run(monkeypatch: Any) -> None:
    from tracejit.call import slow

    def refuses(*args: Any) -> None:
        raise AssertionError("no program")

    monkeypatch.setattr(slow, "compile_path", refuses)
    x = np.zeros(3)
    with pytest.raises(UnsupportedError, match="compiler refuses"):
        tracejit.function(lambda x: x.fill(2), on_unsupported="error")(x)
    assert not x.any()


def wrong_shapes(x):
    x[0] = 5
    return x[1:] + x[:-2]


def wrong_write(x):
    x[:] = x[1:]


def wrong_index(x):
    for k in range(len(x) + 1):
        x[k] = 2


def wrong_out(x):
    np.add(x, 1, out=x[1:])


@pytest.mark.parametrize("mode", ["error", "warn"])
@pytest.mark.parametrize("f", [wrong_shapes, wrong_write, wrong_index, wrong_out])
def test_exceptions_are_numpys_and_end_in_the_users_line(f: Callable[..., Any], mode: str) -> None:
    x, y = np.arange(5.0), np.arange(5.0)
    with pytest.raises((ValueError, IndexError)) as want:
        f(x)
    with pytest.raises(want.type) as got:
        tracejit.function(f, on_unsupported=mode)(y)
    np.testing.assert_array_equal(x, y)
    assert str(got.value).split("\n")[0] == str(want.value)
    last, plain = (traceback.extract_tb(e.value.__traceback__)[-1] for e in (got, want))
    assert (last.filename, last.lineno, last.name) == (plain.filename, plain.lineno, plain.name)
