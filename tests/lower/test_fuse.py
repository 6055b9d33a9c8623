"""Which computations share loops, on a few nodes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stages import E, K, M, N, S, X, Y, along, check, fused, square, unplaced_program

from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.lower.fusion import fuse

ROWS, COLUMNS = build.reduce("sum", M, (1,)), build.reduce("sum", M, (0,))
EXP = E("exp", M)
RUNNING = build.accumulate("add", X, 0)

GRAPHS: dict[str, Callable[[], tuple[Node, ...]]] = {
    "siblings": lambda: (E("exp", X), E("negative", X)),
    "other_lengths": lambda: (E("exp", X), E("negative", Y)),
    "chain": lambda: (E("exp", X), E("negative", E("exp", X))),
    "reduction_then_all": lambda: (E("subtract", X, along(build.reduce("sum", X, (0,)), X)),),
    "reduction_along_rows": lambda: (E("subtract", M, along(ROWS, M, 0)),),
    "columns_then_all": lambda: (E("subtract", M, along(COLUMNS, M, 1)),),
    "softmax": lambda: (E("divide", EXP, along(build.reduce("sum", EXP, (1,)), M, 0)),),
    "reversed": lambda: (E("exp", X), E("negative", build.flip(E("exp", X), (0,)))),
    "transposed": lambda: (E("exp", S), E("negative", build.transpose(E("exp", S), (1, 0)))),
    "scan_stays_apart": lambda: (RUNNING, E("negative", X)),
    "scans_share": lambda: (RUNNING, build.accumulate("multiply", X, 0)),
    "positions_in_memory": lambda: (build.reduce("argmax", X, (0,)), build.reduce("max", X, (0,))),
    "written": lambda: (
        build.scatter(E("exp", X), Y, [K], [True], "add"),
        E("negative", Y),
    ),
    "read_by_place": lambda: (
        E("exp", X),
        build.gather(E("exp", X), K.shape, (("index", 0),), K),
    ),
    "between": lambda: (
        E("exp", X),
        build.sort(E("exp", X), 0),
        E("negative", X),
        E("negative", build.sort(E("exp", X), 0)),
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"passes/fuse_{name}.txt", check(fused(*GRAPHS[name]())))


def test_bodies_stay_small() -> None:
    values = [E("exp", E("add", X, float(k))) for k in range(8)]
    for most, loops in ((1000, 1), (21, 4), (1, 8)):
        program = unplaced_program(*values)
        fuse(program, most)
        check(program)
        assert program.nests == loops
        costs = [loop.cost for loop in program.all_loops()]
        assert sum(costs) == 8 * 21 and all(cost <= max(2 * most, 21) for cost in costs)


def test_nodes_of_these_tests() -> None:
    assert square("s") is S and N.shape != M.shape
