"""Nests that become flat loops, and those that do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stages import E, M, S, X, along, check, fused

from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.lower.collapse import collapse
from tracejit.lower.program import Flat

EXP = E("exp", M)
GRAPHS: dict[str, tuple[tuple[Node, ...], dict[str, str], bool]] = {
    "map": ((EXP,), {}, True),
    "two": ((EXP, E("negative", M)), {}, True),
    "with_a_sum": ((EXP, build.reduce("sum", EXP, (0, 1))), {}, True),
    "fortran": ((EXP,), {"m": "F"}, True),
    "mixed": ((E("add", S, build.transpose(S, (1, 0))),), {}, False),
    "strided": ((EXP,), {"m": "A"}, False),
    "rows": ((EXP,), {"m": "R"}, False),
    "rows_summed": ((build.reduce("sum", M, (1,)),), {}, False),
    "broadcast": ((E("add", M, along(build.reduce("sum", M, (1,)), M, 0)),), {}, False),
    "scalar": ((E("add", M, along(E("exp", build.reduce("sum", X, (0,))), M)),), {}, True),
    "running": ((build.accumulate("add", M, 0),), {}, False),
    "numbers": (
        (E("add", M, along(build.cast(build.iota(M.shape[1]), M.dtype), M, 1)),),
        {},
        False,
    ),
    "one_axis": ((E("exp", X),), {}, False),
    "joined": ((build.concatenate([M, EXP], 0),), {}, False),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    outputs, layouts, flat = GRAPHS[name]
    program = fused(*outputs, **layouts)
    collapse(program)
    text = check(program)
    assert any(loop.has(Flat) for loop in program.all_loops()) == flat
    for loop in program.all_loops():
        assert not loop.has(Flat) or all(c.loops == [loop] for c in loop.items)  # type: ignore[union-attr]
    golden(f"passes/collapse_{name}.txt", text)
