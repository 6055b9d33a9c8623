"""Calls that are known to run in plain NumPy get there at once, and no other call does."""

from __future__ import annotations

import dataclasses
import timeit
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit import UnsupportedError, UnsupportedWarning
from tracejit.call import slow as call

V = np.arange(1.0, 9.0)


class Foreign:
    """Converts to an array, and is refused."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.ones(3)


class Opaque(set):
    """Could change unseen, and is refused."""


@dataclasses.dataclass
class Held:
    value: Any
    other: Any = 1.0


@pytest.fixture(autouse=True)
def _warn() -> Iterator[None]:
    with tracejit.config(on_unsupported="warn"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        yield


@pytest.fixture
def no_slow_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Calls of the slow path fail from now on."""

    def block() -> None:
        def slow(*args: Any) -> Any:
            raise AssertionError("the slow path")

        monkeypatch.setattr(call, "call", slow)

    yield block
    monkeypatch.undo()


def branches(x: Any) -> Any:
    return x * 2 if x.ctypes.data and x.reshape(-1)[0] > 0 else x


def sets_a_global(x: Any, n: Any = 1) -> Any:
    global _last
    _last = n
    return x


_last: Any = None


def _refused_calls() -> list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
    s, o = Foreign(), Opaque()
    square = np.arange(1.0, 10.0).reshape(3, 3)
    return [
        (branches, (V,), {}),
        (branches, (), {"x": square}),
        (branches, (square.T,), {}),
        (branches, (square[:, :2],), {}),
        (branches, (square[::2, ::2],), {}),
        (branches, (square[:1],), {}),
        (branches, (V[:1],), {}),
        (branches, (V[::2],), {}),
        (branches, (np.broadcast_to(V, (2, 8)),), {}),
        (branches, (np.array(2.0),), {}),
        (lambda x, k, how="a", **more: (repr(x), k, how, more), (V, 3), {"q": (1.5, V)}),
        (lambda d: len(repr(d["a"][0])), ({"a": [V, 2]},), {}),
        (lambda x: repr(x), (np.float32(2),), {}),
        (sets_a_global, (V,), {}),
        (lambda x: o, (V,), {}),
        (lambda s: s, (s,), {}),
        (lambda x, s: s, (V,), {"s": s}),
        (lambda s: s, ([1, (2, {"k": s})],), {}),
        (lambda s: s, (o,), {}),
        (lambda x: x, (np.array(["a"]),), {}),
        (lambda x: x, (np.ma.masked_array([1.0]),), {}),
    ]


@pytest.mark.parametrize("k", range(len(_refused_calls())))
def test_a_refused_call_is_recognised(k: int, no_slow_path: Callable[[], None]) -> None:
    plain, args, kwargs = _refused_calls()[k]
    f = tracejit.function(plain)
    for _ in range(2):
        want = f(*args, **kwargs)
    no_slow_path()
    for n in range(3, 6):
        np.testing.assert_equal(f(*args, **kwargs), want)
        assert f.stats.fallbacks == n
    assert "falls back" in f.explain()


def test_other_arguments_are_compiled() -> None:
    def f(x: Any, n: Any = 1) -> Any:
        if x.ndim == 2 or x.dtype == np.float32 or x.shape[0] == 1:
            return x * n if str(x.ravel()[0]) else x
        return x * n

    g = tracejit.function(f)
    refused = [V.reshape(2, 4), V.astype(np.float32), V[:1], np.asfortranarray(V.reshape(2, 4))]
    others = [V, V[:5], V[::2], V.astype(complex), V.astype(int)]
    for _ in range(3):
        for x in refused:
            np.testing.assert_equal(g(x), f(x))
        before = g.stats.fallbacks
        for x in others:
            np.testing.assert_equal(g(x), f(x))
            np.testing.assert_equal(g(x, 2.5), f(x, 2.5))
        assert g.stats.fallbacks == before
    assert g.stats.fallbacks == 3 * len(refused)


def test_an_argument_of_another_class_is_compiled() -> None:
    f = tracejit.function(lambda s, t=1.0: [t, s])
    for s in (Foreign(), Held(Foreign()), {"a": Opaque()}, (1, Foreign()), np.array(["a"])):
        for _ in range(3):
            assert f(s)[1] is s
        before = f.stats.fallbacks
        for other in (V, Held(V), {"a": V}, {"b": V}, (1, V), (V,), 2.0, "text", Held(V, V)):
            f(other), f(t=other, s=V)
        assert f.stats.fallbacks == before
    before = f.stats.fallbacks
    assert f(V, Foreign())[1] is V
    assert f.stats.fallbacks == before + 1


