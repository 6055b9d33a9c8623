"""No value of an argument is in a program but under a guard on all that the answer depends on."""

from __future__ import annotations

import cmath
import enum
import itertools
import math
from typing import Any

import numpy as np
import pytest

import tracejit


@pytest.fixture(autouse=True)
def _any_number_of_answers(monkeypatch):
    """Every value is compiled for: what guards say is seen."""
    monkeypatch.setattr("tracejit.call.retrace.MAX_FEW", 100)
    monkeypatch.setattr("tracejit.call.retrace.MAX_ANSWERS", 100)


NAN = float("nan")
PARTS = [0.0, -0.0, 1.5, -1.5, NAN, -NAN, math.inf]


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and repr(a) == repr(b)


def signs(z: complex) -> tuple[float, float]:
    return math.copysign(1, z.real), math.copysign(1, z.imag)


@pytest.mark.parametrize(
    "f",
    [lambda z: z.real, lambda z: z.imag, lambda z: z.conjugate(), repr, cmath.phase, signs, abs],
    ids=["real", "imag", "conjugate", "repr", "phase", "signs", "abs"],
)
@pytest.mark.parametrize("compile", [False, True])
def test_complex_arguments(f: Any, compile: bool) -> None:
    parts = PARTS if not compile else [-0.0, 0.0, NAN]
    with tracejit.config(compile=compile):
        g = tracejit.function(lambda z: f(z), on_unsupported="warn")
        for re, im in itertools.product(parts, parts):
            z = complex(re, im)
            assert same(g(z), f(z)), z


@pytest.mark.parametrize("f", [repr, lambda t: math.copysign(1, t), lambda t: f"{t:+.2f}"])
def test_real_arguments(f: Any) -> None:
    with tracejit.config(compile=False):
        g = tracejit.function(lambda t: f(t), on_unsupported="warn")
        for t in [*PARTS, *PARTS]:
            assert same(g(t), f(t)), t


STATIC = [
    ((0.0,), (-0.0,)),
    ((complex(0, 0.0),), (complex(0, -0.0),)),
    (frozenset([0.0]), frozenset([-0.0])),
    (frozenset([1]), frozenset([True])),
    (frozenset([1]), frozenset([1.0])),
    ({1: "a"}, {1.0: "a"}),
    ({0.0: "a"}, {-0.0: "a"}),
    ((1, (True,)), (1, (1,))),
    (slice(0.0, None), slice(-0.0, None)),
    (range(0, 3, 2), range(0, 4, 2)),
    ("1", b"1"),
]


@pytest.mark.parametrize(("a", "b"), STATIC)
def test_static_values_that_are_equal_and_not_the_same(a: Any, b: Any) -> None:
    with tracejit.config(compile=False):
        g = tracejit.function(lambda x, s: (x, repr(s)), on_unsupported="warn")
        for value in (a, b, a, b):
            assert g(np.ones(2), value)[1] == repr(value)


class Metres(float):
    pass


class Doubling(float):
    def __mul__(self, other: Any) -> Any:
        return float(self) * other * 2

    __rmul__ = __mul__


class Whole(int):
    pass


class Level(enum.IntEnum):
    LOW = 3


PLAIN = [Metres(0.1), Whole(3), Level.LOW, True, np.float64(0.1)]
F32 = np.ones(3, np.float32)


@pytest.mark.parametrize("number", PLAIN)
def test_numbers_of_subclasses(number: Any) -> None:
    for f in (
        lambda x, m: x * m,
        lambda x, m: m - x,
        lambda x, m: x * (x.shape[0] * m),
        lambda x, m: x.shape[0] ** m,
        lambda x, m: np.maximum(x, m),
        lambda x, m: np.array([m, 1]) + x[:2],
    ):
        expected, result = f(F32, number), tracejit.function(f)(F32, number)
        assert (type(result), np.asarray(result).dtype) == (
            type(expected), np.asarray(expected).dtype,
        )  # fmt: skip
        np.testing.assert_array_equal(result, expected)


def test_operators_of_their_own_are_pythons() -> None:
    f = lambda n, m: n * m  # noqa: E731
    g = tracejit.function(f, on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning, match="Doubling"):
        assert g(3, Doubling(2.5)) == 15.0
