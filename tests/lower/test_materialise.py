"""What is stored, on a few nodes at a time."""

from __future__ import annotations

import pytest
from stages import COSTS, ENV, E, K, M, N, X, Y, along, graph_of, layouts_of, same

from tracejit.ir import build, ops
from tracejit.ir.node import Node
from tracejit.lower import control
from tracejit.lower.materialise import contiguous, materialise, own_cost
from tracejit.lower.placement import PLACEMENTS
from tracejit.lower.results import RESULT
from tracejit.lower.target import Costs


def stored(*outputs: Node, costs: Costs = COSTS) -> list[str]:
    """The ops of what is stored, in order."""
    return [n.op.name for n in materialise(graph_of(*outputs), costs)]


def taken(x: Node) -> Node:
    return build.gather(x, K.shape, (("index", 0),), K)


def put(places: Node) -> Node:
    """Ones added at places."""
    one = build.broadcast_to(build.constant(1.0, X.dtype), places.shape)
    return build.scatter(X, one, [places], [True], "add")


EXPENSIVE, CHEAP = E("exp", X), E("multiply", X, 2.0)
GRAPHS: dict[str, tuple[tuple[Node, ...], list[str]]] = {
    "an output": ((CHEAP,), ["multiply"]),
    "no input": ((X,), []),
    "two outputs": ((CHEAP, E("negative", CHEAP)), ["multiply", "negative"]),
    "one reader": ((E("negative", EXPENSIVE),), ["negative"]),
    "two cheap readers": ((E("negative", CHEAP), E("square", CHEAP)), ["negative", "square"]),
    "two readers": (
        (E("negative", EXPENSIVE), E("square", EXPENSIVE)),
        ["exp", "negative", "square"],
    ),
    "two readers in one place": ((E("add", E("negative", EXPENSIVE), EXPENSIVE),), ["add"]),
    "moved": (
        (E("add", EXPENSIVE, build.flip(EXPENSIVE, (0,))),),
        ["exp", "add"],
    ),
    "a reduction": ((E("sqrt", build.reduce("sum", X, (0,))),), ["sum", "sqrt"]),
    "a scan": ((E("sqrt", build.accumulate("add", X, 0)),), ["accumulate", "sqrt"]),
    "joined": ((E("sqrt", build.concatenate([X, Y], 0)),), ["concatenate", "sqrt"]),
    "a product": (
        (E("sqrt", build.matmul(E("exp", M), build.transpose(N, (1, 0)))),),
        ["exp", "matmul", "sqrt"],
    ),
    "a sort": ((E("exp", build.sort(E("negative", X), 0)),), ["negative", "sort", "exp"]),
    "looked up": ((E("exp", taken(CHEAP)),), ["multiply", "exp"]),
    "looked up in an input": ((E("exp", taken(X)),), ["exp"]),
    "a cheap place": ((put(E("add", K, 1)),), ["scatter"]),
    "an expensive place": (
        (put(build.cast(E("exp", build.cast(K, X.dtype)), K.dtype)),),
        ["cast", "scatter"],
    ),
    "reshaped": (
        (build.reduce("sum", build.reshape(E("exp", M), (build.size(M),)), (0,)),),
        ["exp", "sum"],
    ),
    "a result that is reshaped": (
        (build.reshape(E("exp", M), (build.size(M),)),),
        ["reshape"],
    ),
    "over an outer axis": (
        (E("multiply", M, along(E("exp", build.reduce("sum", M, (0,))), M, 1)),),
        ["sum", "exp", "multiply"],
    ),
    "over an inner axis": (
        (E("multiply", M, along(E("exp", build.reduce("sum", M, (1,))), M, 0)),),
        ["sum", "multiply"],
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_stored(name: str) -> None:
    outputs, expected = GRAPHS[name]
    assert stored(*outputs) == expected


def test_costs_are_the_targets() -> None:
    readers = E("negative", CHEAP), E("square", CHEAP)
    assert "multiply" in stored(*readers, costs=Costs(recompute=0))
    assert "exp" not in stored(
        E("negative", EXPENSIVE), E("square", EXPENSIVE), costs=Costs(recompute=20)
    )


def test_large_bodies_are_cut() -> None:
    """After so many additions, and anew after each stored node."""
    x: Node = X
    for k in range(12):
        x = E("exp", E("add", x, float(k)))
    names = materialise(graph_of(x), Costs(largest_body=100))
    assert [own_cost(n) for n in names] == [20, 20, 20] and names[-1] is x
    assert stored(x) == ["exp"]


@pytest.mark.parametrize("layout", ["C", "F", "A"])
def test_strided_inputs_are_copied_where_memory_is_read(layout: str) -> None:
    total = build.reduce("sum", build.reshape(M, (build.size(M),)), (0,))
    picked = E("exp", M)
    graph = graph_of(total, picked)
    made = contiguous(graph, layouts_of(graph, m=layout))
    same(made, graph)
    copies = [n for n in made.nodes() if n.op is ops.CAST]
    assert [c.args for c in copies] == ([] if layout == "C" else [(M,)])
    assert made.outputs[1] is picked


def test_a_record_for_each_structural_op() -> None:
    several = {op for op in ops.STRUCTURAL.values() if op.regions or op in (ops.TUPLE, ops.ITEM)}
    runs = {control.START, control.LEFT, RESULT, *control.RUNS.values()}
    assert PLACEMENTS.keys() == {*ops.STRUCTURAL.values()} - several | runs
    assert ENV["k"].max() < len(ENV["y"])
