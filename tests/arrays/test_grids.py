"""Grids that NumPy makes of slices, and arrays that its class makes of a shape."""

from __future__ import annotations

import numpy as np
import pytest
from numpy import ndarray

import tracejit

GRIDS = {
    "two axes": lambda n, m: np.mgrid[0:3, 0:4],
    "sizes": lambda n, m: np.mgrid[0:n, 1:m:2],
    "one axis": lambda n, m: np.mgrid[:n],
    "backwards": lambda n, m: np.mgrid[m:0:-2, :3],
    "steps of floats": lambda n, m: np.mgrid[-1:1:0.25, 0:3],
    "numbers of points": lambda n, m: np.mgrid[0:1:5j, 0:2:3j],
    "points of one axis": lambda n, m: np.ogrid[0:n:4j],
    "a point": lambda n, m: np.mgrid[0:1:1j, :2],
    "open": lambda n, m: np.ogrid[:n, 2:m],
    "open and empty": lambda n, m: np.ogrid[4:2, :3],
    "less than a step back": lambda n, m: np.mgrid[1:0:2, :3],
    "dtypes": lambda n, m: np.mgrid[: np.int32(3), : np.float32(2.5)],
    "points of float32": lambda n, m: np.mgrid[0 : np.float32(1) : 3j, :2],
    "a half": lambda n, m: np.mgrid[: n / 2, :n],
}


@pytest.mark.parametrize("name", GRIDS)
def test_grids_are_those_of_numpy(name):
    f = tracejit.function(GRIDS[name])
    for n, m in ((4, 7), (3, 6)):
        found, expected = f(n, m), GRIDS[name](n, m)
        assert type(found) is type(expected)
        pairs = zip(found, expected, strict=True) if type(found) is tuple else [(found, expected)]
        for a, b in pairs:
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
            assert a.flags.c_contiguous == b.flags.c_contiguous and a.flags.writeable
    assert f.stats.fallbacks == 0


@pytest.mark.parametrize(
    "grid",
    [
        lambda n: np.mgrid[4:2, :n],
        lambda n: np.mgrid[:n:0, :n],
        lambda n: np.mgrid[n],
        lambda n: np.mgrid[:n, 2],
        lambda n: np.mgrid[:, :n],
    ],
)
def test_grids_that_numpy_refuses(grid):
    with pytest.raises(Exception) as expected:
        grid(3)
    with pytest.raises(expected.type):
        tracejit.function(grid)(3)


def test_axes_of_a_grid_are_computed_where_they_are_read():
    @tracejit.function
    def f(x):
        i, j = np.mgrid[: len(x), : len(x)]
        return i * x + j

    x = np.arange(5.0)
    assert f(x).tolist() == f.__wrapped__(x).tolist()
    assert f.stats.loops == 1 and "empty" not in f.source(x)


def test_a_part_of_what_is_stacked_is_that_part():
    f = tracejit.function(lambda x: np.stack([x, x + 1.0])[1, ::2])
    x = np.arange(5.0)
    assert f(x).tolist() == [1.0, 3.0, 5.0] and f.stats.passes == 1


def test_an_array_is_made_of_a_shape():
    grid = np.mgrid

    @tracejit.function
    def f(x):
        a, b = np.ndarray((len(x), 2), dtype=x.dtype), ndarray(len(x), np.int32, order="F")
        a[:, 0] = x
        a[:, 1] = grid[: len(x)]
        b[:] = 3
        return a, b, isinstance(a, np.ndarray), type(a) is ndarray, ndarray.__name__

    for x in (np.arange(4.0), np.arange(3, dtype=np.float32)):
        for one, two in zip(f(x), f.__wrapped__(x), strict=True):
            assert np.array_equal(one, two) and type(one) is type(two)
            assert np.asarray(one).dtype == np.asarray(two).dtype
    assert f.stats.fallbacks == 0


def test_an_array_over_memory_of_another_is_numpys():
    f = tracejit.function(lambda x: np.ndarray(2, buffer=x) + 0.0, on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning, match="over the memory of another"):
        assert f(np.arange(4.0)).tolist() == [0.0, 1.0]
