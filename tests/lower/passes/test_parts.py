"""Arrays that are written part by part become concatenations, where nothing else is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stages import ENV, E, M, X, graph_of, layouts_of, same

import tracejit
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.printer import to_text
from tracejit.ir.verify import verify
from tracejit.lower.passes.parts import parts_joined

N = X.shape[0]
ROWS, COLUMNS = M.shape
FILLED = build.full((N,), build.constant(0.0))
WIDE = build.ordered(build.full(M.shape, build.constant(0.0)), "C")


def put(base: Node, value: Node, axis: int, start: Dim) -> Node:
    """``base[..., start : start + n] = value``; one place where `value` lacks the axis."""
    positions = []
    for k in range(base.ndim):
        places = build.iota(base.shape[k])
        if value.ndim < base.ndim and k == axis:
            positions.append(build.view(places, value.shape, ((start, 0, None),)))
        else:
            own = k - (k > axis and value.ndim < base.ndim)
            first = start if k == axis else 0
            positions.append(build.view(places, value.shape, ((first, 1, own),)))
    return build.scatter(base, value, positions, [False] * base.ndim, "set")


def part(start: Dim, length: Dim) -> Node:
    return build.view(X, (length,), ((start, 1, 0),))


LAST = dims.sub(N, 1)
JOINED: dict[str, Callable[[], Node]] = {
    "ends": lambda: put(
        put(put(FILLED, build.constant(3.0), 0, LAST), E("exp", part(1, dims.sub(N, 2))), 0, 1),
        build.view(X, (), ((LAST, 0, None),)), 0, 0,
    ),
    "rows": lambda: put(
        put(WIDE, build.view(M, (dims.sub(ROWS, 1), COLUMNS), ((1, 1, 0), (0, 1, 1))), 0, 1),
        build.view(M, (COLUMNS,), ((2, 0, None), (0, 1, 0))), 0, 0,
    ),
    "columns": lambda: put(
        put(WIDE, build.view(M, (ROWS, dims.sub(COLUMNS, 1)), ((0, 1, 0), (1, 1, 1))), 1, 0),
        build.view(M, (ROWS,), ((0, 1, 0), (0, 0, None))), 1, dims.sub(COLUMNS, 1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", JOINED)
def test_parts_are_joined(name: str, golden: Callable[[str, str], None]) -> None:
    graph = graph_of(JOINED[name]())
    made = parts_joined(graph, layouts_of(graph))
    verify(made, name)
    same(made, graph, ENV)
    golden(f"passes/parts_{name}.txt", to_text(made))
    assert not any(n.op.name == "scatter" for n in made.nodes())


def first_read() -> list[Node]:
    first = put(FILLED, part(0, 2), 0, 0)
    return [put(first, part(2, dims.sub(N, 2)), 0, 2), E("exp", first)]


OTHERS: dict[str, Callable[[], list[Node]]] = {
    "a_gap": lambda: [put(put(FILLED, part(0, 1), 0, 0), part(0, dims.sub(N, 2)), 0, 2)],
    "an_end_left": lambda: [put(put(FILLED, part(0, 1), 0, 0), part(0, dims.sub(N, 2)), 0, 1)],
    "twice": lambda: [put(put(FILLED, part(0, N), 0, 0), part(0, 1), 0, 0)],
    "read_meanwhile": first_read,
    "of_an_argument": lambda: [put(put(X, part(0, 1), 0, 0), part(0, dims.sub(N, 1)), 0, 1)],
    "a_corner": lambda: [
        put(put(WIDE, build.view(M, (1, 2), ((0, 1, 0), (0, 1, 1))), 0, 0),
            build.view(M, (dims.sub(ROWS, 1), COLUMNS), ((0, 1, 0), (0, 1, 1))), 0, 1)
    ],
    "combined": lambda: [
        build.scatter(put(FILLED, part(0, 1), 0, 0), part(0, dims.sub(N, 1)),
                      [build.view(build.iota(N), (dims.sub(N, 1),), ((1, 1, 0),))], [False], "add")
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_others_stay(name: str) -> None:
    graph = graph_of(*OTHERS[name]())
    made = parts_joined(graph, layouts_of(graph))
    assert made.outputs == graph.outputs


def ends(x: Any) -> Any:
    y = np.empty(len(x))
    y[0] = x[-1]
    y[1:-1] = x[2:] + x[:-2]
    y[-1] = 3
    return y


def columns(x: Any) -> Any:
    y = np.zeros((len(x), 3))
    y[:, 0] = x
    y[:, 2] = x * 2
    y[:, 1] = x + 1
    return y


def deleted(x: Any) -> Any:
    return np.delete(x, 1)


@pytest.mark.cpu
@pytest.mark.parametrize(("f", "loops"), [(ends, 2), (columns, 1), (deleted, 2)])
def test_nothing_is_filled_before(f: Callable[..., Any], loops: int) -> None:
    g = tracejit.function(f)
    for n in (7, 3, 2, 50):
        for x in (np.arange(n * 1.0), np.arange(2.0 * n)[::-2]):
            found = g(x)
            np.testing.assert_array_equal(found, f(x))
            assert found.flags.c_contiguous
    assert g.stats.loops == loops and " = 0.0" not in g.source(np.arange(7.0))
