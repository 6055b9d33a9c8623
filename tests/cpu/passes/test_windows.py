"""Draws by blocks inside of the loops that read them, on a few nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stages import E, along, check, placed

from tracejit.cpu.passes.windows import draw_in_loops
from tracejit.cpu.styles import BlockedDraws
from tracejit.intrinsics.blocks import BLOCK
from tracejit.ir import build, dims
from tracejit.ir.node import Node
from tracejit.lower.buffers import assign_buffers
from tracejit.rng.words import SIZE, to_words

STATE = build.input("r", np.dtype(np.uint32), (SIZE,))
F64, N = np.dtype(float), dims.dim("x", 0)
X, Y = (build.input(name, F64, (N,)) for name in "xy")
U, AFTER = build.draw("random_sample", STATE, (N,), (), F64)
SECOND, LAST = build.draw("random_sample", AFTER, (N,), (), F64)
OTHERS, _ = build.draw("random_sample", build.input("q", STATE.dtype, (SIZE,)), (N,), (), F64)
NORMAL, _ = build.draw("standard_normal", STATE, (N,), (), F64)
GRID, _ = build.draw("random_sample", STATE, (N, 3), (), F64)
TOTAL = build.reduce("sum", U, (0,))

GRAPHS: dict[str, tuple[Callable[[], tuple[Node, ...]], int]] = {
    "read_once": (lambda: (E("add", U, X), AFTER), 1),
    "summed": (lambda: (TOTAL,), 1),
    "read_twice_in_a_loop": (lambda: (E("add", U, X), E("multiply", U, X)), 1),
    # The state that the first leaves is there only when its loop has ended.
    "two_draws_in_a_loop": (lambda: (E("add", U, SECOND), LAST), 1),
    "one_after_the_other": (lambda: (E("add", U, X), E("add", build.flip(SECOND, (0,)), X)), 1),
    "a_later_draw_read_before": (
        lambda: (E("add", build.flip(SECOND, (0,)), Y), E("add", U, X)),
        0,
    ),
    "two_generators": (lambda: (E("add", U, OTHERS),), 2),
    "sorted_too": (lambda: (E("add", U, X), build.sort(U, 0)), 0),
    "all_axes": (lambda: (E("negative", GRID),), 1),
    "another_distribution": (lambda: (E("add", NORMAL, X),), 0),
    "a_result": (lambda: (U, E("add", U, X)), 0),
    "read_in_two_loops": (lambda: (E("subtract", U, along(TOTAL, U)),), 0),
    "reversed": (lambda: (E("add", build.flip(U, (0,)), X),), 0),
    "rows": (lambda: (build.reduce("sum", GRID, (1,)),), 0),
    "another_shape": (lambda: (E("negative", build.reshape(GRID, (build.size(GRID),))),), 0),
}
ENV = {"r": to_words(np.random.RandomState(3)), "x": np.arange(11.0)}
ENV |= {"y": np.ones(11), "q": to_words(np.random.RandomState(4))}


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    make, count = GRAPHS[name]
    program = placed(*make())
    draw_in_loops(program)
    assert len(program.windows) == count
    assert sum(len(s.drawn) for s in styles(program)) == count
    assign_buffers(program)
    for node in program.windows:
        [buffer] = program.buffers[node]
        assert buffer.shape == (BLOCK,) and not buffer.output
    golden(f"passes/windows_{name}.txt", check(program, ENV))


def styles(program: object) -> list[BlockedDraws]:
    found = [loop.get(BlockedDraws) for loop in program.all_loops()]  # type: ignore[attr-defined]
    return [s for s in found if s is not None]
