"""Where stored nodes live, on a few of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stages import E, M, N, S, X, along, check, fused, placed

from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.lower.buffers import assign_buffers, late_dims, name_memory
from tracejit.lower.program import Program

EXP = E("exp", M)
ROWS = build.reduce("sum", EXP, (1,))
SOFTMAX = E("divide", EXP, along(ROWS, M, 0))
SORTED = build.sort(E("negative", X), 0)
FOUND = build.nonzero(E("greater", X, 0.0))
PLACES = build.view(FOUND, FOUND.shape[:1], ((0, 1, 0), (0, 0, None)))
PRODUCT = build.matmul(S, S)
LINE = build.reshape(E("exp", S), (build.size(S),))

GRAPHS: dict[str, Callable[[], tuple[Node, ...]]] = {
    "a_register": lambda: (E("negative", build.reduce("sum", X, (0,))),),
    "at_its_iteration": lambda: (E("negative", E("exp", X)), E("square", E("exp", X))),
    "running": lambda: (build.reduce("sum", build.accumulate("add", X, 0), (0,)),),
    "a_row": lambda: (build.reduce("max", E("divide", EXP, along(ROWS, M, 0)), (1,)),),
    "in_its_reader": lambda: (E("divide", EXP, along(ROWS, M, 0)),),
    "in_nobody": lambda: (
        E("divide", EXP, along(ROWS, M, 0)),
        build.reduce("sum", E("multiply", EXP, along(ROWS, M, 0)), (0,)),
    ),
    "read_from_elsewhere": lambda: (E("add", SORTED, build.flip(SORTED, (0,))),),
    "reversed_rows": lambda: (E("negative", build.flip(SOFTMAX, (1,))), E("square", SOFTMAX)),
    "sorted_in_place": lambda: (E("exp", SORTED),),
    "a_sweep": lambda: (build.reduce("sum", build.reduce("max", M, (0,)), (0,)),),
    "dead_memory": lambda: (build.matmul(build.matmul(build.matmul(PRODUCT, S), S), S),),
    "arenas": lambda: (
        build.reduce("sum", build.sort(build.sort(E("negative", X), 0), 0), (0,)),
        build.reduce("sum", build.matmul(build.matmul(S, S), S), (0, 1)),
    ),
    "another_shape": lambda: (build.sort(build.sort(LINE, 0), 0), build.reduce("sum", S, (0,))),
    "late": lambda: (build.gather(X, PLACES.shape, (("index", 0),), PLACES),),
    "running_down": lambda: (build.reduce("sum", build.accumulate("add", M, 0), (0, 1)),),
}  # fmt: skip


def assigned(program: Program) -> Program:
    assign_buffers(program)
    return program


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    program = assigned(placed(*GRAPHS[name]()))
    golden(f"passes/buffers_{name}.txt", check(program))


def test_results_keep_the_order_of_memory() -> None:
    program = assigned(fused(E("exp", M), E("exp", N), m="F"))
    assert [b.layout for bs in program.buffers.values() for b in bs] == ["F", "C"]
    check(program)


def test_dimensions_that_are_known_late() -> None:
    program = placed(*GRAPHS["late"]())
    assert late_dims(program) >= {FOUND.shape[0]}
    assert not late_dims(placed(EXP))


def test_names() -> None:
    """Results first; then temporaries; what an entry makes itself last."""
    program = assigned(placed(*GRAPHS["late"](), E("exp", SORTED)))
    given, late, kept = name_memory(program)
    assert [b.output for b in given] == sorted([b.output for b in given], reverse=True)
    assert given and late and not kept
    assert [b.name for b in (*given, *late)] == [f"b{k}" for k in range(len(given) + len(late))]
