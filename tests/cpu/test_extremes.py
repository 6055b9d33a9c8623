"""argmax and argmin by blocks: NumPy's positions whatever the elements and however they lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.lower import executable
from tracejit.lower.executable import Executable

RNG = np.random.default_rng(3)
LENGTHS = (1, 2, 511, 512, 513, 1500)


def kinds(dtype: str, n: int) -> list[np.ndarray]:
    x = RNG.normal(size=n) * 3
    lines = [x, np.sort(x), -np.sort(x), np.zeros(n), np.round(x / 4)]
    if np.dtype(dtype).kind in "fc":
        lines.append(-np.abs(x) * np.inf)
        for special in (np.nan, -0.0, np.inf):
            lines.append(x.copy())
            lines[-1][RNG.integers(0, n, 3)] = special
        lines[-1][RNG.integers(n)] = np.nan
    with np.errstate(invalid="ignore"):
        return [line.astype(dtype) for line in lines]


@pytest.mark.parametrize("dtype", list("dfelibB?FD"))
def test_positions_are_numpys(dtype: str) -> None:
    f = tracejit.function(lambda x: (x.argmax(), x.argmin()), on_unsupported="error")
    for n in LENGTHS:
        for x in kinds(dtype, n):
            assert f(x) == (x.argmax(), x.argmin())
            assert f(x[::-1]) == (x[::-1].argmax(), x[::-1].argmin())


@pytest.mark.parametrize("dtype", list("dfi?"))
def test_positions_along_axes(dtype: str) -> None:
    def program(x: Any) -> Any:
        return x.argmax(axis=2), x.argmin(axis=1), x[:, :, ::2].argmax(), x.argmin()

    f = tracejit.function(program, on_unsupported="error")
    for line in kinds(dtype, 2 * 3 * 700):
        x = line.reshape(2, 3, 700)
        for mine, numpys in zip(f(x), program(x), strict=True):
            np.testing.assert_array_equal(mine, numpys)


@pytest.mark.parametrize(
    ("function", "blocks"),
    [
        (lambda x: np.exp(x).argmax(), 1),
        (lambda x: (abs(x).argmax(axis=1), abs(x).argmin(axis=1)), 1),
        (lambda x: x.argmax(axis=1) + x.argmin(), 0),
        (lambda x: (x * 1j).argmax(), 0),
    ],
    ids=["fused", "two at once", "in memory", "complex, one by one"],
)
def test_what_goes_by_blocks(function: Callable[[Any], Any], blocks: int, monkeypatch: Any) -> None:
    made: list[Any] = []

    def noting(*arguments: Any) -> Any:
        made.append(Executable(*arguments))
        return made[-1]

    monkeypatch.setattr(executable, "Executable", noting)
    x = RNG.normal(size=(7, 1000))
    result = tracejit.function(function, on_unsupported="error")(x)
    for mine, numpys in zip(np.atleast_1d(result), np.atleast_1d(function(x)), strict=True):
        np.testing.assert_array_equal(mine, numpys)
    assert made[-1].source.count("in blocks(") == blocks


def layouts(x: np.ndarray) -> dict[str, np.ndarray]:
    """A matrix in every layout: rows of 60 where it is in C order."""
    matrix = x.reshape(-1, 60)
    wide = np.empty((matrix.shape[0], 2 * matrix.shape[1] + 3), x.dtype)
    wide[:, 1:-2:2] = wide[:, 2:-1:2] = matrix
    return {
        "C": matrix,
        "F": np.asfortranarray(matrix),
        "rows with gaps": wide[:, 1 : 1 + matrix.shape[1]],
        "gaps": wide[:, 1:-2:2],
        "backwards": matrix[::-1, ::-1],
        "rows backwards": matrix[::-1],
    }


@pytest.mark.parametrize("dtype", list("dfe?D"))
@pytest.mark.parametrize("name", ["argmax", "argmin", "max"])
def test_extremes_in_every_layout(name: str, dtype: str) -> None:
    """All, of rows and of columns: ties, signed zeros and NaN included."""

    def program(x: Any) -> Any:
        return [getattr(x, name)(axis=axis) for axis in (None, 0, 1)]

    f = tracejit.function(program)
    for x in kinds(dtype, 1200):
        for layout, matrix in layouts(x).items():
            for mine, numpys in zip(f(matrix), program(matrix), strict=True):
                assert np.asarray(mine).dtype == np.asarray(numpys).dtype
                np.testing.assert_array_equal(mine, numpys, err_msg=layout)


@pytest.mark.parametrize("shape", [(5, 0), (0, 5), (1, 7), (7, 1), (3, 1, 4), (2, 0, 3)])
def test_positions_of_few_and_of_none(shape: tuple[int, ...]) -> None:
    x = RNG.normal(size=shape)
    for axis in range(x.ndim):
        f = tracejit.function(lambda x, axis=axis: (x.argmax(axis=axis), x.argmin(axis=axis)))
        if not x.shape[axis]:
            with pytest.raises(ValueError, match="empty sequence"):
                f(x)
            continue
        for mine, numpys in zip(f(x), (x.argmax(axis=axis), x.argmin(axis=axis)), strict=True):
            np.testing.assert_array_equal(mine, numpys)
            assert mine.shape == numpys.shape


SEARCHES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "all": (lambda x: x.argmax(), "memory"),
    "rows": (lambda x: x.argmin(axis=1), "memory"),
    "part of a row": (lambda x: x[1, 3:50].argmax(), "memory"),
    "reshaped": (lambda x: x.reshape(-1, 2, 30).argmax(axis=2), "memory"),
    "raveled": (lambda x: x.ravel().argmin(), "memory"),
    "a column that is a row": (lambda x: x.T.argmax(axis=0), "memory"),
    "result of another loop": (lambda x: np.argmax(np.sort(x, axis=1), axis=1), "memory"),
    "two": (lambda x: x.argmax(axis=1) + x.argmin(axis=1), "memory"),
    "truth": (lambda x: (x > 0).argmax(axis=1), "blocks"),
    "computed": (lambda x: (x + 1).argmax(axis=1), "blocks"),
    "all computed": (lambda x: (x + 1).argmin(), "blocks"),
    "gaps": (lambda x: x[:, ::2].argmax(axis=1), "blocks"),
    "columns": (lambda x: x.argmax(axis=0), "sweeps"),
    "columns computed": (lambda x: (x + 1).argmin(axis=0), "sweeps"),
    "complex": (lambda x: (x * 1j).argmax(axis=1), "one by one"),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_how_positions_are_found(name: str) -> None:
    """By NumPy's search in memory or in a block, alone and as part of a larger program."""
    function, how = SEARCHES[name]
    f = tracejit.function(function)
    for x in kinds("d", 1200):
        with np.errstate(invalid="ignore"):
            want = function(x.reshape(-1, 60))
        np.testing.assert_array_equal(f(x.reshape(-1, 60)), want)
    source = f.source(x.reshape(-1, 60))
    assert ("block_memory(" in source) == (how == "blocks")
    assert ("position_in(" in source) == (how in ("blocks", "memory"))
    assert ("larger_complex(" in source) == (how == "one by one")


