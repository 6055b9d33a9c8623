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


# Positions and exponents --------------------------------------------------------------------------

_X, _I = np.arange(6.0), np.array([1, 9])
_EMPTY_ROWS = np.zeros((0, 3))


def _dead_read(x: np.ndarray, i: np.ndarray) -> np.ndarray:
    x[i]
    return x * 2


def _dead_write(x: np.ndarray, i: np.ndarray) -> np.ndarray:
    y = np.zeros(3)
    y[i] = 1
    return x * 2


def _dead_add(x: np.ndarray, i: np.ndarray) -> np.ndarray:
    y = x.copy()
    np.add.at(y, i, 1.0)
    return y[:0]


def _chosen(x: np.ndarray, i: np.ndarray) -> np.ndarray:
    return np.where(True, 0.0, x[i])


UNREAD = {
    "part": lambda x, i: x[i][:1],
    "length": lambda x, i: len(x[i]),
    "shape": lambda x, i: x[i].shape,
    "dead": lambda x, i: (x * 2, x[i])[0],
    "statement": _dead_read,
    "write": _dead_write,
    "add": _dead_add,
    "choice": _chosen,
    "rows": lambda x, i: x.reshape(3, 2)[i][:, :0],
    "column": lambda x, i: x.reshape(2, 3)[:, i][0, :1],
    "pair": lambda x, i: x.reshape(2, 3)[i, i][1:1],
    "constant": lambda x, i: x[np.array([0, 77])][:1] + len(i),
    "take": lambda x, i: np.take(x, i)[:1],
    "take axis": lambda x, i: np.take(x.reshape(3, 2), i, axis=1).shape,
    "take along": lambda x, i: np.take_along_axis(x, i, 0)[:1],
    "twice": lambda x, i: (x[i][:1], x[i - 3].sum()),
    "any": lambda x, i: np.any(x[i]),
    "negative": lambda x, i: x[-i][:1],
    "alias": lambda x, i: (x[1:], len(x[i])),
}
POWERS = {
    "part": lambda a, b: (a**b)[:1],
    "dead": lambda a, b: (a**b, a + b)[1],
    "broadcast": lambda a, b: (a[:, None] ** b)[:0].shape,
    "ufunc": lambda a, b: np.power(a, b).shape,
}


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", UNREAD)
def test_positions_of_what_is_not_read(name: str) -> None:
    with tracejit.config(compile=name in ("part", "dead", "write", "alias", "length")):
        _kept(UNREAD[name], _X, _I)
        good = tracejit.function(UNREAD[name], on_unsupported="error")
        if name not in ("constant",):
            fine = np.array([0, 0])
            for _ in range(2):
                assert str(good(_X, fine)) == str(UNREAD[name](_X, fine))
            with pytest.raises(IndexError):
                good(_X, _I)
            assert str(good(_X, fine)) == str(UNREAD[name](_X, fine))


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", POWERS)
def test_exponents_of_what_is_not_read(name: str) -> None:
    a = np.array([2, 2])
    with tracejit.config(compile=name == "part"):
        _kept(POWERS[name], a, np.array([1, -1]))
        good = tracejit.function(POWERS[name], on_unsupported="error")
        assert str(good(a, np.array([1, 3]))) == str(POWERS[name](a, np.array([1, 3])))
        with pytest.raises(ValueError, match="negative integer powers"):
            good(a, np.array([1, -1]))


@pytest.mark.parametrize("compiled", [True, False])
def test_a_lost_error_changes_no_state(compiled: bool) -> None:
    """A shared variable keeps its value, a generator its state, and the user's line is named."""
    total = tracejit.shared(np.zeros(2))

    def counts(x: np.ndarray, i: np.ndarray) -> np.ndarray:
        total.set_value(total.get_value() + 1)
        return x[i][:1]

    def draws(rng: np.random.Generator, x: np.ndarray, i: np.ndarray) -> Any:
        return rng.normal(size=2) + x[i][:1]

    with tracejit.config(compile=compiled):
        f = tracejit.function(counts)
        assert f(_X, np.array([1, 2]))[0] == 1.0
        for _ in range(2):
            with pytest.raises(IndexError):
                f(_X, _I)
        assert total.get_value().tolist() == [1.0, 1.0]
        g = tracejit.function(draws)
        one, two = np.random.default_rng(3), np.random.default_rng(3)
        assert np.array_equal(g(one, _X, np.array([1, 2])), draws(two, _X, np.array([1, 2])))
        for rng in (one, two):
            with pytest.raises(IndexError):
                (g if rng is one else draws)(rng, _X, _I)
        assert one.random() == two.random()


def test_what_is_read_whole_is_tested_where_it_is_read() -> None:
    """No pass of its own: the program has the outputs of the function alone."""
    for f in (lambda x, i: x[i], lambda x, i: x[i] + 1, lambda x, i: x[i].sum()):
        assert len(tracejit.function(f).graph(_X, np.array([1, 2])).outputs) == 1
    masked = tracejit.function(lambda x: (x[x > 1], x[np.argsort(x)][:1], x[np.argmax(x)]))
    assert len(masked.graph(_X).outputs) == 3
    assert len(tracejit.function(lambda x, i: x[i][:1]).graph(_X, np.array([1, 2])).outputs) == 2


