"""Last rows of stacks are what loops carry, but where derivatives are taken by them."""

from __future__ import annotations

import numpy as np

from tracejit.ir import build
from tracejit.ir.closing import Body
from tracejit.ir.control import scan
from tracejit.ir.interpret import evaluate
from tracejit.ir.stacks import last_rows

ROWS = np.arange(12.0).reshape(4, 3)


def loop():
    x = build.input("x", np.dtype(np.float64), (4, 3))
    start = build.full((3,), build.constant(1.0, np.float64))

    def step(index, carried, elements):
        total = build.elementwise("add", *carried, *elements)
        return Body((total, total, build.elementwise("negative", total)))

    return scan(4, [start], [x], step)


def row(stack, k, axis=0):
    index = ((k, 0, None), (0, 1, 0)) if axis == 0 else ((0, 1, 0), (k, 0, None))
    return build.view(stack, (stack.shape[1 - axis],), index)


def test_the_last_row_is_carried():
    carried, stack, other = loop()
    [found] = last_rows([row(stack, 3)])
    assert found is carried
    np.testing.assert_array_equal(evaluate([found], {"x": ROWS})[0], ROWS.sum(0) + 1)
    for node in (row(stack, 2), row(other, 3), row(stack, 2, axis=1), stack):
        assert last_rows([node]) == [node]


def test_part_of_the_last_row():
    carried, stack, _ = loop()
    part = build.view(stack, (), ((3, 0, None), (1, 0, None)))
    [found] = last_rows([build.elementwise("negative", part)])
    assert found.args[0] is build.view(carried, (), ((1, 0, None),))


def test_what_derivatives_are_taken_by_stays():
    carried, stack, _ = loop()
    last = row(stack, 3)
    double = build.elementwise("add", last, last)
    assert last_rows([double], [last]) == [double]
    assert last_rows([double], [stack]) == [double]
    assert last_rows([double], [row(stack, 0)])[0].args == (carried, carried)
