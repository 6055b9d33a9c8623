"""Scatters that write into their operand, on a few nodes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stages import E, K, X, Y, check, unplaced_program

from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.lower.fusion import fuse
from tracejit.lower.inplace import write_in_place


def put(x: Node, y: Node, mode: str = "set") -> Node:
    return build.scatter(x, y, [K], [True], mode)


BASE = E("exp", X)
HEAD = build.view(BASE, Y.shape, ((0, 1, 0),))
SHIFTED = build.view(BASE, Y.shape, ((1, 1, 0),))
FIRST = build.view(build.iota(Y.shape[0]), Y.shape, ((0, 1, 0),))
SECOND = build.view(build.iota(X.shape[0]), Y.shape, ((1, 1, 0),))

GRAPHS: dict[str, Callable[[], tuple[Node, ...]]] = {
    "nothing_stored": lambda: (put(BASE, Y),),
    "added": lambda: (put(BASE, Y, "add"),),
    "an_input": lambda: (put(X, Y),),
    "an_output": lambda: (put(BASE, Y), BASE),
    "read_before": lambda: (put(BASE, E("multiply", Y, build.reduce("sum", BASE, (0,)))),),
    "read_elsewhere": lambda: (put(BASE, Y), E("sqrt", build.accumulate("add", BASE, 0))),
    "read_later": lambda: (E("add", build.accumulate("add", put(BASE, Y), 0), BASE),),
    "twice": lambda: (put(put(BASE, Y), E("negative", Y)),),
    "its_own_element": lambda: (build.scatter(BASE, E("negative", HEAD), [FIRST], [False], "set"),),
    "a_later_element": lambda: (
        build.scatter(BASE, E("negative", SHIFTED), [FIRST], [False], "set"),
    ),
    "another_element": lambda: (
        build.scatter(BASE, E("negative", HEAD), [SECOND], [False], "set"),
    ),
}
IN_PLACE = {"a_later_element", "read_before", "read_elsewhere", "twice", "its_own_element"}


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    program = unplaced_program(*GRAPHS[name]())
    write_in_place(program)
    assert bool(program.inplace) == (name in IN_PLACE)
    fuse(program, 1000)
    golden(f"passes/inplace_{name}.txt", check(program))