def test_nothing_is_required_of_an_empty_result() -> None:
    """As NumPy has it: a position is looked at where there is something to take."""
    with tracejit.config(compile=False):
        take = tracejit.function(lambda x, i: np.take(x, i, axis=1))
        assert take(_EMPTY_ROWS, np.array([7])).shape == (0, 1)
        power = tracejit.function(lambda a, b: a**b)
        assert power(np.zeros((0, 1), int), np.array([-1])).shape == (0, 1)


@pytest.mark.usefixtures("plain")
def test_positions_beside_an_empty_axis() -> None:
    with tracejit.config(compile=False):
        _kept(lambda a: a[:, np.array([7])], _EMPTY_ROWS)
        _kept(lambda a, i: a[:, i], _EMPTY_ROWS, np.array([7]))
        f = tracejit.function(lambda a, i: a[:, i])
        assert f(np.ones((3, 3)), np.array([1])).shape == (3, 1)
        with pytest.raises(IndexError):
            f(_EMPTY_ROWS, np.array([7]))
        assert f(_EMPTY_ROWS, np.array([1])).shape == (0, 1)


def test_a_scalar_has_no_axis_for_a_median() -> None:
    with tracejit.config(compile=False):
        _kept(lambda x: np.median(x, axis=0), np.array(2.0))
        assert tracejit.function(lambda x: np.median(x))(np.array(2.0)) == 2.0
        both = tracejit.function(lambda x: np.median(x, axis=(1, 0)))
        assert both(np.arange(6.0).reshape(2, 3)) == 2.5


# Empty arrays, and scalars ------------------------------------------------------------------------


def _with(v: np.ndarray, key: Any, y: Any) -> np.ndarray:
    v = v.copy()
    v[key] = y
    return v


_NONE, _SCALAR = np.zeros(0), np.array(2.0)
EMPTY: dict[str, tuple[Any, ...]] = {
    "max": (lambda a: a.max(axis=0), _EMPTY_ROWS),
    "argmax": (lambda a: a.argmax(axis=0), _EMPTY_ROWS),
    "min of all": (lambda a: a.min(), _NONE),
    "take": (lambda a: np.take(a, [0], axis=0), _EMPTY_ROWS),
    "take along": (lambda a: np.take_along_axis(a, np.zeros((1, 3), int), 0), _EMPTY_ROWS),
    "mask": (lambda a, m: a[m], _EMPTY_ROWS, np.zeros((0, 2), bool)),
    "mask of length 2": (lambda a, m: a[m], _NONE, np.zeros(2, bool)),
    "reshape": (lambda a: a.reshape(2, 1), _NONE),
    "reshape of what": (lambda a: a.reshape(-1, 0), _EMPTY_ROWS),
    "split": (lambda a: np.split(a, 2, axis=1), _EMPTY_ROWS),
    "set": (lambda a, b: _with(a, ..., b), _NONE, np.zeros((0, 0))),
    "set rows": (lambda a, b: _with(a, ..., b), _EMPTY_ROWS, np.zeros((2, 3))),
    "set column": (lambda a: _with(a, (slice(None), np.array([7])), 1.0), _EMPTY_ROWS),
    "join": (lambda a, b: np.concatenate([a, b]), _EMPTY_ROWS, np.zeros((0, 2))),
    "product": (lambda a, b: a @ b, _EMPTY_ROWS, np.zeros((0, 2))),
}
SCALARS: dict[str, Any] = {
    "argsort": lambda x: np.argsort(x, axis=1),
    "flip": lambda x: np.flip(x, axis=0),
    "max": lambda x: np.max(x, axis=1),
    "quantile": lambda x: np.quantile(x, 0.5, axis=0),
}


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", EMPTY)
def test_empty_arrays(name: str) -> None:
    """NumPy's error at the first call, and at a call after one with three rows."""
    f, *args = EMPTY[name]
    with tracejit.config(compile=False):
        _kept(f, *args)
        g = tracejit.function(f)
        rows = [np.ones([n or 3 for n in a.shape], a.dtype) for a in args]
        for given in (rows, args, rows):
            try:
                expected: Any = str(f(*given))
            except Exception as error:
                with pytest.raises(type(error)):
                    g(*given)
            else:
                assert str(g(*given)) == expected


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", SCALARS)
def test_axes_of_a_scalar(name: str) -> None:
    with tracejit.config(compile=False):
        _kept(SCALARS[name], _SCALAR)
        first = tracejit.function(lambda x: (np.argsort(x, axis=-1), np.flip(x)))
        assert str(first(_SCALAR)) == str((np.argsort(_SCALAR, axis=-1), np.flip(_SCALAR)))


@pytest.mark.usefixtures("plain")
def test_powers_in_turn() -> None:
    with tracejit.config(compile=False):
        _kept(lambda a: np.power.accumulate(a)[:1], np.array([2, -1]))
