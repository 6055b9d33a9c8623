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


@pytest.mark.parametrize("dtype", list("dfeqibB?FD"))
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
        (lambda x: (x.argmax(axis=1), x.argmin(axis=1)), 1),
        (lambda x: (x * 1j).argmax(), 0),
    ],
    ids=["fused", "two at once", "complex, one by one"],
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
