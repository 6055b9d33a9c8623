"""How programs may be divided, by rows or in phases, on a few nodes: `split` and `phases`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stages import E, M, N, X, Y, along, evaluate, graph_of, placed, with_memory

from tracejit.cpu.passes.phases import phases, with_slots
from tracejit.cpu.passes.split import split
from tracejit.ir import build, dims, interpret
from tracejit.ir.node import Node
from tracejit.lower.buffers import assign_buffers
from tracejit.lower.passes.chunks import inner_points, mark_chunks
from tracejit.lower.passes.tiles import tile
from tracejit.lower.program import Loop, Program, Runner, Style, work_of

ROWS = build.reduce("sum", M, (1,))
COLUMNS = build.reduce("sum", M, (0,))
V = build.input("v", M.dtype, (M.shape[1],))
TOTAL = build.reduce("sum", X, (0,))
WEIGHTED = build.reduce("sum", E("multiply", M, along(V, M, 1)), (1,))
FIRST, ALL_ROWS = build.view(X, (), ((0, 0, None),)), build.reduce("sum", ROWS, (0,))
EXP = E("exp", M)
LATER = build.view(X, (dims.sub(X.shape[0], 1),), ((1, 1, 0),))
SOFTMAX = E("divide", EXP, along(build.reduce("sum", EXP, (1,)), M, 0))
OTHER = build.input("o", M.dtype, M.shape)


def made(*outputs: Node, tiled: bool = False, **layouts: str) -> Program:
    program = placed(*outputs, **layouts)
    if tiled:
        tile(program)
    assign_buffers(program)
    mark_chunks(program)
    return program


class _Backwards(Style):
    """The last iteration first."""

    def run(self, loop: Loop, first: int, last: int, runner: Runner) -> None:
        for position in reversed(range(first, last)):
            runner.step(loop, {loop: position})


#: The names of the inputs that are divided; empty where a program is not divided by rows.
SPLIT: dict[str, tuple[Callable[[], Program], set[str]]] = {
    "map": (lambda: made(E("exp", X)), {"x"}),
    "rows": (lambda: made(ROWS), {"m"}),
    "flat": (lambda: made(E("add", M, OTHER)), {"m", "o"}),
    "with_a_vector": (lambda: made(WEIGHTED), {"m"}),
    "rows_read_whole": (lambda: made(E("add", X, along(FIRST, X))), set()),
    "reversed": (lambda: made(build.flip(X, (0,))), set()),
    "fortran": (lambda: made(E("exp", M), m="F"), set()),
    "strided": (lambda: made(E("exp", X), x="A"), set()),
    "sum": (lambda: made(TOTAL), set()),
    "columns": (lambda: made(COLUMNS), set()),
    "two_loops": (lambda: made(E("exp", X), E("exp", Y)), set()),
    "running": (lambda: made(build.accumulate("add", X, 0)), set()),
    "running_in_rows": (lambda: made(build.accumulate("add", M, 1)), {"m"}),
    "numbers": (lambda: made(E("add", X, build.cast(build.iota(X.shape[0]), X.dtype))), set()),
    "its_length": (
        lambda: made(E("multiply", X, along(build.cast(dims.as_node(X.shape[0]), X.dtype), X))),
        set(),
    ),
    "joined": (lambda: made(build.concatenate([X, Y], 0)), set()),
    "sorted": (lambda: made(build.sort(X, 0)), set()),
    "shifted": (lambda: made(E("exp", LATER)), set()),
    "joined_with_its_like": (lambda: made(build.concatenate([X, E("exp", X)], 0)), set()),
}  # fmt: skip
ENV: dict[str, Any] = {
    "x": np.arange(1.0, 13), "y": np.ones(3), "v": np.arange(4.0),
    "m": np.random.default_rng(0).random((12, 4)), "o": np.ones((12, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", SPLIT)
def test_by_rows(name: str) -> None:
    """Where a program is divided, its parts on parts of the rows give the result."""
    make, divided = SPLIT[name]
    program = make()
    found = split(program)
    assert set(found.inputs if found else ()) == divided
    if found is None:
        return
    assert found.rows in (X.shape[0], M.shape[0]) and found.work == work_of(program.items[0])
    assert found.phase.rows == found.rows and found.phase.chunked is None
    names = [i.attr[0] for i in program.graph.inputs]
    parts: list[list[Any]] = []
    for start, end in ((0, 5), (5, 6), (6, 12)):
        env = {k: ENV[k][start:end] if k in divided else ENV[k] for k in names}
        part = evaluate(with_memory(make()), env)
        assert part is not None
        parts.append(part)
    want = interpret.evaluate(program.graph.outputs, ENV)
    for k, whole in enumerate(want):
        np.testing.assert_allclose(np.concatenate([p[k] for p in parts]), whole, rtol=1e-14)


#: How many iterations of each phase may be divided, and the points of one where it is by chunks.
PHASES: dict[str, tuple[Callable[[], Program], list[tuple[Any, Any]] | None]] = {
    "sum": (lambda: made(TOTAL), [(X.shape[0], 1)]),
    "two_loops": (lambda: made(E("exp", X), E("exp", Y)), [(X.shape[0], None), (Y.shape[0], None)]),
    "centred": (
        lambda: made(E("subtract", X, along(TOTAL, X))),
        [(X.shape[0], 1), (X.shape[0], None)],
    ),
    "sum_of_rows": (lambda: made(ALL_ROWS, ROWS), [(M.shape[0], M.shape[1])]),
    "columns": (lambda: made(COLUMNS), None),
    "tiled_columns": (lambda: made(COLUMNS, tiled=True), [(M.shape[0], M.shape[1])]),
    "reversed": (lambda: made(build.flip(X, (0,))), [(X.shape[0], None)]),
    "running": (lambda: made(build.accumulate("add", X, 0)), None),
    "down": (
        lambda: made(build.accumulate("add", M, 0), E("exp", X)),
        [(0, None), (X.shape[0], None)],
    ),
    "a_call": (lambda: made(E("exp", build.sort(X, 0))), [(0, None), (X.shape[0], None)]),
    "a_row_in_turn": (lambda: made(build.reduce("max", SOFTMAX, (1,))), None),
    "late": (lambda: made(build.nonzero(E("greater", X, 0.0))), None),
}  # fmt: skip


@pytest.mark.parametrize("name", PHASES)
def test_in_phases(name: str) -> None:
    make, expected = PHASES[name]
    program = make()
    found = phases(program)
    assert (found and [(p.rows, p.chunked) for p in found]) == expected
    if found is None:
        return
    assert [p.work for p in found] == [work_of(item) for item in program.items]
    assert [p.tiled for p in found] == [name == "tiled_columns"] * len(found)
    for phase, item in zip(found, program.items, strict=True):
        if phase.chunked is not None:
            assert isinstance(item, Loop) and phase.chunked == inner_points(item)


@pytest.mark.parametrize("name", [k for k, (_, expected) in PHASES.items() if expected])
def test_iterations_that_are_divided_are_alone(name: str) -> None:
    """In any order they give the same, where nothing is reduced over them."""
    program = PHASES[name][0]()
    found = phases(program)
    assert found is not None
    for phase, item in zip(found, program.items, strict=True):
        if phase.rows != 0 and phase.chunked is None:
            assert isinstance(item, Loop)
            item.style = _Backwards()
    for mine, right in zip(
        evaluate(with_memory(program), ENV) or [],
        interpret.evaluate(program.graph.outputs, ENV),
        strict=True,
    ):
        np.testing.assert_allclose(mine, right, rtol=1e-13)


def test_slots() -> None:
    """Scalars that stay in no register between phases get memory; formulas are computed again."""
    program = made(E("subtract", X, along(E("negative", TOTAL), X)))
    before = {node for node, buffers in program.buffers.items() if buffers}
    slots = with_slots(program).buffers
    assert {n for n, buffers in slots.items() if buffers} - before == {TOTAL}
    [slot] = slots[TOTAL]
    assert slot.kept and slot.shape == ()
    assert graph_of(M).inputs == (M,) and N.ndim == 2
