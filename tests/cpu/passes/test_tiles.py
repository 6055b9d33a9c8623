"""Loops over rows by blocks of rows, on a few nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stages import ENV, E, M, along, check, placed
from test_jam import P, V, env, pairs, weighted

from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.lower.passes.tiles import tile
from tracejit.lower.styles import Chunk, Tile

SUMS = weighted()
SLOPE = E("tanh", SUMS)
GRAPHS: dict[str, tuple[Callable[[], tuple[Node, ...]], bool]] = {
    "gradient": (
        lambda: (build.reduce("sum", E("multiply", M, along(SLOPE, M, 0)), (0,)),),
        True,
    ),
    "gradient_and_slope": (
        lambda: (SLOPE, build.reduce("sum", E("multiply", M, along(SLOPE, M, 0)), (0,))),
        True,
    ),
    "and_something_else": (lambda: (SLOPE, E("exp", SLOPE)), True),
    "distances": (lambda: (E("sqrt", pairs()),), True),
    "distances_that_are_read": (
        lambda: (E("sqrt", pairs()), build.reduce("max", E("sqrt", pairs()), (0,))),
        True,  # for the columns: the distances stay with the sums
    ),
    "columns": (lambda: (build.reduce("sum", M, (0,)),), True),
    "columns_of_products": (lambda: (build.reduce("prod", M, (0,)),), True),
    "only_the_sums": (lambda: (SUMS,), False),
    "rows": (lambda: (build.reduce("sum", M, (1,)),), False),
    "nothing_summed": (lambda: (E("exp", M),), False),
    "running": (lambda: (E("negative", build.accumulate("add", M, 1)),), False),
    "half_columns": (lambda: (build.reduce("sum", H, (0,)),), False),
}  # fmt: skip
H = build.input("h", np.dtype("e"), M.shape)


def all_of(name: str) -> dict[str, Any]:
    found = env()
    found["h"] = np.round(found["m"] * 4).astype("e")
    return {**ENV, **found}


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    make, tiled = GRAPHS[name]
    program = placed(*make())
    tile(program)
    golden(f"passes/tiles_{name}.txt", check(program, all_of(name)))
    assert any(loop.has(Tile) for loop in program.all_loops()) == tiled


@pytest.mark.parametrize("name", ["gradient", "distances", "columns", "and_something_else"])
def test_any_number_of_rows(name: str) -> None:
    program = placed(*GRAPHS[name][0]())
    tile(program)
    for rows in (1, 2, 5, 6, 7, 12, 13):
        check(program, env(rows))


def test_members_run_over_all_rows() -> None:
    """Each loop over the rows of a block has the whole extent, and is by chunks."""
    program = placed(*GRAPHS["gradient"][0]())
    tile(program)
    outer = next(loop for loop in program.all_loops() if loop.has(Tile))
    assert len(outer.members) == 2
    for member in outer.members:
        assert member.extent == outer.extent and member.has(Chunk) and not member.has(Tile)
    costs = [member.cost for member in outer.members]
    assert costs == [0, 0]  # what is computed at a point is in the loops inside
    assert P.ndim == 2 and V.ndim == 1
