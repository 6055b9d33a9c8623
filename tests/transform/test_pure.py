"""Functions of Python's that programs call where they stand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.errors import UnsupportedError


def _same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for p, q in zip(a, b, strict=True):
            _same(p, q)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            _same(a[key], b[key])
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b


class Calls:
    """Counts calls of a function."""

    def __init__(self, f: Any) -> None:
        self.f, self.count = f, 0
        self.__name__ = "counted"

    def __call__(self, *args: Any) -> Any:
        self.count += 1
        return self.f(*args)


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"])
def _ways(request: pytest.FixtureRequest) -> Any:
    with tracejit.config(compile=request.param):
        yield


def several(x: Any, k: int = 1) -> Any:
    """Results of all kinds, of which one has a length of its own."""
    return (
        x[x > k],
        {"n": int((x > 3).sum()), "s": np.float32(x.sum()), "m": np.outer(x, x)},
        [x > 2, complex(k, 1)],
    )


@pytest.mark.usefixtures("_ways")
@pytest.mark.parametrize("dtype", ["d", "f", "i", "e", "D", "?"])
def test_dtypes_and_structures(dtype: str) -> None:
    called = tracejit.pure(lambda x: (x.T, [x.sum(), {"x": x[:1]}]))

    def f(x: Any) -> Any:
        return called(x[::-1])

    g = tracejit.function(f)
    for shape in ((3, 2), (1, 1), (0, 4), (5, 5)):
        x = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        for _ in range(2):
            _same(g(x), f(x))


@pytest.mark.usefixtures("_ways")
def test_results_of_all_kinds_within_a_program() -> None:
    called = tracejit.pure(several)

    def f(x: Any) -> Any:
        large, about, more = called(x * 1.0, k=3)
        return large.sum() * 2, large + 1, about["n"] + 1, about["s"], about["m"] @ x, more

    g = tracejit.function(f)
    for n in (6, 7, 3, 0, 1, 40):
        x = np.arange(float(n))
        _same(g(x), f(x))


def test_lengths_of_arguments_are_known_and_others_are_not() -> None:
    same = tracejit.pure(lambda x: np.sort(x)[::-1])

    def f(x: Any) -> Any:
        return same(x) + x

    g = tracejit.function(f)
    for n in (3, 4, 100):
        x = np.random.default_rng(n).random(n)
        _same(g(x), f(x))
    assert g.stats.traces == 1


def test_a_length_that_was_like_an_argument_by_chance() -> None:
    first = tracejit.pure(lambda x: x[:3] * 2)

    def f(x: Any) -> Any:
        return first(x)

    g = tracejit.function(f)
    for n in (3, 5, 9, 4):
        x = np.arange(float(n))
        _same(g(x), f(x))


@pytest.mark.usefixtures("_ways")
def test_equal_calls_are_one() -> None:
    counted = Calls(lambda x: x.cumsum())
    called = tracejit.pure(counted, result=lambda x: x)

    def f(x: Any) -> Any:
        return called(x) + called(x)

    g, x = tracejit.function(f), np.arange(4.0)
    g(x)
    counted.count = 0
    _same(g(x), 2 * x.cumsum())
    assert counted.count == 1


@pytest.mark.usefixtures("_ways")
def test_in_a_loop() -> None:
    counted = Calls(lambda x, k: float(np.median(x)) + k)
    called = tracejit.pure(counted, result=0.0)

    def f(x: Any, n: Any) -> Any:
        total = 0.0
        for i in range(int(n)):
            x[i % 5] += called(x, i)
            total += x[i % 5]
        return total

    g = tracejit.function(f)
    for n in (0, 1, 400):
        x, y = np.arange(5.0), np.arange(5.0)
        _same(g(x, np.int64(n)), f(y, np.int64(n)))
        _same(x, y)
        if n == 400:
            counted.count = 0
            g(x, np.int64(n))
            assert counted.count == n


def test_in_a_loop_that_carries_what_it_gives() -> None:
    step = tracejit.pure(lambda x: np.roll(x, 1) * 0.5, result=lambda x: np.empty(x.shape))

    def f(x: Any, n: Any) -> Any:
        y = x
        for _ in range(int(n)):
            y = step(y) + x
        return y

    g = tracejit.function(f)
    for n in (0, 3, 100):
        x = np.arange(7.0)
        _same(g(x, np.int64(n)), f(x, np.int64(n)))


def test_without_an_example_a_loop_does_not_know() -> None:
    called = tracejit.pure(lambda x: float(x))

    @tracejit.function
    def f(x: Any, n: Any) -> Any:
        total = 0.0
        for i in range(int(n)):
            if x[i] > 0.5:
                total = total + called(x[i])
        return total

    with pytest.raises(UnsupportedError, match="give an example"):
        f(np.ones(900), np.int64(900))


def test_an_exception_ends_the_call_and_nothing_is_half_done() -> None:
    def refuse(x: Any) -> Any:
        if x > 3:
            raise KeyError("too large")
        return float(x)

    called = tracejit.pure(refuse, result=0.0)

    def f(x: Any) -> Any:
        x[0] = 2.0
        total = 0.0
        for i in range(x.shape[0]):
            total = total + called(x[i])
        return total

    g = tracejit.function(f)
    assert g(np.ones(100)) == 101.0
    x, y = np.arange(100.0), np.arange(100.0)
    for h, a in ((g, x), (f, y)):
        with pytest.raises(KeyError, match="too large"):
            h(a)
    _same(x, y)


def test_it_gets_copies_which_it_may_keep_and_change() -> None:
    held: list[Any] = []

    def keeps(x: Any) -> Any:
        held.append(x)
        x[0] = -1.0
        return x.copy()

    called = tracejit.pure(keeps)

    @tracejit.function
    def f(x: Any) -> Any:
        return called(x) + x

    x = np.arange(3.0)
    f(x)
    _same(f(x), np.array([-1.0, 2.0, 4.0]))
    _same(x, np.arange(3.0))
    _same(held[-1], np.array([-1.0, 1.0, 2.0]))


def test_results_of_other_dtypes_are_numpys_then() -> None:
    called = tracejit.pure(lambda x: x.astype(int) if x[0] > 0 else x)

    def f(x: Any) -> Any:
        return called(x) * 2

    g = tracejit.function(f, on_unsupported="warn")
    for first in (0.0, 1.0, 0.0, 2.0, 0.0, 1.0, 0.0, 3.0):
        x = np.array([first, 2.5])
        _same(g(x), f(x))


def test_a_gradient_is_that_of_a_rule() -> None:
    sine = tracejit.pure(lambda x: np.array([float(v) for v in np.sin(x)]))

    @tracejit.custom_gradient
    def f(x: Any) -> Any:
        return sine(x), lambda g: g * np.cos(x)

    x = np.arange(4.0)
    np.testing.assert_allclose(tracejit.grad(lambda x: (f(x) ** 2).sum())(x), np.sin(2 * x))
    with pytest.raises(UnsupportedError, match="custom_gradient"):
        tracejit.grad(lambda x: sine(x).sum())(x)


def test_programs_within_programs() -> None:
    inner = tracejit.function(lambda x: np.exp(x) + 1)
    called = tracejit.pure(lambda x: inner(x) if len(x) < 3 else outer(x[1:]))

    @tracejit.function
    def outer(x: Any) -> Any:
        return called(x)[:1] * 2 + x[0]

    def plain(x: Any) -> Any:
        deep = np.exp(x) + 1 if len(x) < 3 else plain(x[1:])
        return deep[:1] * 2 + x[0]

    for n in (2, 3, 6, 6):
        x = np.linspace(0, 1, n)
        np.testing.assert_allclose(outer(x), plain(x), rtol=1e-15)


def test_what_it_does_not_take() -> None:
    with pytest.raises(TypeError, match="takes a function"):
        tracejit.pure(3)


def test_results_that_are_no_numbers_are_not_those_of_the_first_call() -> None:
    small = tracejit.pure(lambda x: bool(np.abs(x).max() < 0.1))
    maybe = tracejit.pure(lambda x: None if x.sum() < 0 else x.sum())
    named = tracejit.pure(lambda x: "a" if x.sum() > 0 else "b")
    mixed = tracejit.pure(lambda x: np.float64(1) if x.sum() < 0 else 1.5)
    programs = [
        lambda x: "done" if small(x) else "not",
        lambda x: maybe(x),
        lambda x: {"a": 1, "b": 2}[named(x)],
        lambda x: mixed(x),
    ]
    for f in programs:
        g = tracejit.function(f, on_unsupported="warn")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
            for s in (0.0, 1.0, -1.0, 1.0, -1.0):
                _same(g(s * np.ones(2)), f(s * np.ones(2)))


def test_truth_values_decide_in_a_loop() -> None:
    large = tracejit.pure(lambda x: bool(x.sum() > 5), result=True)

    def f(x: Any, n: Any) -> Any:
        count = 0
        for _ in range(n):
            count += 1 if large(x) else 0
            x = x + 0.5
        return count

    g = tracejit.function(f)
    assert g(np.arange(3.0), 50) == f(np.arange(3.0), 50) == 48
