"""Writes that are put back where NumPy raises: as few elements as are written, not a copy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

BAD = 1 << 40
LENGTH = 300


def put(x: Any, places: Any) -> None:
    x[places] = 1


def add(x: Any, places: Any) -> None:
    x[places] += 1


def added_at(x: Any, places: Any) -> None:
    np.add.at(x, places, 1)


def one_by_one(x: Any, places: Any) -> None:
    for k in range(len(places)):
        x[places[k]] += x[k]


def by_branches(x: Any, places: Any) -> None:
    for place in places:
        if x[place] > 3:
            x[place] -= 2
        else:
            x[place // 2] = x[place] + 1


def of_two_axes(x: Any, places: Any) -> None:
    k = 0
    while k < len(places):
        x[places[k] // 20, places[k] % 20] += k % 3
        k += 1


WRITERS: list[Callable[[Any, Any], None]] = [put, add, added_at, one_by_one, by_branches]


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers, with gaps, backwards, or in Fortran order."""
    if layout == "gaps":
        return np.repeat(x, 2, axis=-1)[..., ::2]
    if layout == "backwards":
        return x[::-1].copy()[::-1]
    return np.asfortranarray(x) if layout == "F" else x.copy()


def same_as_numpy(f: Any, x: np.ndarray, layout: str, places: np.ndarray) -> None:
    """Results, the array, and the error are NumPy's."""
    ours, theirs = laid_out(x, layout), laid_out(x, layout)
    errors = []
    for function, array in ((f, ours), (f.__wrapped__, theirs)):
        try:
            function(array, places)
            errors.append(None)
        except IndexError as error:
            errors.append(str(error))
    assert errors[0] == errors[1]
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("count", [3, 70, 5_000])
@pytest.mark.parametrize("writer", WRITERS, ids=lambda f: f.__name__)
def test_the_array_is_what_numpy_leaves(writer: Callable[..., None], count: int) -> None:
    """Few entries, many, and more than there are elements: a copy then takes their place."""
    rng = np.random.default_rng(count)
    f = tracejit.function(writer)
    with tracejit.config(compile=True, budget=0):
        for layout in ("C", "gaps", "backwards"):
            for bad in (None, count - 1, 0, count // 2):
                places = rng.integers(-LENGTH, LENGTH, count)
                if bad is not None:
                    places[bad] = BAD
                same_as_numpy(f, rng.integers(0, 9, LENGTH).astype(float), layout, places)
    assert f.stats.fallbacks == 0 and "undo(" in f.source(np.zeros(9), np.zeros(3, np.int64))


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", "f4", "f8", "c8", "c16"])
def test_every_dtype(dtype: str) -> None:
    f = tracejit.function(put)
    x = np.arange(LENGTH).astype(dtype)
    with tracejit.config(compile=True, budget=0):
        for count in (5, 900):
            places = np.arange(count) % LENGTH
            same_as_numpy(f, x, "C", places)
            same_as_numpy(f, x, "C", np.append(places, LENGTH))
    assert f.stats.fallbacks == 0


@pytest.mark.parametrize("layout", ["C", "F", "gaps"])
def test_several_axes(layout: str) -> None:
    f = tracejit.function(of_two_axes)
    x = np.arange(400.0).reshape(20, 20)
    with tracejit.config(compile=True, budget=0):
        for count in (5, 2_000):
            places = np.arange(count) * 7 % 400
            same_as_numpy(f, x, layout, places)
            same_as_numpy(f, x, layout, np.append(places, 400))
    assert f.stats.fallbacks == 0


def test_two_arrays_are_put_back_together() -> None:
    @tracejit.function
    def exchange(x: Any, y: Any, places: Any) -> None:
        for k in range(len(places)):
            x[places[k]], y[places[k]] = y[k], x[k]

    x, y = np.arange(50.0), np.arange(50.0) * 3
    with (
        tracejit.config(compile=True, budget=0),
        pytest.raises(IndexError, match="index 50 is out of"),
    ):
        exchange(x, y, np.array([1, 2, 2, 50, 3]))
    a, b = np.arange(50.0), np.arange(50.0) * 3
    with pytest.raises(IndexError):
        exchange.__wrapped__(a, b, np.array([1, 2, 2, 50, 3]))
    np.testing.assert_array_equal(x, a)
    np.testing.assert_array_equal(y, b)


def test_an_error_with_on_unsupported_error_leaves_all_as_it_was() -> None:
    """What Python's integers do beyond 64 bits is left to NumPy, which is not asked here."""

    @tracejit.function(on_unsupported="error")
    def squares(x: Any, places: Any, n: int) -> int:
        for k in range(len(places)):
            x[places[k]] += 1
            n = n * n
        return n

    x = np.zeros(9)
    with tracejit.config(compile=True, budget=0), pytest.raises(tracejit.UnsupportedError):
        squares(x, np.arange(9), 1000)
    assert not x.any()


@pytest.mark.parametrize("writer", WRITERS, ids=lambda f: f.__name__)
def test_a_few_elements_of_a_large_array_take_no_copy_of_it(writer: Callable[..., None]) -> None:
    f = tracejit.function(writer, on_unsupported="error")
    places = np.array([3, 5, 8])
    seconds = {}
    with tracejit.config(compile=True, budget=0):
        for length in (1_000, 4_000_000):
            x = np.zeros(length)
            for _ in range(3):
                f(x, places)
            assert f.stats.temporaries <= 1  # of the length of `places`
            runs = []
            for _ in range(20):
                start = time.perf_counter()
                f(x, places)
                runs.append(time.perf_counter() - start)
            seconds[length] = min(runs)
    assert seconds[4_000_000] < 100 * seconds[1_000]  # a copy takes a thousand times as long


def test_rows_and_slices_are_copied() -> None:
    """Loops over whole rows are those of vectors: their arrays are copied, as before."""

    @tracejit.function(on_unsupported="error")
    def rows(x: Any, places: Any) -> None:
        for k in range(len(places)):
            x[places[k]] += 1

    x = np.zeros((4, 30))
    with tracejit.config(compile=True, budget=0):
        rows(x, np.array([0, 2, 2]))
        np.testing.assert_array_equal(x[:, 0], [1, 0, 2, 0])
        assert "undo(" not in rows.source(x, np.array([0, 2, 2]))
        with pytest.raises(IndexError):
            rows(x, np.array([0, 4]))
    np.testing.assert_array_equal(x[:, 0], [2, 0, 2, 0])


def test_a_copy_is_made_of_the_array_and_not_of_a_view() -> None:
    """Where there are more writes into a view than the whole array has elements."""

    def through_views(x: Any, places: Any, count: int) -> None:
        flat, turned, row = x.reshape(-1), x.T, x[3]
        for n in range(count):
            k = 0
            while k < len(places):
                flat[places[k]] += 1
                turned[places[k] % 5, 2] += k
                row[places[k] % 5] -= n
                k += 1

    f = tracejit.function(through_views)
    places = np.arange(50) * 3 % 100
    with tracejit.config(compile=True, budget=0):
        for given in (places, np.append(places, 100), np.append(100, places)):
            ours = np.arange(100.0).reshape(20, 5)
            theirs = ours.copy()
            for function, x in ((f, ours), (through_views, theirs)):
                try:
                    function(x, given, 40)
                except IndexError:
                    assert given.max() == 100
            np.testing.assert_array_equal(ours, theirs)
    assert f.stats.fallbacks == 0
