"""Writes into the caller's arrays: what is in them afterwards, and who shares their memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tracejit

X, Y = (np.random.default_rng(k).random((7, 9)) for k in (1, 2))
V = np.arange(5.0)
KEPT = np.zeros(3)


@pytest.fixture(autouse=True, params=[True, False], ids=["compiled", "interpreted"])
def compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    with tracejit.config(compile=request.param):
        yield request.param


def item(x):
    x[0] = 1.0


def scale(x):
    x *= 2


def stencil(u, f):
    u[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - f[1:-1, 1:-1])


def swap(x, y):
    x[:], y[:] = y.copy(), x.copy()


def crossed(x, y):
    x += y
    y -= x[::-1]
    return x.sum() + y[0]


def reverse(x):
    x[:] = x[::-1].copy()


def mask(x):
    x[x > 0.5] = 0
    return x.sum()


def row(a, k):
    a[k] -= 3 * a[k + 1]
    return a


def in_turn(x):
    x[0] = 1
    x[1] = x[0] + x[2]
    x[-1] += x[1]
    return x[1]


def before(x, y):
    z = x.copy()
    x += y
    return z


def fancy(x, i):
    x[i] += 1.5


def repeated(x, i):
    np.add.at(x, i, 2.0)


def out(x, y):
    np.multiply(x, y, out=x)
    return x.T


def filled(x):
    x.fill(3)
    x.T[0] = 7
    x[..., -1:] = 2


def in_order(x):
    x.sort()


def diagonal(x):
    np.fill_diagonal(x[:, :7], 2)
    np.copyto(x[2:4], -1, where=x[2:4] > 0.3)
    return x[1]


def flattened(x):
    x[:, :] -= x[0]
    return x[1:].reshape(-1)


def from_another(x, y):
    x.fill(y[1, 2])
    y[:] = 7


def nothing(x):
    x[0] = x[0]
    return x.mean()


CASES: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (item, (V,)), (item, (X,)), (scale, (X,)), (stencil, (X, Y)), (swap, (X, Y)), (crossed, (X, Y)),
    (reverse, (X,)), (mask, (X,)), (row, (X, 2)), (in_turn, (V,)), (before, (X, Y)),
    (fancy, (V, np.array([0, 3]))), (repeated, (V, np.array([0, 3, 3]))), (out, (X, Y)),
    (filled, (X,)), (in_order, (X,)), (diagonal, (X,)), (nothing, (V,)),
    (flattened, (X,)), (from_another, (X, Y)),
]  # fmt: skip
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": lambda x: x.copy(),
    "F": lambda x: np.asfortranarray(x),
    "rows": lambda x: np.repeat(x, 2, axis=0)[::2],
    "gaps": lambda x: np.repeat(x, 3, axis=-1)[..., ::3],
    "backwards": lambda x: x.copy()[::-1][..., ::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("f, args", CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_the_callers_arrays_hold_what_numpy_leaves_there(f, args, layout) -> None:
    def made() -> list[Any]:
        return [LAYOUTS[layout](a) if isinstance(a, np.ndarray) else a for a in args]

    g = tracejit.function(f, on_unsupported="error")
    for _ in range(2):
        ours, theirs = made(), made()
        result, wanted = g(*ours), f(*theirs)
        assert (result is None) == (wanted is None)
        for a, b in zip([*ours, result], [*theirs, wanted], strict=True):
            if b is not None:
                np.testing.assert_allclose(a, b, rtol=1e-13)
        # Views are views, and of the same arrays.
        for a, b in zip(ours, theirs, strict=True):
            if isinstance(a, np.ndarray) and isinstance(result, np.ndarray):
                assert np.shares_memory(a, result) == np.shares_memory(b, wanted)


@pytest.mark.cpu
def test_what_a_program_writes_in_place(compiled: bool) -> None:
    if not compiled:
        pytest.skip("about machine code")
    counts = {}
    for f, args in CASES:
        g = tracejit.function(f, on_unsupported="error")
        g(*(a.copy() if isinstance(a, np.ndarray) else a for a in args))
        counts[f.__name__] = g.stats.passes, g.stats.temporaries
    assert counts["item"][1] == counts["scale"][1] == counts["mask"][1] == counts["in_turn"][1] == 0
    assert counts["scale"] == (1, 0) and counts["out"] == (1, 0)
    assert counts["stencil"] == (2, 1)  # what is put there, first
    assert counts["row"] == (1, 0)  # another one is read
    assert counts["reverse"][1] == 1 and counts["before"] == (1, 0)


# Memory that arguments share ----------------------------------------------------------------------


def shift(x, y):
    x[1:] += y[:-1]
    return x.sum() + y.sum()


def one() -> tuple[np.ndarray, np.ndarray]:
    x = np.arange(5.0)
    return x, x


def two() -> tuple[np.ndarray, np.ndarray]:
    return np.arange(5.0), np.arange(5.0) + 3


def overlapping() -> tuple[np.ndarray, np.ndarray]:
    x = np.arange(9.0)
    return x[:5], x[2:7]


def interleaved() -> tuple[np.ndarray, np.ndarray]:
    x = np.arange(10.0)
    return x[::2], x[1::2]


@pytest.mark.parametrize("first", [one, two, overlapping, interleaved])
def test_arguments_that_share_memory(first) -> None:
    g = tracejit.function(shift)
    for make in (first, one, two, overlapping, one, interleaved, two, overlapping):
        ours, theirs = make(), make()
        assert g(*ours) == shift(*theirs)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    assert g.stats.traces == 4


@pytest.mark.filterwarnings("ignore::tracejit.errors.UnsupportedWarning")
def test_an_array_some_of_whose_elements_are_one() -> None:
    def f(x):
        x[...] += x[0] + 1

    def windows() -> np.ndarray:
        x = np.arange(5.0)
        return np.lib.stride_tricks.as_strided(x, (3, 3), (8, 8))

    g = tracejit.function(f, on_unsupported="warn")
    for make in (windows, lambda: np.arange(9.0).reshape(3, 3), windows, lambda: X[:3, ::3].copy()):
        ours, theirs = make(), make()
        g(ours)
        f(theirs)
        np.testing.assert_array_equal(ours, theirs)


def of_two_dtypes() -> tuple[np.ndarray, np.ndarray]:
    x = np.arange(9.0)
    return x[:-1], x[1:].view(np.int64)


def test_overlap_is_said_once_with_what_to_do() -> None:
    g = tracejit.function(shift, on_unsupported="warn")
    with pytest.warns(tracejit.errors.UnsupportedWarning, match="x and y share memory"):
        g(*of_two_dtypes())
    g(*of_two_dtypes())


def test_arrays_that_are_only_read_may_overlap() -> None:
    g = tracejit.function(lambda x, y: (x + y).sum(), on_unsupported="error")
    assert g(*overlapping()) == sum(map(np.sum, overlapping()))


@pytest.mark.filterwarnings("ignore::tracejit.errors.UnsupportedWarning")
def test_a_captured_array_that_is_written_into_may_be_an_argument_too() -> None:
    def f(x):
        KEPT[1:] = x[:-1]
        return KEPT.sum()

    g = tracejit.function(f, on_unsupported="warn")
    for x in (np.ones(3), KEPT, np.ones(3)):
        KEPT[:] = [1, 2, 3]
        result, ours = g(x), KEPT.copy()
        KEPT[:] = [1, 2, 3]
        assert result == f(x)
        np.testing.assert_array_equal(ours, KEPT)


# Exceptions ---------------------------------------------------------------------------------------


def test_what_is_read_only_raises_as_in_numpy() -> None:
    x = V.copy()
    x.flags.writeable = False
    for f in (item, in_order, lambda x: np.broadcast_to(x, (2, 5)).fill(1)):
        with pytest.raises(ValueError, match="read-only"):
            tracejit.function(f, on_unsupported="error")(x)
    np.testing.assert_array_equal(x, V)


def late(x, i):
    x[0] = 7.0
    x[i] = 3.0
    return x


def test_at_an_exception_arrays_hold_what_numpy_leaves_there() -> None:
    g = tracejit.function(late, on_unsupported="error")
    for i in ([1, 2], [1, 9], [-5, 4], [-6, 0]):
        ours, theirs = V.copy(), V.copy()
        errors = []
        for f, x in ((g, ours), (late, theirs)):
            try:
                f(x, np.array(i))
            except IndexError as error:
                errors.append(type(error))
        assert len(errors) in (0, 2)
        np.testing.assert_array_equal(ours, theirs)


# Where arrays are ---------------------------------------------------------------------------------


@dataclass
class State:
    u: np.ndarray
    v: np.ndarray


def test_arrays_that_arguments_hold() -> None:
    def step(state, parts, more=None):
        state.u[...] += state.v
        parts["a"][0] += 1
        more[1][:] = state.u

    g = tracejit.function(step, on_unsupported="error")
    state, parts, more = State(np.zeros(3), np.ones(3)), {"a": np.zeros(2)}, [1, np.zeros(3)]
    for k in range(1, 4):
        g(state, parts, more=more)
        np.testing.assert_array_equal(state.u, np.full(3, k))
        np.testing.assert_array_equal(more[1], state.u)
        assert parts["a"].tolist() == [k, 0]
    assert g.stats.traces == 1


def test_captured_arrays() -> None:
    kept = np.zeros(3)

    @tracejit.function(on_unsupported="error")
    def f(v):
        kept[1] += v
        return kept

    assert f(2.0) is kept and f(3.0) is kept
    assert kept.tolist() == [0, 5, 0]


def test_a_helper_writes_into_what_it_is_given() -> None:
    def helper(part):
        part[:] = 2
        part[0] -= 1

    def f(x):
        helper(x[1:3])
        helper(x[3:])
        return x.sum()

    ours, theirs = V.copy(), V.copy()
    assert tracejit.function(f, on_unsupported="error")(ours) == f(theirs)
    np.testing.assert_array_equal(ours, theirs)


def test_dtypes_are_the_arrays() -> None:
    def f(x):
        x[1:3] = 2.75
        x[0] += 1

    for dtype in "?bhilBHILefdFD":
        ours, theirs = np.ones(4, dtype), np.ones(4, dtype)
        if dtype == "?":
            continue
        f(theirs)
        tracejit.function(f, on_unsupported="error")(ours)
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


@pytest.mark.filterwarnings("ignore::tracejit.errors.UnsupportedWarning")
def test_memory_maps_are_written_by_numpy(tmp_path) -> None:
    x = np.memmap(tmp_path / "x", np.float64, "w+", shape=(4,))
    tracejit.function(item, on_unsupported="warn")(x)
    assert x[0] == 1


def test_large_arrays_are_written_once_whatever_the_threads(compiled: bool) -> None:
    x = np.random.default_rng(0).random((600, 700))
    ours, theirs = x.copy(), x.copy()
    g = tracejit.function(stencil, on_unsupported="error")
    for _ in range(3):
        g(ours, x)
        stencil(theirs, x)
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)
