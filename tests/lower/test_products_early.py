"""Matrix products that only a result needs, as early as they can be computed."""

from __future__ import annotations

from stages import COSTS, ENV, E, S, check, graph_of, placed

from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.lower.materialise import materialise
from tracejit.lower.order import products_early

T = build.transpose(S, (1, 0))


def step(x: Node) -> Node:
    return E("tanh", build.matmul(x, S))


def names(*outputs: Node) -> tuple[list[str], list[str]]:
    """The ops in the order of the graph, and in that of the pass."""
    nodes = materialise(graph_of(*outputs), COSTS)
    order = products_early(nodes)
    assert sorted(map(id, order)) == sorted(map(id, nodes))
    place = {n: k for k, n in enumerate(order)}
    for n in order:
        assert all(place[a] < place[n] for a in n.args if a in place)
    return [n.op.name for n in nodes], [n.op.name for n in order]


def test_a_product_of_a_result_moves_forward() -> None:
    first = step(S)
    total = E("sqrt", E("exp", build.reduce("sum", step(first), (0, 1))))
    slope = build.matmul(build.transpose(first, (1, 0)), S)
    outputs = total, E("negative", slope)
    before, after = names(*outputs)
    assert before == ["matmul", "tanh", "matmul", "sum", "sqrt", "matmul", "negative"]
    assert after == ["matmul", "tanh", "matmul", "negative", "matmul", "sum", "sqrt"]
    check(placed(*outputs))


def test_a_product_waits_for_all_that_it_needs() -> None:
    first, second = step(S), step(step(S))
    total = E("sqrt", E("exp", build.reduce("sum", step(E("negative", second)), (0, 1))))
    slope = build.matmul(build.transpose(first, (1, 0)), second)
    outputs = total, E("negative", slope)
    _, after = names(*outputs)
    assert after.index("negative") < after.index("sqrt")
    check(placed(*outputs))


def test_what_others_read_stays() -> None:
    first = step(S)
    shared = build.matmul(first, T)
    outputs = E("exp", first), E("add", shared, E("exp", shared)), E("sqrt", shared)
    before, after = names(*outputs)
    assert before == after
    check(placed(*outputs), {"s": abs(ENV["s"])})


def test_without_products_nothing_moves() -> None:
    before, after = names(E("exp", S), build.reduce("sum", E("exp", S), (0,)))
    assert before == after == ["exp", "sum"]


def test_a_product_that_is_a_result() -> None:
    first = step(S)
    outputs = E("exp", E("tanh", build.matmul(first, first))), build.matmul(first, S)
    before, after = names(*outputs)
    assert before == ["matmul", "tanh", "matmul", "exp", "matmul"]
    assert after == ["matmul", "tanh", "matmul", "exp", "matmul"]