def test_positions_of_columns_are_swept() -> None:
    """Two passes by rows, and none with a gap from one element to the next."""
    f = tracejit.function(lambda x: x.argmax(axis=0))
    x = np.ones((50, 60))
    assert "rmax(" in f.source(x) and " == " in f.source(x)
    f(x)
    assert f.stats.loops == 2


EXTREMES_OF_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "nanmax": lambda x: np.nanmax(x),
    "nanmin": lambda x: np.nanmin(x),
    "rows": lambda x: (np.nanmax(x.reshape(2, -1), axis=1), np.nanmin(x.reshape(2, -1), axis=1)),
    "columns": lambda x: np.nanmin(x.reshape(-1, 2), axis=0, keepdims=True),
    "fmax.reduce": lambda x: np.fmax.reduce(x * 2),
    "initial": lambda x: np.nanmax(x, initial=1.5),
}


@pytest.mark.filterwarnings("ignore:All-NaN")
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64"])
@pytest.mark.parametrize("name", EXTREMES_OF_NUMBERS)
def test_extremes_of_what_is_a_number(name: str, dtype: str) -> None:
    function = EXTREMES_OF_NUMBERS[name]
    f = tracejit.function(function, on_unsupported="error")
    for n in (2, 510, 1026, 20_000):
        lines = kinds(dtype, n)
        if dtype != "int64":
            lines += [np.full(n, v, dtype) for v in (np.nan, np.inf, -np.inf)]
            lines += [
                np.where(np.arange(n) % 2, np.nan, v).astype(dtype) for v in (-np.inf, np.inf)
            ]
        for x in lines:
            for mine, numpys in zip(np.atleast_1d(f(x)), np.atleast_1d(function(x)), strict=True):
                np.testing.assert_array_equal(mine, numpys)


def test_extremes_of_numbers_are_found_in_one_loop() -> None:
    f = tracejit.function(lambda x: np.nanmax(x), on_unsupported="error")
    assert " rmax(" in f.source(np.ones(9))
    f(np.ones(9))
    assert f.stats.loops == 1
