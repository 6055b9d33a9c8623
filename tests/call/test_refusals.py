"""What a trace cannot see runs in plain NumPy: the state, identity and class of Python objects."""

from __future__ import annotations

import enum
import functools
import pickle
import re
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tracejit

X = np.arange(3.0)


def class_patterns(x: Any, n: Any) -> Any:
    match n:
        case int():
            return x + n
        case float():
            return x * n
    return x * 0


@functools.lru_cache
def table(n: int) -> Any:
    return np.arange(n) * 1.0


def with_attribute(x: Any) -> Any:
    return x * with_attribute.factor  # type: ignore[attr-defined]


with_attribute.factor = 2.0  # type: ignore[attr-defined]


def counted(x: Any) -> Any:
    counted.calls = getattr(counted, "calls", 0) + 1  # type: ignore[attr-defined]
    return x * 2


class Doubled(np.float64):
    """A number of the user's own class."""

    def __mul__(self, other: Any) -> Any:
        return 2 * super().__mul__(other)

    __rmul__ = __mul__


TWICE = Doubled(1.5)

REFUSED: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "identity": (lambda x, y: 1.0 if x is y else 0.0, (X, X)),
    "id": (lambda x: x * id(x), (X,)),
    "a number of an own class": (lambda x, n: n * x, (X, TWICE)),
    "a captured number of an own class": (lambda x: x.sum() * TWICE, (X,)),
    "class patterns": (class_patterns, (X, 2)),
    "comparison with None": (lambda x: x == None, (X,)),  # noqa: E711
    "comparison with text": (lambda x: x != "a", (X,)),
    "a cached helper": (lambda x: x * table(3), (X,)),
    "attributes of functions": (with_attribute, (X,)),
    "assigned attributes": (counted, (X,)),
    "pickles": (lambda x: len(pickle.dumps(x)), (X,)),
    "text of an array": (lambda x: str(x), (X,)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_trace_cannot_see_runs_in_numpy(name: str) -> None:
    function, args = REFUSED[name]
    f = tracejit.function(function, on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning) as caught:
        got = f(*args)
    np.testing.assert_array_equal(got, function(*args))
    assert f.stats.compiles == 0
    text = str(caught[0].message)
    assert __file__ in text
    assert len(text.splitlines()) <= 12
    with pytest.raises(tracejit.UnsupportedError):
        tracejit.function(function, on_unsupported="error")(*args)


SEEN: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "is None": (lambda x, a: x if a is None else x * a, (X, 2.0)),
    "hasattr of a number": (lambda x, k: x * hasattr(k, "__len__"), (X, 2.0)),
    "hasattr of an array": (lambda x: x * hasattr(x, "__len__"), (X,)),
    "type": (lambda x: x * (type(x.sum()) is np.float64), (X,)),
    "isscalar": (lambda x: x * np.isscalar(x.sum()), (X,)),
    "text of a length": (lambda x: x * len(f"{x.shape[0]:4d}"), (X,)),
    "leading axis": (lambda x: x.sum(0), (np.ones((3, 4, 2)),)),
    "leading axes": (lambda x: x.max((0, 1)), (np.arange(48.0).reshape(2, 3, 4, 2),)),
    "0-d view": (lambda x: [x[..., -1], x * 1], (X,)),
    "0-d contiguous": (lambda x: np.ascontiguousarray(x) * 1, (np.array(2.0),)),
    "row products": (lambda a: np.einsum("ij,ij->i", a, a), (np.ones((4, 5)),)),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_a_trace_sees_is_compiled(name: str) -> None:
    function, args = SEEN[name]
    f = tracejit.function(function, on_unsupported="error")
    got, want = f(*args), function(*args)
    for a, b in zip(*((r if isinstance(r, list) else [r]) for r in (got, want)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.shape(a) == np.shape(b)
    assert (f.stats.traces, f.stats.fallbacks) == (1, 0)


# Objects of other classes, and identity -----------------------------------------------------------


class Adding:
    def __radd__(self, other: Any) -> Any:
        return type(other).__name__


class AddingWhole(Adding):
    __array_ufunc__ = None


class AddingFirst(Adding):
    __array_priority__ = 10


def outcome(f: Callable[..., Any], *args: Any) -> Any:
    try:
        result = f(*args)
    except Exception as error:
        return type(error), str(error)
    return type(result), repr(result)


@pytest.mark.parametrize("other", [
    Adding(), AddingWhole(), AddingFirst(), Fraction(1, 2), Decimal(1), {1: 2}, {1}, object, len,
    slice(1), "a", b"a", None, [1, 2, 3], 1j,
], ids=lambda o: type(o).__name__)  # fmt: skip
@pytest.mark.parametrize("f", [
    lambda x, o: x == o, lambda x, o: x != o, lambda x, o: x + o, lambda x, o: o + x,
    lambda x, o: x[0] + o, lambda x, o: x[0] == o, lambda x, o: x < o, lambda x, o: o == x,
])  # fmt: skip
def test_objects_meet_each_element(f: Any, other: Any) -> None:
    with tracejit.config(compile=False):
        compiled = tracejit.function(f, on_unsupported="warn")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
            assert outcome(compiled, X, other) == outcome(f, X, other)


YES = True


class Switch(enum.Enum):
    ON = True


def is_true(flag: Any) -> bool:
    return flag is True


def by_match(x: Any, flag: Any) -> Any:
    match flag:
        case True:
            return x
        case None:
            return x * 2
    return x * 3


@pytest.mark.parametrize("f", [
    lambda x, k: (k > 0) is True, lambda x, k: (k > 0) is YES, lambda x, k: (k > 0) is (k > 0),
    lambda x, k: True is (k > 0), lambda x, k: (not k) is False, lambda x, k: (x > 0).any() is YES,
    lambda x, k: (k == k) is not False, lambda x, k: x.any() is np.True_,
    lambda x, k: is_true(k > 0), lambda x, k: [q is True for q in [k > 0]],
    lambda x, k: (k if not k else k > 0) is True, lambda x, k: (x.shape[0] > 1) is True,
    lambda x, k: k is min(k, 5), lambda x, k: by_match(x, k > 0),
    lambda x, k: Switch.ON.value is (k > 0),
])  # fmt: skip
def test_which_object_a_number_is(f: Any) -> None:
    for k in (3, 2.5, True, np.float64(2), np.True_):
        with tracejit.config(compile=False), warnings.catch_warnings():
            warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
            got = tracejit.function(f, on_unsupported="warn")(X, k)
        assert outcome(lambda r: r, got) == outcome(f, X, k)


@pytest.mark.parametrize(("f", "flag"), [
    (lambda x, flag: x if flag is True else x + 1, True),
    (lambda x, flag: x if flag is not False else x + 1, 3),
    (lambda x, flag: x if flag is None else x + 1, None),
    (lambda x, flag: x if flag is Switch.ON else x + 1, Switch.ON),
    (lambda x, flag: x if flag is len else x + 1, len),
    (lambda x, flag: x if type(flag) is int else x + 1, 1),
    (lambda x, flag: x if type(flag) is type(x) else x + 1, 1),
    (lambda x, flag: x if x.dtype.type is np.float64 else x + 1, 1),
])  # fmt: skip
def test_identity_of_what_is_no_number_is_compiled(f: Any, flag: Any) -> None:
    np.testing.assert_array_equal(tracejit.function(f, on_unsupported="error")(X, flag), f(X, flag))


def test_what_prints_prints_at_every_call(capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing of it twice, nor by halves."""

    def f(x: Any) -> Any:
        print("of", len(x), x)
        return x + 1

    g = tracejit.function(f, on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning, match="prints at every call"):
        g(np.ones(2))
    g(np.ones(2))
    assert capsys.readouterr().out == "of 2 [1. 1.]\n" * 2


def after_a_branch(x: Any, out: Any) -> None:
    if x[0] > 0:
        x[0] = 1
    for k in range(len(x)):
        out[k] = x[k] * 2


def at_a_place(x: Any, out: Any) -> None:
    if x[0] > 0:
        x[0] = 1
    out[5] = x[0]


def by_out(x: Any, out: Any) -> None:
    s = 0.0
    for v in x:
        if v > 0:
            s = s + float(v)
    np.add(x, s, out=out)


@pytest.mark.parametrize("f", [after_a_branch, at_a_place, by_out])
@pytest.mark.parametrize("size", [3, 50])
def test_where_numpy_raises_nothing_is_said_of_how_it_runs(f: Any, size: int) -> None:
    """The first trace ends at the branch; what NumPy raises, that by regions finds."""
    g = tracejit.function(f, on_unsupported="warn")
    for _ in range(2):
        with pytest.raises((IndexError, ValueError)) as plain:
            f(np.ones(size), np.zeros(2))
        with pytest.raises(plain.type, match=re.escape(str(plain.value).strip())):
            g(np.ones(size), np.zeros(2))
    x, y = np.arange(1.0, 7.0), np.arange(1.0, 7.0)
    a, b = np.zeros(6), np.zeros(6)
    g(x, a)
    f(y, b)
    np.testing.assert_equal((x, a), (y, b))
    assert (g.stats.traces, g.stats.fallbacks) == (1, 0)


def test_what_is_told_is_why_there_can_be_no_regions() -> None:
    def f(x: Any) -> Any:
        found = {}
        for k in range(len(x)):
            if x[k] > 0:
                found[str(k)] = x[k]
        return found

    with pytest.warns(tracejit.UnsupportedWarning, match="changes a dict"):
        assert tracejit.function(f, on_unsupported="warn")(np.ones(20)) == f(np.ones(20))


def test_integers_beyond_64_bits_are_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same program would be found again: such calls try it, and then run in NumPy."""
    from tracejit.call import slow

    traces: list[int] = []
    run_trace = slow.run_trace

    def counted(*args: Any) -> Any:
        traces.append(1)
        return run_trace(*args)

    def grown(x: Any, n: int) -> Any:
        s = 1
        for k in range(n):
            s = s * 3 + k
        return x[0] + s % 1000

    monkeypatch.setattr(slow, "run_trace", counted)
    f, x = tracejit.function(grown, on_unsupported="warn"), np.ones(3)
    for n in (10, 12, 20):
        assert f(x, n) == grown(x, n)
    with pytest.warns(tracejit.UnsupportedWarning, match="does not take the arguments"):
        assert f(x, 100) == grown(x, 100)
    known, fallbacks = len(traces), f.stats.fallbacks
    for n in (100, 101, 20, 150, 5, 100):
        assert f(x, n) == grown(x, n)
    assert len(traces) == known and f.stats.fallbacks == fallbacks + 4