def test_paths_for_the_same_arguments_come_first() -> None:
    def f(x: Any, n: int) -> Any:
        if n > 3:
            return x if sorted(x)[0] > 0 else -x
        return x * n

    g = tracejit.function(f)
    g(V, 2)
    for _ in range(4):
        assert g(V, 5) is V
        np.testing.assert_equal(g(V, 2), V * 2)
        np.testing.assert_equal(g(V, 1), V)
    assert g.stats.fallbacks == 4
    assert g.stats.traces == 1


def test_a_path_that_is_made_later_takes_over() -> None:
    def f(x: Any, n: int) -> Any:
        return (x if sorted(x)[0] > 0 else -x) if n > 3 else x * n

    g = tracejit.function(f)
    for _ in range(3):
        g(V, 5)
    g.graph(V, 2)
    for _ in range(2):
        np.testing.assert_equal(g(V, 2), V * 2)
        assert g(V, 5) is V
    assert g.stats.fallbacks == 5


def test_errors_are_the_users_and_come_once() -> None:
    calls = []

    def f(x: Any, n: Any) -> Any:
        calls.append(n)
        if x[0] > 0:
            raise [TypeError, OverflowError, KeyError][n]("mine")
        return x

    g = tracejit.function(f)
    for _ in range(2):
        assert g(-V, 0)[0] == -1
    calls.clear()
    for n, error in enumerate([TypeError, OverflowError, KeyError]):
        with pytest.raises(error, match="mine"):
            g(V, n)
    assert calls == [0, 1, 2]
    with pytest.raises(TypeError, match="missing 1 required"):
        g(V)
    with pytest.raises(TypeError, match="unexpected keyword"):
        g(V, 1, z=2)


def test_settings_are_honoured() -> None:
    f = tracejit.function(branches)
    s = tracejit.function(lambda s: s)
    for _ in range(3):
        f(V), s(Foreign()), sets_a_global(V)
    for _ in range(2):
        with tracejit.config(on_unsupported="error"):
            with pytest.raises(UnsupportedError):
                f(V)
            with pytest.raises(UnsupportedError):
                s(Foreign())
        with tracejit.config(compile=False):
            np.testing.assert_equal(f(V), V * 2)
        np.testing.assert_equal(f(V), V * 2)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        f(V * 1e308)


def test_one_warning_for_a_line() -> None:
    f = tracejit.function(branches)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(5):
            f(V), f(V.reshape(2, 4)), f(V.astype(np.float32))
    assert len(caught) == 1
    assert f.explain().count("falls back") == 3


def test_another_code_is_traced() -> None:
    def f(x: Any) -> Any:
        return x * 2 if sorted(x)[0] > 0 else x

    g, h = tracejit.function(f), tracejit.function(sets_a_global)
    for _ in range(3):
        g(V), h(V)
    f.__code__ = (lambda x: x * 3).__code__
    np.testing.assert_equal(g(V), V * 3)
    assert g.stats.fallbacks == 3
    assert g.stats.traces == 1


def test_an_outer_variable_that_is_refused_no_longer() -> None:
    def make(outer: Any) -> Any:
        def f(x: Any) -> Any:
            return x * np.asarray(outer)[0]

        def change(value: Any) -> None:
            nonlocal outer
            outer = value

        return f, change

    f, change = make(Foreign())
    g = tracejit.function(f)
    for n in (1.0, 2, V, V[:1], 2.0):
        np.testing.assert_equal(g(n), f(n))
    assert g.stats.fallbacks == 5
    change(V)
    np.testing.assert_equal(g(V.astype(np.float32)), V.astype(np.float32) * 1.0)
    assert g.stats.traces == 1


def test_calls_inside_a_trace() -> None:
    """A compiled function that calls one which is known to fall back falls back itself."""
    inner = tracejit.function(sets_a_global)
    for _ in range(3):
        inner(V, 2)
    outer = tracejit.function(lambda x: inner(x, 3) + 1)
    for _ in range(3):
        np.testing.assert_equal(outer(V), V + 1)
    assert _last == 3
    assert outer.stats.fallbacks == 3


def test_methods() -> None:
    class Model:
        def __init__(self) -> None:
            self.w = 2.0

        @tracejit.function
        def scaled(self, x: Any) -> Any:
            return x * self.w

    m = Model()
    for k in range(5):
        m.w = float(k)
        np.testing.assert_equal(m.scaled(V), V * k)
    assert isinstance(m.scaled, types.MethodType)


def test_what_a_fallback_costs() -> None:
    """A few microseconds at most, on a machine with other work too; describing a call takes 20."""
    g = tracejit.function(branches)
    for _ in range(3):
        g(V)

    def least(f: Callable[..., Any]) -> float:
        return min(timeit.repeat(lambda: f(V), number=200, repeat=30)) / 200

    assert least(g) - least(branches) < 5e-6
