"""Loops over the same lines go strip by strip, where no line needs what others write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from control_graphs import E, c, scan
from reference.target import Reference

import tracejit
from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import Node, make
from tracejit.ir.simplify import simplify
from tracejit.ir.types import FLOAT64
from tracejit.lower import interpret
from tracejit.lower.schedule import schedule
from tracejit.lower.text import to_text
from tracejit.lower.verify import verify

SHAPE = tuple(dims.dim("d", k) for k in range(3))
D, W = build.input("d", FLOAT64, SHAPE), build.input("w", FLOAT64, SHAPE)
STEPS = dims.sub(SHAPE[2], 1)


def put(x: Node, value: Node, k: Dim) -> Node:
    """`x` with another slice at a step."""
    lines = x.shape[:2]
    places = [build.view(build.iota(n), lines, ((0, 1, a),)) for a, n in enumerate(lines)]
    places.append(build.view(build.iota(x.shape[2]), lines, ((k, 0, None),)))
    return build.scatter(x, value, places, [False] * 3, "set")


def at(x: Node, k: Dim, turned: bool = False) -> Node:
    """The slice at a step, whose points are those of the lines, or of others."""
    axes = ((0, 1, 1), (0, 1, 0)) if turned else ((0, 1, 0), (0, 1, 1))
    return build.view(x, x.shape[:2], (*axes, (k, 0, None)))


def forwards(k: Node, d: Node) -> list[Node]:
    before, new = steps_of(k)
    return [put(d, E("subtract", at(d, new), at(d, before)), new)]


def backwards(k: Node, d: Node) -> list[Node]:
    before, new = (dims.sub(dims.sub(d.shape[2], 1), j) for j in steps_of(k))
    return [put(d, E("add", at(d, new), E("multiply", at(d, before), c(0.5))), new)]


def steps_of(k: Node) -> tuple[Dim, Dim]:
    """The number of a step, and the next."""
    return dims.from_node(k), dims.add(dims.from_node(k), 1)


def sweeps() -> list[Node]:
    """Forwards, and what that gives backwards."""
    [d] = scan(STEPS, [D], [], forwards)
    [d] = scan(STEPS, [d], [], backwards)
    return [make(ops.ASSIGN, (D, d), False, D.type)]


def beside(turned: bool = False) -> list[Node]:
    """Two arrays: the second loop reads what the first has left, of its own lines or of others."""
    [d] = scan(STEPS, [D], [], forwards)

    def added(k: Node, w: Node) -> list[Node]:
        before, new = steps_of(k)
        return [put(w, E("add", at(w, before), at(d, new, turned)), new)]

    [w] = scan(STEPS, [W], [], added, d)
    pairs = ((D, d), (W, w))
    return [make(ops.ASSIGN, (x, new), False, x.type) for x, new in pairs]


def crossed() -> list[Node]:
    return beside(turned=True)


#: How many strips each has.
GRAPHS: dict[Callable[[], list[Node]], int] = {sweeps: 1, beside: 1, crossed: 0}


@pytest.mark.parametrize("make_nodes", GRAPHS, ids=lambda f: f.__name__)
def test_alone(make_nodes: Callable[[], list[Node]], golden: Callable[[str, str], None]) -> None:
    nodes, name = make_nodes(), make_nodes.__name__
    used = tuple(x for x in (D, W) if any(x in node.args for node in nodes))
    graph = simplify(Graph(used, tuple(nodes)))
    layouts, reference = {x.attr[0]: "C" for x in used}, Reference()
    program = schedule(graph, layouts, reference)
    verify(program)
    assert len(program.strips) == GRAPHS[make_nodes]
    source = reference.render(program)
    golden(f"control/strips_{name}.txt", f"{to_text(program)}\n\n{source.text}")
    draw = np.random.default_rng(3).uniform
    env = {x.attr[0]: draw(size=(18, 18, 21)) for x in used}
    want = evaluate(nodes, env)
    for run in (
        lambda mine: interpret.evaluate(program, mine),
        lambda mine: reference.compile(source, graph, layouts)[0](*mine.values()),
    ):
        mine = {name: x.copy() for name, x in env.items()}
        run(mine)
        for x, right in zip(mine.values(), want, strict=True):
            np.testing.assert_array_equal(x, right)


# Programs ----------------------------------------------------------------------------------------


def thomas(a, b, c, d):
    """As a user writes it: the first column apart, a copy of what is overwritten."""
    c[:, :, 0] = c[:, :, 0] / b[:, :, 0]
    d[:, :, 0] = d[:, :, 0] / b[:, :, 0]
    for k in range(1, d.shape[-1]):
        m = 1.0 / (b[:, :, k] - a[:, :, k] * c[:, :, k - 1])
        c[:, :, k] = c[:, :, k] * m
        d[:, :, k] = (d[:, :, k] - a[:, :, k] * d[:, :, k - 1]) * m
    for k in range(d.shape[-1] - 2, -1, -1):
        d[:, :, k] -= c[:, :, k] * d[:, :, k + 1]


def a_middle_axis(a, b, c, d):
    for k in range(1, d.shape[1]):
        d[:, k] += d[:, k - 1] * a[:, k]
    for k in range(d.shape[1] - 2, -1, -1):
        d[:, k] += d[:, k + 1] * b[:, k]


def neighbours_in_a_row(a, b, c, d):
    """Independent along the first axis alone."""
    for k in range(1, d.shape[1]):
        d[:, k, 1:] += d[:, k - 1, :-1]
    for k in range(1, d.shape[1]):
        c[:, k, 1:] += d[:, k - 1, :-1]


def other_lines_later(a, b, c, d):
    for k in range(1, d.shape[-1]):
        d[:, :, k] += d[:, :, k - 1]
    for k in range(1, d.shape[-1]):
        c[:, 1:, k] = c[:, 1:, k - 1] + d[:, :-1, k]


def a_whole_between(a, b, c, d):
    for k in range(1, d.shape[-1]):
        d[:, :, k] += d[:, :, k - 1]
    s = d[:, :, -1].max()
    for k in range(1, d.shape[-1]):
        d[:, :, k] *= s


def temporaries(a, b, c, d):
    """Whose memory later ones take over."""
    e = a[:, :, 0] + b[:, :, 0]
    for k in range(1, d.shape[-1]):
        d[:, :, k] += d[:, :, k - 1] * e
    f = (a[:, :, 1] * d[:, :, 2]).T.copy()
    for k in range(1, d.shape[-1]):
        c[:, :, k] += c[:, :, k - 1] * f


def in_steps(a, b, c, d):
    """A loop around: all of it in each step."""
    for _ in range(3):
        for k in range(1, d.shape[-1]):
            d[:, :, k] += d[:, :, k - 1] * 0.5
        for k in range(d.shape[-1] - 2, -1, -1):
            d[:, :, k] -= c[:, :, k] * d[:, :, k + 1]
        c *= 0.1 / (1 + abs(d[:, ::-1]))


#: How many strips each has.
PROGRAMS: dict[Callable[..., Any], int] = {
    thomas: 1,
    a_middle_axis: 1,
    neighbours_in_a_row: 1,
    other_lines_later: 0,
    a_whole_between: 0,
    temporaries: 2,
    in_steps: 1,
}


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_as_numpy(function: Callable[..., Any]) -> None:
    f = tracejit.function(function)
    with tracejit.config(budget=20):
        for n in (70, 33, 16, 5):
            mine, plain = arguments(n), arguments(n)
            f(*mine)
            function(*plain)
            for x, y in zip(mine, plain, strict=True):
                np.testing.assert_array_equal(x, y)
    assert f.stats.fallbacks == 0
    assert _strips(f._paths[0].executable.program) == PROGRAMS[function]


def arguments(n: int) -> list[np.ndarray]:
    a, c, d = np.random.default_rng(4).uniform(size=(3, n, n, n))
    return [a, 2.5 + a + c, c, d]


def _strips(program: Any) -> int:
    inner = (p for control in program.controls.values() for p in control.programs)
    return len(program.strips) + sum(map(_strips, inner))
