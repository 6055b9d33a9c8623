"""Arguments that are slices of one array: a write into one is seen through the others."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.plan.slices import slices_of, telling

Array = np.ndarray[Any, np.dtype[Any]]


def line(n: int) -> Array:
    return np.arange(float(n))


def inside(n: int) -> Array:
    """What has memory before it and behind it, of which no argument is the whole."""
    return np.arange(3.0 * n)[n : 2 * n]


def plane(n: int) -> Array:
    return np.arange(float(n * n)).reshape(n, n).copy()


#: Two arguments of an array of one axis.
LINES: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "left of the other": lambda x: (x[:-1], x[1:]),
    "right of the other": lambda x: (x[1:], x[:-1]),
    "the whole, reversed": lambda x: (x, x[::-1]),
    "reversed, the whole": lambda x: (x[::-1], x[:]),
    "every other": lambda x: (x[:-1:2], x[1::2]),
    "two views of all": lambda x: (x[:], x[:]),
    "a part": lambda x: (x, x[1:-2]),
}
#: Two arguments of one of two axes.
PLANES: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "transposed": lambda x: (x, x.T),
    "a row": lambda x: (x, x[1]),
    "a column": lambda x: (x[:, 0], x),
    "two columns": lambda x: (x[:, :1], x[:, 1:2]),
    "blocks": lambda x: (x[:-1, 1:], x[1:, :-1]),
    "mirrored": lambda x: (x[::-1, ::-1], x),
    "a new axis": lambda x: (x[None, 0], x),
}


def add_first(x, y):
    x += y[0]
    return y.sum()


def double(x, y):
    x *= 2
    y += 1
    return x.sum(), y


def fill_and_read(x, y):
    before = y.copy()
    x[...] = 7
    return before, y - before, x[..., 0]


def by_elements(x, y):
    for i in range(len(y)):
        x[i % len(x)] = x[0] + y[i]
    return x[1:], y


def by_steps(x, y):
    while x.max() < 50:
        y += 3
        x += 1
    return y


PROGRAMS = [add_first, double, fill_and_read, by_steps]
CASES = [
    *((f, make, LINES[name]) for f in (*PROGRAMS, by_elements) for make in (line, inside)
      for name in LINES),
    *((f, plane, PLANES[name]) for f in PROGRAMS for name in PLANES),
]  # fmt: skip


@pytest.mark.parametrize("compiling", [False, True], ids=["interpreted", "compiled"])
def test_aliasing(compiling: bool) -> None:
    """Results, what they share, and the whole array are NumPy's."""
    for f, make, slices in CASES if not compiling else CASES[::5]:
        g = tracejit.function(f)
        for n in (6, 6, 7):
            ours, theirs = make(n), make(n)
            mine, own = slices(ours), slices(theirs)
            with tracejit.config(compile=compiling):
                got = g(*mine)
            want = f(*own)
            np.testing.assert_array_equal(whole(ours), whole(theirs), str((f, slices)))
            for a, b in zip(flat(got), flat(want), strict=True):
                np.testing.assert_array_equal(a, b)
                assert type(a) is type(b)
                assert np.may_share_memory(a, ours) == np.may_share_memory(b, theirs)
                assert [a is x for x in mine] == [b is x for x in own]


def whole(x: Array) -> Array:
    return x if x.base is None else x.base


