"""A call of a compiled function, in Python and in machine code: the same in every case."""

from __future__ import annotations

import gc
import inspect
import sys
import timeit
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.config import settings
from tracejit.errors import MISS, PLAIN
from tracejit.native import caller
from tracejit.native.caller import Caller

tracejit.function(lambda x: x + 1.0, on_unsupported="error")(np.ones(3))  # machine code is made


def in_python(self: Any, /, *args: Any, **kwargs: Any) -> Any:
    """The same as `Caller.__call__` before it is replaced."""
    if settings() is self._settings:
        try:
            result = self._driver(*args, **kwargs)
        except (TypeError, OverflowError):
            result = MISS
        if result is PLAIN:
            return self._plain(*args, **kwargs)
        if result is not MISS:
            return result
    return self._slow(args, kwargs)


class Compiled(Caller):
    def __init__(self, driver: Callable[..., Any]) -> None:
        super().__init__()
        self._ask(driver, settings())

    def _slow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args and args[0] == "fail":
            raise KeyError("slow")
        return "slow", args, kwargs


class Plain(Compiled):
    __call__ = in_python


KINDS = pytest.mark.parametrize("kind", [Compiled, Plain])


def test_the_call_is_machine_code() -> None:
    assert isinstance(Caller.__call__, types.MethodDescriptorType)
    for cls in (tracejit.function(lambda x: x).__class__, type(symbolic())):
        assert cls.__call__ is Caller.__call__


def symbolic() -> Any:
    x = tracejit.tensor.dvector("p1")
    y = tracejit.tensor.dvector("p0")
    return tracejit.function([x, y], x - y)


@KINDS
def test_calls_and_misses(kind: Any) -> None:
    def driver(a: Any, b: Any = 2, *, c: Any = 3) -> Any:
        return MISS if a == "miss" else (a, b, c)

    f = kind(driver)
    assert f(1) == (1, 2, 3)
    assert f(1, 5, c=7) == (1, 5, 7)
    assert f(b=5, a=1) == (1, 5, 3)
    assert f("miss", c=4) == ("slow", ("miss",), {"c": 4})
    assert f(*"abc") == ("slow", ("a", "b", "c"), {})
    assert f() == ("slow", (), {})
    assert f(1, d=1) == ("slow", (1,), {"d": 1})
    for name in ("self", "caller", "args", "kwargs"):
        assert f(**{name: 1}) == ("slow", (), {name: 1})
    with pytest.raises(TypeError):
        f(1, **{1: 2})


@KINDS
def test_plain_calls(kind: Any) -> None:
    """What the plain function raises is the user's: it is not called again."""
    calls: list[Any] = []

    def plain(*args: Any, **kwargs: Any) -> Any:
        calls.append((args, kwargs))
        if args[0] == "raise":
            raise TypeError("mine")
        return MISS if args[0] == "miss" else args[0]

    f = kind(lambda *args, **kwargs: PLAIN)
    f._plain = plain
    assert f(1, k=2) == 1 and f("miss") is MISS
    with pytest.raises(TypeError, match="mine"):
        f("raise")
    assert calls == [((1,), {"k": 2}), (("miss",), {}), (("raise",), {})]
    del calls[:]
    references = sys.getrefcount(PLAIN), sys.getrefcount(plain)
    for _ in range(100):
        f(None)
    assert (sys.getrefcount(PLAIN), sys.getrefcount(plain)) == references


@KINDS
@pytest.mark.parametrize("error", [TypeError, OverflowError, ValueError, KeyboardInterrupt])
def test_errors_of_the_driver(kind: Any, error: type[BaseException]) -> None:
    def driver(x: Any) -> Any:
        raise error("no")

    f = kind(driver)
    if issubclass(error, (TypeError, OverflowError)):
        assert f(1) == ("slow", (1,), {})
        with pytest.raises(KeyError, match="slow") as caught:
            f("fail")
        assert caught.value.__context__ is None
    else:
        with pytest.raises(error, match="no"):
            f(1)


@KINDS
def test_other_settings_are_another_path(kind: Any) -> None:
    f = kind(lambda x: x)
    assert f(1) == 1
    with tracejit.config(threads=1):
        assert f(1) == ("slow", (1,), {})
    assert f(1) == 1
    f._ask(f._driver, None)
    assert f(1) == ("slow", (1,), {})


@KINDS
def test_a_driver_may_be_replaced_while_it_runs(kind: Any) -> None:
    def driver(x: Any) -> Any:
        f._ask(lambda x: "new", settings())
        gc.collect()
        return x

    f = kind(driver)
    del driver
    assert [f(1), f(1)] == [1, "new"]


@KINDS
def test_references_are_as_before(kind: Any) -> None:
    answer, given = object(), object()

    def driver(x: Any, k: Any = 0) -> Any:
        if k == 1:
            raise TypeError
        return MISS if k == 2 else answer

    f = kind(driver)
    things = (f, driver, answer, given, MISS, settings(), caller._slow, TypeError)
    before = [sys.getrefcount(t) for t in things]
    for k in (0, 1, 2):
        for _ in range(50):
            f(given, k)
            f(given, k=k)
    assert [sys.getrefcount(t) for t in things] == before


def test_one_frame_of_pythons_between_the_user_and_the_program() -> None:
    f = Compiled(lambda: sys._getframe(1).f_code)
    assert f() is sys._getframe().f_code


def test_arguments_of_any_name() -> None:
    f = tracejit.function(lambda caller: caller * 2.0, on_unsupported="error")
    for x in (np.ones(3), np.ones((2, 2)), np.ones(3)):
        np.testing.assert_array_equal(f(caller=x), x * 2.0)
    x = tracejit.tensor.dvector("caller")
    g = tracejit.function([x], x * 2.0)
    for a in (np.ones(3), np.ones(6)[::2]):
        np.testing.assert_array_equal(g(caller=a), a * 2.0)


def test_it_has_a_signature() -> None:
    f = tracejit.function(lambda x, y=2: x)
    assert str(inspect.signature(f)) == "(x, y=2)"
    assert str(inspect.signature(f.__call__)) == "(*args, **kwargs)"


def test_a_driver_that_is_gone() -> None:
    f = Compiled(lambda x: x)
    del f._driver
    assert f(1) == ("slow", (1,), {})


def test_it_is_faster() -> None:
    def driver(x: Any, y: Any) -> Any:
        return 1

    times = [
        min(timeit.repeat(lambda f=f: f(1, 2), number=20_000, repeat=7))  # type: ignore[misc]
        for f in (Compiled(driver), Plain(driver))
    ]
    assert times[0] < 0.85 * times[1]


def test_subclasses_have_attributes_and_their_own_call() -> None:
    f = Compiled(lambda x: x)
    f.note = 1  # type: ignore[attr-defined]
    assert f.__call__(3) == 3 and f.note == 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Caller.__call__(object())  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        Caller()(1)


def test_names_of_symbolic_inputs_are_the_users() -> None:
    """A driver's parameters have names, too."""
    f = symbolic()
    a, b = np.array([5.0]), np.array([3.0])
    for _ in range(2):
        assert f(a, b) == 2.0
        assert f(p1=a, p0=b) == 2.0
        assert f(p0=b, p1=a) == 2.0
        assert f(a, p0=b) == 2.0
