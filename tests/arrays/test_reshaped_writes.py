"""Elements that are put into an array by way of a reshape: what is written is those, in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from devices import on_cpu

import tracejit


def of_all(x, i, h):
    x.reshape(-1)[i] = h
    return x


def added(x, i, h):
    x.ravel()[i] += h
    np.add.at(x.reshape(-1), i, h)
    return x


def seen_by_views(x, i, h):
    flat, rows = x.reshape(-1), x[1:]
    flat[i] = h
    flat[i] *= 2
    return flat * 1, rows + 1


def by_rows(x, i, h):
    x.reshape(2, -1)[1, 1:3] = h[:2]
    x.reshape(-1, 2)[i // 12, i % 2] = h
    return x * 2


def of_its_own(x, i, h):
    y = np.zeros(x.shape, x.dtype)
    y[...] = x
    y.reshape(-1)[i] = h
    return y


def by_steps(x, i, h):
    flat = x.reshape(-1)
    for k in range(len(i)):
        flat[i[k]] = h[k] + k
    return x.sum()


def put(x, i, h):
    np.put(x, i, h)
    x.flat[2:4] = h[:2]


FUNCTIONS = [of_all, added, seen_by_views, by_rows, of_its_own, by_steps, put]
PLACES = {
    "some": [3, 7, 0],
    "again": [3, 3, 3],
    "from the end": [-1, -24, 5],
    "beyond": [1, 24, 2],
    "before": [1, 2, -25],
}
ARRAYS: dict[str, Callable[[Any], np.ndarray]] = {
    "matrix": lambda d: np.arange(24).astype(d).reshape(4, 6),
    "cube": lambda d: np.arange(24).astype(d).reshape(2, 3, 4),
    "vector": lambda d: np.arange(24).astype(d),
}


@pytest.fixture(params=[False, True], ids=["interpreted", "compiled"])
def compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    with tracejit.config(compile=request.param):
        yield request.param


def told(f: Callable[..., Any], x: np.ndarray, *args: Any) -> Any:
    """The bits of what `f` gives and leaves, or what it raises."""
    try:
        found = f(x, *args)
    except Exception as error:
        return type(error), str(error), x.tobytes()
    found = found if type(found) is tuple else (found,)
    return [(np.shape(v), np.asarray(v).dtype, np.asarray(v).tobytes()) for v in found], x.tobytes()


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_as_numpy(f: Callable[..., Any], compiled: bool) -> None:
    dtypes = [np.float64, np.int32] if compiled else [np.float64, np.int32, np.complex64, np.bool_]
    g = tracejit.function(f)
    for dtype in dtypes:
        if dtype is np.bool_ and f in (seen_by_views, by_steps, of_its_own):
            continue
        for make in ARRAYS.values():
            if f is seen_by_views and make(dtype).ndim > 2:
                continue
            h = np.array([5, 0, 2]).astype(dtype)
            for places in PLACES.values():
                i = np.array(places)
                assert told(g, make(dtype), i, h) == told(f, make(dtype), i, h)


def test_what_has_gaps_is_not_written_by_a_copy() -> None:
    for layout in (np.asfortranarray, lambda x: np.repeat(x, 2, 1)[:, ::2]):
        x, plain = layout(np.arange(24.0).reshape(4, 6)), layout(np.arange(24.0).reshape(4, 6))
        i, h = np.array([1, 2, 3]), np.ones(3)
        g = tracejit.function(of_all, on_unsupported="warn")
        with pytest.warns(tracejit.UnsupportedWarning):
            found = g(x, i, h)
        assert found is x and told(g, x, i, h) == told(of_all, plain, i, h)


@pytest.mark.cpu
@pytest.mark.parametrize("f", [of_all, put])
def test_elements_are_written_by_their_number(f: Callable[..., Any]) -> None:
    """One loop over the elements, into the array's own memory, without a division."""
    g = tracejit.function(f)
    args = np.zeros((50, 60)), np.array([3, 4, 8]), np.ones(3)
    g(*args)
    source = g.source(*args)
    assert source.count("for ") == g.stats.loops == (1 if f is of_all else 2)
    assert "x0_flat[" in source and not {"floor_divide", "remainder", "b0"} & set(
        source.replace("(", " ").split()
    )


def filled(x):
    np.fill_diagonal(x, 7)


def on_the_diagonal(x):
    return np.diagflat(x, 1), np.diagflat(x[:2], -2)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (1, 3), (0, 2)])
def test_a_diagonal_is_written_alone(shape: tuple[int, ...]) -> None:
    f = tracejit.function(filled)
    for dtype in (np.float64, np.int16):
        for lay in (np.ascontiguousarray, np.asfortranarray, lambda x: np.repeat(x, 2, 1)[:, ::-2]):
            x, plain = lay(np.ones(shape, dtype)), lay(np.ones(shape, dtype))
            f(x)
            filled(plain)
            np.testing.assert_array_equal(x, plain)
    if shape == (4, 6) and on_cpu():
        source = f.source(np.ones(shape))
        assert source.count("for ") == 1 and "select" not in source


@pytest.mark.parametrize("n", [5, 2, 1, 0])
def test_a_matrix_of_a_diagonal(n: int) -> None:
    f = tracejit.function(on_the_diagonal)
    x = np.arange(n * 1.0) + 1
    for found, wanted in zip(f(x), on_the_diagonal(x), strict=True):
        np.testing.assert_array_equal(found, wanted)
    if n == 5 and on_cpu():  # places are numbers in the loop
        assert f.stats.temporaries == 0 and "floor_divide" not in f.source(x)