def flat(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def test_sizes_change_with_no_further_program() -> None:
    f = tracejit.function(double)
    for n in (5, 9, 13):
        x = line(n)
        f(x[1:], x[:-1])
        y = line(n)
        double(y[1:], y[:-1])
        np.testing.assert_array_equal(x, y)
    assert f.stats.traces == 1


def test_what_overlaps_otherwise_later_is_seen() -> None:
    """Of the same shapes, at the same program's call."""
    f = tracejit.function(double)
    for cut in (lambda x: (x[1:7], x[:6]), lambda x: (x[:6], x[1:7]), lambda x: (x[:6], x[6:12]),
                lambda x: (x[2:8], x[:6]), lambda x: (x[1:7], x[:6])):  # fmt: skip
        x, y = line(12), line(12)
        f(*cut(x))
        double(*cut(y))
        np.testing.assert_array_equal(x, y)


def test_a_view_that_is_read_only() -> None:
    def put(x, y):
        x[0] = y[1]

    f = tracejit.function(put, on_unsupported="warn")
    x = line(4)
    view = x[1:]
    view.flags.writeable = False
    f(x, view)
    assert x.tolist() == [2, 1, 2, 3] and not f.stats.fallbacks
    with pytest.raises(ValueError, match="read-only"):
        f(view, x)


def test_a_view_that_becomes_read_only() -> None:
    f, x = tracejit.function(double), line(6)
    first, rest = x[:-1], x[1:]
    f(first, rest)
    before = x.copy()
    first.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        f(first, rest)
    np.testing.assert_array_equal(x, before)


def test_axes_of_one_element_lie_anyhow() -> None:
    base = np.arange(30.0).reshape(5, 6)
    row = np.lib.stride_tricks.as_strided(base, (1, 6), (8, 8))
    found = slices_of(row, base)
    assert found is not None and found == slices_of(base[:1], base)
    assert telling(found, base.dtype, True)(row, base)


@pytest.mark.parametrize("known", [True, False])
def test_what_tells_a_slice(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds for what `slices_of` gives the same of, also where NumPy must tell the address."""
    monkeypatch.setattr("tracejit.native.abi.arrays", lambda: known)
    rng = random.Random(2)
    keys = [
        slice(None),
        slice(1, None),
        slice(None, -1),
        slice(None, None, 2),
        slice(None, None, -1),
    ]
    for _ in range(200):
        base = np.arange(30.0).reshape(5, 6)
        x, y = (base[rng.choice(keys), rng.choice([*keys, 1])] for _ in range(2))
        if rng.random() < 0.3:
            x, y = x.T, y.T
        first, second = slices_of(x, base), slices_of(y, base)
        assert first is not None and second is not None
        holds = telling(first, base.dtype, True)
        assert holds(x, base) and holds(y, base) == (first == second)
        assert not holds(x.copy(), base) and not holds(x, base.copy())
        assert not holds(x.astype("f"), base) and not holds(x, None) and not holds(x, base.ravel())
        x.flags.writeable = False
        assert not holds(x, base) and telling(first, base.dtype, False)(x, base)
    spread = np.lib.stride_tricks.as_strided(np.arange(9.0), (4, 3), (8, 8))
    assert not telling(slices_of(base[1:], base), base.dtype, True)(spread[1:], spread)


def test_slices_of() -> None:
    """What it says an array is of another one is that: the same memory, in the same order."""
    rng = random.Random(1)
    for shape, _ in itertools.product([(24,), (4, 6), (2, 3, 4), (1, 24), (4, 1, 6)], range(300)):
        base = np.arange(24.0).reshape(shape)
        base = rng.choice([base, base.T, base[::-1], np.asfortranarray(base)])
        x = base
        for _ in range(rng.randrange(1, 3)):
            keys: list[Any] = []
            for n in x.shape:
                ends = rng.choice([None, -2, -1, 1]), rng.choice([None, -1, 2, 5])
                whole_slice = slice(*ends, rng.choice([1, 2, -1, -2]))
                keys.append(rng.choice([whole_slice, whole_slice, rng.randrange(n or 1), None]))
                if keys[-1] is None or not n:
                    keys[-1] = slice(None)
            x = x[(*keys, ..., *rng.choice([[], [None]]))]
            x = x.transpose(rng.sample(range(x.ndim), x.ndim))
        found = slices_of(x, base)
        if not x.size:
            assert found is None
            continue
        assert found is not None
        again = found.take(base)
        assert again.shape == x.shape and again.ctypes.data == x.ctypes.data
        np.testing.assert_array_equal(again, x)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.view(np.int64),
        lambda x: x.reshape(2, 3),
        lambda x: np.lib.stride_tricks.as_strided(x, (4, 3), (8, 8)),
        lambda x: np.broadcast_to(x, (2, 6)),
        lambda x: np.zeros(6),
        lambda x: x[:0],
    ],
)
def test_what_is_no_slice(make: Callable[[Array], Array]) -> None:
    x = line(6)
    assert slices_of(make(x), x) is None
