"""What loops of steps touch along their lines is packed into panels, where places are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.lower.program import Control, Panel

# Programs over x, y and z, whose last axis is that of the steps.


def smoothed(x, y, z):
    """What is read has been written: nothing of `y` is loaded but the first."""
    for k in range(1, x.shape[-1]):
        y[..., k] = x[..., k] + y[..., k - 1] // 2


def summed(x, y, z):
    """A cumulative sum, in place."""
    for k in range(1, x.shape[-1]):
        x[..., k] += x[..., k - 1]


def backwards(x, y, z):
    for k in range(x.shape[-1] - 3, -1, -1):
        x[..., k] = x[..., k] - x[..., k + 2] + y[..., k + 1]


def written_first(x, y, z):
    """What a step reads back is what it has put there."""
    for k in range(2, x.shape[-1]):
        y[..., k] = x[..., k] * 3
        z[..., k] = y[..., k] + y[..., k - 2] + z[..., k - 1]


def two_places(x, y, z):
    for k in range(1, x.shape[-1] - 1):
        x[..., k] = y[..., k] + x[..., k - 1]
        x[..., k + 1] = x[..., k + 1] + z[..., k]


def with_a_gap(x, y, z):
    """What lies between the places that are written is nobody's."""
    for k in range(1, x.shape[-1] - 2):
        x[..., k] = y[..., k] + x[..., k - 1]
        x[..., k + 2] = z[..., k] + x[..., k + 2]


def by_twos(x, y, z):
    """Every other place is as it was."""
    for k in range(2, x.shape[-1], 2):
        x[..., k] += x[..., k - 2]


def at_a_place(x, y, z):
    """`y` is read at one place by all steps."""
    for k in range(1, x.shape[-1]):
        x[..., k] = x[..., k - 1] + y[..., 0] * z[..., k]


def both_ways(x, y, z):
    for k in range(1, x.shape[-1]):
        x[..., k] = x[..., k - 1] + y[..., -k]
        z[..., -k - 1] = z[..., -k] + z[..., -k - 1]


def shifted(x, y, z):
    """Lines that begin elsewhere."""
    for k in range(1, x.shape[-1]):
        x[1:, k] = x[1:, k - 1] + y[:-1, k]


def one_plane(x, y, z):
    """What is the same along the first axis."""
    for k in range(1, x.shape[-1]):
        x[..., k] = x[..., k - 1] + y[1, :, k] * z[..., k]


def with_a_row(x, y, z):
    """A number for each line, in no panel."""
    w = z[..., 0] * 2
    for k in range(1, x.shape[-1]):
        x[..., k] = x[..., k] + x[..., k - 1] * w


#: Of each: the arrays in panels, those that nothing is loaded of but what lies before, whether
#: there may be lines more than there are.
PROGRAMS: dict[Callable[..., Any], tuple[int, int, bool]] = {
    smoothed: (2, 1, True),
    summed: (1, 0, True),
    backwards: (2, 0, True),
    written_first: (3, 1, True),
    two_places: (3, 0, True),
    with_a_gap: (2, 0, False),
    by_twos: (0, 0, False),
    at_a_place: (2, 1, False),
    both_ways: (3, 1, True),
    shifted: (2, 1, True),
    one_plane: (3, 1, True),
    with_a_row: (1, 0, False),
}
#: What has axes of its own.
ONLY = {shifted: slice(1, 4), one_plane: slice(4, 5)}
SHAPES = ((1, 20), (15, 33), (16, 17), (38, 21), (3, 19, 40))
DTYPES = ("float64", "float32", "float16", "complex128", "int8", "int16")


def arguments(shape: tuple[int, ...], dtype: str) -> list[np.ndarray]:
    drawn = np.random.default_rng(5).integers(1, 6, size=(3, *shape))
    return list(drawn.astype(dtype))


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_as_numpy(function: Callable[..., Any]) -> None:
    f = tracejit.function(function)
    with tracejit.config(budget=20):
        for shape in SHAPES[ONLY.get(function, slice(None))]:
            mine, plain = arguments(shape, "int64"), arguments(shape, "int64")
            f(*mine)
            function(*plain)
            for x, y in zip(mine, plain, strict=True):
                np.testing.assert_array_equal(x, y)
            panels = [p for c in _controls(f._paths[0].executable.program) for p in _panels(c)]
            found = len(panels), sum(not p.loads for p in panels)
            assert found == PROGRAMS[function][:2]
            [control] = _controls(f._paths[0].executable.program)
            assert control.lines is not None
            assert control.lines.padded == PROGRAMS[function][2]
    assert f.stats.fallbacks == 0


def _panels(control: Control) -> tuple[Panel, ...]:
    return control.lines.panels if control.lines else ()


def _controls(program: Any) -> list[Control]:
    return list(program.controls.values())


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype: str) -> None:
    """Elements of one byte up to sixteen."""

    def sums(x, y, z):
        for k in range(1, x.shape[-1]):
            y[..., k] = x[..., k] + y[..., k - 1] * z[..., k]

    f = tracejit.function(sums)
    with tracejit.config(budget=20):
        for shape in ((38, 21), (2, 2, 5, 40)):
            mine, plain = arguments(shape, dtype), arguments(shape, dtype)
            with np.errstate(all="ignore"):
                f(*mine)
                sums(*plain)
            for x, y in zip(mine, plain, strict=True):
                np.testing.assert_array_equal(x, y)
    [control] = _controls(f._paths[0].executable.program)
    assert len(_panels(control)) == 3
    assert f.stats.fallbacks == 0


def test_no_steps() -> None:
    """Fewer than none, for the same program."""

    def late(x, y, z, n):
        for k in range(n):
            y[..., k + 1] = x[..., k] + y[..., k]

    f = tracejit.function(late)
    with tracejit.config(budget=20):
        mine, plain = arguments((20, 60), "float64"), arguments((20, 60), "float64")
        for n in (50, 0, -1, -40, 13):
            f(*mine, n)
            late(*plain, n)
            np.testing.assert_array_equal(mine[1], plain[1])
    assert f.stats.fallbacks == 0


def test_rows_with_gaps() -> None:
    """Parts of arrays: what lies beside them stays."""
    f = tracejit.function(summed)
    with tracejit.config(budget=20):
        mine, plain = (arguments((20, 50), "float64") for _ in range(2))
        for run, (x, y, z) in ((f, mine), (summed, plain)):
            run(x[1:-1, 2:-3], y, z)
        np.testing.assert_array_equal(mine[0], plain[0])
    [control] = _controls(f._paths[0].executable.program)
    assert len(_panels(control)) == 1


def test_what_is_shared_runs_as_in_numpy() -> None:
    """An array twice: no panel has a copy of what another one writes."""
    f = tracejit.function(written_first)
    with tracejit.config(budget=20):
        mine, plain = arguments((20, 30), "float64"), arguments((20, 30), "float64")
        for run, (x, y, _) in ((f, mine), (written_first, plain)):
            run(x, y, y)
            run(x, y, x)
        for x, y in zip(mine, plain, strict=True):
            np.testing.assert_array_equal(x, y)
