"""Which results are read: from outputs back, through branches and loops."""

from __future__ import annotations

import numpy as np
import pytest
from test_simplify_control import ENV, TRUE, A, B, E, K, N, X, body, c, counted, graph, grow, scan

from tracejit.ir import build, control, ops
from tracejit.ir.closing import Body
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import Node
from tracejit.ir.region import Check, regions_of
from tracejit.ir.simplify import simplify
from tracejit.ir.uses import uses
from tracejit.ir.verify import verify


def pair() -> list[Node]:
    """Two values that a loop makes apart, after its counter."""
    return counted(A, B, step=lambda k, u, v: (grow(u), E("add", v, v)))


def read(*outputs: Node) -> dict[int, set[int]]:
    """What `outputs` read of each loop, by how many results it has, and that no more is needed."""
    found = uses(outputs)
    values = graph(*outputs)
    simpler = simplify(values)
    verify(simpler)
    for env in (ENV, {**ENV, "x": ENV["x"][:0], "k": 0}):
        wanted, got = (evaluate(g.outputs, env) for g in (values, simpler))
        for a, b in zip(wanted, got, strict=True):
            np.testing.assert_array_equal(a, b)
    return {len(node.several or ()): which for node, which in found.items()}


def test_an_item_is_read_where_it_is_an_output():
    assert read(pair()[1]) == {3: {1}}
    assert read(*pair()[1:]) == {3: {1, 2}}


def test_a_length_is_read():
    """The number that a loop makes is a length, and no operand of anything."""
    count, _, _ = pair()
    assert read(build.full((count,), A)) == {3: {0}}


def test_what_a_chain_of_carried_values_ends_in_is_read():
    """The first one takes two steps to come by what an inner loop makes."""

    def step(k: Node, u: Node, v: Node, w: Node, t: Node) -> Body:
        _, p, q = pair()
        return body(v, w, p, q)

    [u, _, _, t] = scan(5, [A, B, A, B], [], step)
    assert read(u) == {4: {0}, 3: {1}}
    assert read(t) == {4: {3}, 3: {2}}
    assert read(u, t) == {4: {0, 3}, 3: {1, 2}}


def test_a_start_is_read_even_if_no_step_reads_it():
    _, p, q = pair()
    [y, _] = control.scan(K, [p, q], [], lambda k, v, e: body(A, B), [p, q])
    assert read(y) == {2: {0}, 3: {1}}


def test_a_condition_is_read():
    def condition(v: list[Node]) -> Body:
        return body(E("less", E("add", v[0], pair()[1]), c(1e3)))

    [y, _] = control.while_loop(
        [A, B], condition, lambda v: body(E("multiply", E("add", v[0], c(1.0)), c(2.0)), v[1])
    )
    assert read(y) == {2: {0}, 3: {1}}


def test_a_check_is_read():
    """Also where it reads what is carried, and nobody else does."""

    def step(k: Node, u: Node, v: Node) -> Body:
        small = E("less", E("add", v, pair()[2]), c(1e6))
        return Body((grow(u), grow(v)), (Check(small, "small"),))

    [y, _] = scan(3, [A, B], [], step)
    assert read(y) == {2: {0}, 3: {2}}
    assert len(simplify(graph(y)).outputs[0].args[0].several or ()) == 2


@pytest.mark.parametrize("which", [0, 1])
def test_both_sides_of_a_branch_are_read(which):
    sides = [body(*pair()[1:]), body(B, A)]
    y = control.cond(E("less", A, c(9.0)), sides[which], sides[1 - which])
    assert read(y[0]) == {2: {0}, 3: {1}}
    assert read(y[1]) == {2: {1}, 3: {2}}


def test_what_a_branch_captures_is_read_where_it_is_used():
    _, p, q = pair()
    first, second = control.cond(E("less", A, c(9.0)), body(p, q), body(A, A), [p, q])
    assert read(first) == {2: {0}, 3: {1}} and read(second) == {2: {1}, 3: {2}}


def test_a_body_in_two_places_is_read_as_both_need():
    """One region, of two nodes of which other results are read."""

    def step(k: Node, u: Node, v: Node) -> Body:
        _, p, q = counted(u, v, step=lambda k, s, t: (grow(s), E("add", t, t)))
        return body(p, q)

    one, two = scan(2, [A, B], [], step), scan(3, [A, B], [], step)
    assert regions_of(one[0].args[0]) == regions_of(two[0].args[0])
    found = uses([one[0], two[1]])
    [inner] = [n for n in found if n.op is ops.WHILE]
    assert found == {one[0].args[0]: {0}, two[0].args[0]: {1}, inner: {1, 2}}
    assert read(one[0], two[1])[3] == {1, 2}


def test_nothing_is_read_of_what_is_not_reached():
    y, _ = control.cond(TRUE, body(X, pair()[1]), body(X, B))
    assert read(y) == {2: {0}}
    assert N not in uses([X])
