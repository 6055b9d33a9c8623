"""What is read of an array before it is overwritten, on a few nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stages import E, K, X, Y, check, unplaced_program

from tracejit.ir import build, ops
from tracejit.ir.node import Node, make
from tracejit.lower.antidependence import _sorted
from tracejit.lower.fusion import fuse
from tracejit.lower.inplace import write_in_place
from tracejit.lower.program import Computation


def put(x: Node, y: Node) -> Node:
    return build.scatter(x, y, [K], [True], "set")


BASE, OTHER = E("exp", X), E("sin", X)
FIRST = build.view(BASE, (), ((0, 0, None),))
FEW = build.view(BASE, (3,), ((0, 1, 0),))


def both() -> tuple[Node, ...]:
    """Each of two arrays gets an element that the other one had."""
    head = build.view(OTHER, (), ((1, 0, None),))
    return put(BASE, build.broadcast_to(head, Y.shape)), put(
        OTHER, build.broadcast_to(FIRST, Y.shape)
    )


GRAPHS: dict[str, tuple[Callable[[], tuple[Node, ...]], int]] = {
    "an_element": (lambda: (E("multiply", put(BASE, Y), build.broadcast_to(FIRST, X.shape)),), 1),
    "a_sum": (lambda: (E("add", build.reduce("sum", put(BASE, Y), (0,)), FIRST),), 1),
    "a_few": (lambda: (E("add", build.view(put(BASE, Y), (3,), ((2, 1, 0),)), FEW),), 1),
    "each_of_two": (both, 2),
    "the_whole": (lambda: (E("add", build.accumulate("add", put(BASE, Y), 0), BASE),), 0),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    make, count = GRAPHS[name]
    program = unplaced_program(*make())
    write_in_place(program)
    assert len(program.inplace) == count
    fuse(program, 1000)
    golden(f"passes/antidependence_{name}.txt", check(program))


def test_what_is_there_at_the_end_is_put_there_last() -> None:
    """Even where each of two computations should be the first, and so neither waits."""
    x, y = (build.input(name, np.dtype(float), (5,)) for name in "xy")
    first = build.elementwise("negative", x)
    second = build.elementwise("exp", first)
    end = make(ops.ASSIGN, (x, y), False, x.type)
    stored: dict[Node, list[Computation]] = {first: [], second: [], end: []}
    assert list(_sorted(stored, {first: {second}})) == [first, second, end]
