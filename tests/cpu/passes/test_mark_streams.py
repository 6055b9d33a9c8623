"""Which results may be stored past the caches, on a few nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stages import E, M, X, Y, array, check, placed

from tracejit.cpu.passes.streams import mark_streams
from tracejit.cpu.passes.windows import draw_in_loops
from tracejit.cpu.styles import NonTemporal
from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.lower.buffers import assign_buffers
from tracejit.lower.passes.chunks import mark_chunks

EXP = E("exp", X)
COSTLY = E("exp", E("exp", E("add", X, 1.0)))
GRAPHS: dict[str, tuple[Callable[[], tuple[Node, ...]], int]] = {
    "map": (lambda: (EXP,), 1),
    "two_results": (lambda: (EXP, E("negative", X)), 2),
    "flat": (lambda: (E("exp", M),), 1),
    "nested": (lambda: (E("exp", build.transpose(M, (1, 0))), E("negative", M)), 0),
    "two_loops": (lambda: (EXP, E("negative", Y)), 0),
    "chunked": (lambda: (EXP, build.reduce("sum", EXP, (0,))), 0),
    "costly": (lambda: (COSTLY,), 0),
    "not_quite": (lambda: (E("exp", E("exp", X)),), 1),
    "small_elements": (lambda: (E("less", X, 0.0),), 0),
    "one_that_fits": (lambda: (E("less", X, 0.0), E("negative", X)), 1),
    "complex": (lambda: (build.cast(X, np.dtype(complex)),), 0),
    "single": (lambda: (E("negative", array("f", 1, "f")),), 1),
    "joined": (lambda: (build.concatenate([X, EXP], 0),), 0),
    "running": (lambda: (build.accumulate("add", X, 0),), 0),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    make, count = GRAPHS[name]
    program = placed(*make())
    draw_in_loops(program)
    assign_buffers(program)
    mark_chunks(program)
    mark_streams(program)
    found = [loop.get(NonTemporal) for loop in program.all_loops()]
    results = [b for style in found if style is not None for b in style.results]
    assert len(results) == count and all(b.output for b in results)
    env = {"x": np.linspace(-3, 1, 9), "y": np.ones(4), "m": np.ones((3, 2))}
    env["f"] = np.arange(5, dtype=np.float32)
    golden(f"passes/streams_{name}.txt", check(program, env))
