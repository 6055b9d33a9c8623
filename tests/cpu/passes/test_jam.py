"""Several rows at a time, on a few nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stages import ENV, E, M, N, X, along, array, check, graph_of, layouts_of, placed

from tracejit.cpu.passes.jam import jam
from tracejit.cpu.styles import Jam
from tracejit.ir import build, dims
from tracejit.ir.node import Node
from tracejit.lower.passes.together import jams
from tracejit.lower.program import Loop, Program

V = build.input("v", M.dtype, (M.shape[1],))
P = build.input("p", M.dtype, (dims.dim("p", 0), M.shape[1]))
RNG = np.random.default_rng(2)


def pairs(op: str = "subtract", reduction: str = "sum") -> Node:
    """A reduction for all pairs of rows of two matrices."""
    shape = (M.shape[0], P.shape[0], M.shape[1])
    a = build.view(M, shape, ((0, 1, 0), (0, 1, 2)))
    b = build.view(P, shape, ((0, 1, 1), (0, 1, 2)))
    return build.reduce(reduction, E("square", E(op, a, b)), (2,))


def weighted(function: str = "multiply") -> Node:
    return build.reduce("sum", E(function, M, along(V, M, 1)), (1,))


GRAPHS: dict[str, tuple[Callable[[], tuple[Node, ...]], int]] = {
    "product": (lambda: (weighted(),), 1),
    "pairs": (lambda: (pairs(),), 2),
    "columns": (lambda: (build.reduce("sum", M, (0,)),), 1),
    "largest_of_columns": (lambda: (build.reduce("max", M, (0,)),), 1),
    "two_sweeps": (lambda: (build.reduce("sum", M, (0,)), build.reduce("max", M, (0,))), 1),
    "no_shared_reads": (lambda: (build.reduce("sum", E("square", M), (1,)),), 0),
    "no_sum": (lambda: (build.reduce("max", E("multiply", M, along(V, M, 1)), (1,)),), 0),
    "no_pairs_of_products": (lambda: (pairs(reduction="prod"),), 0),
    "two_in_a_loop": (lambda: (weighted(), build.reduce("max", M, (1,))), 0),
    "products_of_columns": (lambda: (build.reduce("prod", M, (0,)),), 0),
    "one_axis": (lambda: (build.reduce("sum", X, (0,)),), 0),
}


def jammed(name: str) -> Program:
    program = placed(*GRAPHS[name][0]())
    jam(program)
    return program


def env(rows: int = 9, others: int = 5, columns: int = 7) -> dict[str, Any]:
    return {
        **ENV,
        "m": RNG.standard_normal((rows, columns)),
        "p": RNG.standard_normal((others, columns)),
        "v": RNG.standard_normal(columns),
    }


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    program = jammed(name)
    golden(f"passes/jam_{name}.txt", check(program, env()))
    assert sum(loop.has(Jam) for loop in program.all_loops()) == GRAPHS[name][1]


@pytest.mark.parametrize("rows", range(1, 10))
@pytest.mark.parametrize("name", ["product", "pairs", "columns", "two_sweeps"])
def test_any_number_of_rows(name: str, rows: int) -> None:
    program = jammed(name)
    for others in (1, 2, 3, 6) if name == "pairs" else (5,):
        check(program, env(rows, others))


def test_copies_are_loops_of_the_same_extent() -> None:
    for name in ("pairs", "columns"):
        for loop in jammed(name).all_loops():
            assert all(copy.extent == loop.extent for copy in loop.copies)
    counts = [1 + len(loop.copies) for loop in jammed("pairs").all_loops()]
    assert counts == [4, 2, 1]
    assert [loop.get(Jam).remainder for loop in jammed("pairs").all_loops()[:2]] == [False] * 2  # type: ignore[union-attr]
    assert jammed("columns").all_loops()[0].get(Jam).remainder  # type: ignore[union-attr]


def test_costly_values_are_not_repeated() -> None:
    value: Node = E("multiply", M, along(V, M, 1))
    for k in range(5):
        value = E("add", value, float(k))
    for steps, expected in ((value, True), (E("negative", value), False)):
        program = placed(build.reduce("sum", steps, (1,)))
        jam(program)
        assert any(loop.has(Jam) for loop in program.all_loops()) is expected
        check(program, env())


def test_what_would_be_jammed_is_known_before() -> None:
    """`jams` is asked by the pass that tiles."""
    outer, inner = placed(weighted()).all_loops()
    assert isinstance(inner, Loop) and jams(inner, outer, placed(weighted()))
    outer, inner = placed(build.reduce("sum", E("square", M), (1,))).all_loops()
    assert not jams(inner, outer, placed(weighted()))


@pytest.mark.parametrize(
    ("char", "expected"), [("f", True), ("d", True), ("e", False), ("l", True)]
)
def test_kinds_of_elements(char: str, expected: bool) -> None:
    """float16 is rounded at each step; the extremes and the sums of others take any order."""
    a = array("a", 2, char)
    program = placed(build.reduce("max", a, (0,)))
    jam(program)
    assert any(loop.has(Jam) for loop in program.all_loops()) is expected
    check(program, {"a": np.arange(20).reshape(5, 4).astype(char)})
    assert layouts_of(graph_of(a)) == {"a": "C"} and N.ndim == 2
