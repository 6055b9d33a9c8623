"""What the CPU makes of graphs, a pass at a time, on a few nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stages import ENV, E, M, X, array, graph_of, layouts_of, same

from tracejit.cpu.passes.columns import positions_of_columns
from tracejit.cpu.passes.numbers import extremes_of_numbers
from tracejit.ir import build
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node
from tracejit.ir.printer import to_text
from tracejit.ir.verify import verify
from tracejit.lower.passes.masks import through_masks
from tracejit.lower.passes.products import products_as_sums
from tracejit.lower.target import GraphPass

NAN = {**ENV, "m": np.where(np.arange(63).reshape(9, 7) % 5, ENV["m"], np.nan)}


def run(
    change: GraphPass, golden: Any, name: str, *outputs: Node, env: Any = ENV, **layouts: str
) -> Graph:
    """The graph that a pass has made, which means the same, and whose text is the golden one."""
    graph = graph_of(*outputs)
    made = change(graph, layouts_of(graph, **layouts))
    verify(made, name)
    same(made, graph, env)
    golden(f"passes/{name}.txt", to_text(made))
    return made


def changed(change: GraphPass, *outputs: Node, **layouts: str) -> bool:
    graph = graph_of(*outputs)
    made = change(graph, layouts_of(graph, **layouts))
    same(made, graph)
    return made.outputs != graph.outputs


# Positions of columns ------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["argmax", "argmin"])
def test_positions_of_columns(op: str, golden: Callable[[str, str], None]) -> None:
    ties = {"m": np.round(ENV["m"]), **{k: v for k, v in ENV.items() if k != "m"}}
    for env in (ENV, ties, NAN):
        run(positions_of_columns, golden, f"columns_{op}", build.reduce(op, M, (0,)), env=env)


def test_positions_of_whole_numbers(golden: Callable[[str, str], None]) -> None:
    a = array("a", 2, np.int8)
    env = {"a": np.array([[1, 3], [4, 3], [4, 2]], np.int8)}
    run(positions_of_columns, golden, "columns_int8", build.reduce("argmax", a, (0,)), env=env)


def test_other_positions_stay() -> None:
    rows, columns = build.reduce("argmax", M, (1,)), build.reduce("argmax", M, (0,))
    assert not changed(positions_of_columns, rows)
    assert changed(positions_of_columns, rows, m="F")
    assert changed(positions_of_columns, columns)
    assert not changed(positions_of_columns, columns, m="F")
    assert not changed(positions_of_columns, build.reduce("argmax", M, (0, 1)))
    assert not changed(positions_of_columns, build.reduce("argmax", E("exp", X), (0,)))


# Extremes of numbers -------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["fmax_reduce", "fmin_reduce"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_extremes_of_numbers(
    op: str, axes: tuple[int, ...], golden: Callable[[str, str], None]
) -> None:
    name = f"numbers_{op}_{''.join(map(str, axes))}"
    reduced = build.reduce(op, M, axes)
    nothing = {**NAN, "m": np.full((3, 2), np.nan)}
    infinite = {**NAN, "m": np.array([[np.inf, np.nan], [-np.inf, np.nan]])}
    for env in (ENV, NAN, nothing, infinite):
        run(extremes_of_numbers, golden, name, reduced, env=env)


def test_extremes_of_others_stay() -> None:
    for dtype in ("e", "l", "D"):
        a = array("a", 1, dtype)
        graph = graph_of(build.reduce("fmax_reduce", a, (0,)))
        assert extremes_of_numbers(graph, {"a": "C"}) is graph
    assert not changed(extremes_of_numbers, build.reduce("max", M, (0,)))


# Products with vectors -----------------------------------------------------------------------


def column(v: Node) -> Node:
    return build.view(v, (v.shape[0], 1), ((0, 1, 0),))


def row(v: Node) -> Node:
    return build.view(v, (1, v.shape[0]), ((0, 1, 1),))


V, W = (build.input(name, M.dtype, (M.shape[k],)) for name, k in (("v", 1), ("w", 0)))
VECTORS = {**ENV, "v": np.arange(7.0), "w": np.arange(9.0) - 3}
T = build.transpose(M, (1, 0))
PRODUCTS: dict[str, tuple[Callable[[], tuple[Node, ...]], dict[str, str]]] = {
    "dot": (lambda: (build.matmul(row(V), column(E("exp", V))),), {}),
    "matrix_vector": (lambda: (build.matmul(M, column(V)),), {}),
    "vector_matrix": (lambda: (build.matmul(row(V), T),), {}),
    "rows_with_rows": (
        lambda: (build.matmul(build.expand_dims(M, (1,)), build.expand_dims(E("exp", M), (2,))),),
        {},
    ),
    "gradient": (lambda: (build.matmul(T, E("tanh", build.matmul(M, column(V)))),), {}),
    "fortran": (lambda: (build.matmul(row(W), M),), {"m": "F"}),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_as_sums(name: str, golden: Callable[[str, str], None]) -> None:
    make, layouts = PRODUCTS[name]
    env = {**VECTORS, "m": np.asfortranarray(ENV["m"]) if layouts else ENV["m"]}
    made = run(products_as_sums, golden, f"products_{name}", *make(), env=env, **layouts)
    assert not any(n.op.name == "matmul" for n in made.nodes())


@pytest.mark.parametrize(
    ("product", "layouts"),
    [
        (lambda: build.matmul(M, T), {}),
        # It adds up whole rows of memory, and nothing else reads these.
        (lambda: build.matmul(T, column(W)), {}),
        (lambda: build.matmul(M, column(V)), {"m": "F"}),
        (lambda: build.matmul(array("h", 2, "l"), column(array("i", 1, "l"))), {}),
        (lambda: build.matmul(column(W), row(W)), {}),
    ],
)
def test_other_products_stay(product: Callable[[], Node], layouts: dict[str, str]) -> None:
    try:
        node = product()
    except Exception:  # lengths that are not known to be equal
        a = array("h", 2, "l")
        node = build.matmul(a, column(build.input("i", a.dtype, (a.shape[1],))))
    graph = graph_of(node)
    assert products_as_sums(graph, layouts_of(graph, **layouts)) is graph


# Masks ---------------------------------------------------------------------------------------

B = build.input("b", np.dtype(bool), X.shape)
ABOVE = E("greater", X, 0.0)


def picked(x: Node, mask: Node) -> Node:
    places = build.nonzero(mask)
    at = build.view(places, places.shape[:1], ((0, 1, 0), (0, 0, None)))
    return build.gather(x, at.shape, (("index", 0),), at)


def put(x: Node, mask: Node, make: Callable[[Node], Node]) -> Node:
    places = build.nonzero(mask)
    at = build.view(places, places.shape[:1], ((0, 1, 0), (0, 0, None)))
    return build.scatter(x, make(picked(x, mask)), [at], [False], "set")


MASKS: dict[str, Callable[[], tuple[Node, ...]]] = {
    "picked": lambda: (picked(X, ABOVE),),
    "picked_by_an_input": lambda: (picked(X, B),),
    "another_array": lambda: (picked(E("exp", X), ABOVE),),
    "counted": lambda: (build.reduce("sum", build.cast(B, np.dtype(np.int64)), (0,)),),
    "counted_of_many_uses": lambda: (
        build.reduce("sum", build.cast(B, np.dtype(np.int64)), (0,)),
        E("logical_not", B),
    ),
    "counted_beside_another": lambda: (
        picked(X, ABOVE),
        build.reduce("sum", build.cast(E("less", X, 0.5), np.dtype(np.int64)), (0,)),
    ),
    "positions": lambda: (
        build.view(build.nonzero(ABOVE), build.nonzero(ABOVE).shape[:1], ((0, 1, 0), (0, 0, None))),
    ),
    "cheap": lambda: (put(X, ABOVE, lambda v: E("multiply", v, 2.0)),),
    "costly": lambda: (put(X, ABOVE, lambda v: E("exp", v)),),
    "a_number": lambda: (put(X, ABOVE, lambda v: build.full(v.shape, build.constant(7.0))),),
    "no_mask": lambda: (E("exp", X), build.where(ABOVE, X, E("negative", X))),
}


@pytest.mark.parametrize("name", MASKS)
def test_through_masks(name: str, golden: Callable[[str, str], None]) -> None:
    made = run(through_masks, golden, f"masks_{name}", *MASKS[name]())
    if name == "no_mask":
        assert made.outputs == graph_of(*MASKS[name]()).outputs


def test_where_a_number_is_put_into_complex_ones(golden: Callable[[str, str], None]) -> None:
    z = build.input("z", np.dtype(complex), X.shape)
    chosen = build.where(B, build.full(X.shape, build.constant(2j)), z)
    env = {**ENV, "z": np.arange(13) * 1j}
    run(through_masks, golden, "masks_complex", chosen, env=env)


def test_parts_of_inputs_are_read_where_they_lie(golden: Callable[[str, str], None]) -> None:
    """With no gaps between them; another part is copied."""
    whole = build.input("w", np.dtype(bool), (X.shape[0],))
    for name, step in (("part", 1), ("gaps", 2), ("back", -1)):
        start = 0 if step > 0 else 12
        half = build.view(whole, (6,), ((start, step, 0),))
        env = {**ENV, "w": np.arange(13) % 3 == 0}
        run(through_masks, golden, f"masks_{name}", build.nonzero(half), env=env)
