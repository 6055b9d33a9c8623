"""Branches and loops as graphs, by what they show, with values for their inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.ir import build, control, dims, ops
from tracejit.ir.closing import Body
from tracejit.ir.graph import Check, Graph
from tracejit.ir.node import Node, make
from tracejit.ir.types import BOOL, FLOAT64, INT64
from tracejit.ir.verify import verify

E, c = build.elementwise, build.constant
FLOAT16 = np.dtype(np.float16)
N, M = dims.dim("m", 0), dims.dim("m", 1)
X = build.input("x", FLOAT64, (dims.dim("x", 0),))
Y = build.input("y", FLOAT64, X.shape)
MATRIX = build.input("m", FLOAT64, (N, M))
WIDE = build.input("w", FLOAT64, (M, dims.dim("w", 1)))
H = build.input("h", FLOAT16, (dims.dim("h", 0),))
A, K = build.input("a", FLOAT64, ()), build.input("k", INT64, (), weak=True)
INPUTS = (X, Y, MATRIX, WIDE, H, A, K)
ZERO, ONE = c(0.0, FLOAT64), c(1.0, FLOAT64)
_RNG = np.random.default_rng(3)
ENV: dict[str, Any] = {
    "x": _RNG.random(7),
    "y": _RNG.random(7),
    "m": _RNG.random((4, 5)),
    "w": _RNG.random((5, 3)),
    "h": _RNG.random(6).astype(np.float16),
    "a": np.float64(0.75),
    "k": 5,
}


def count(node: Node) -> Node:
    """A Python number."""
    return build.weak(node)


def whole(node: Node) -> Node:
    return build.cast(node, INT64)


def at(x: Node, *places: Node) -> Node:
    """An element."""
    return build.gather(x, (), tuple(("index", k) for k in range(len(places))), *map(whole, places))


def put(x: Node, value: Node, *places: Node, checked: bool = False) -> Node:
    """`x` with another element at a place."""
    return build.scatter(x, value, [whole(p) for p in places], [checked] * len(places), "set")


def scan(steps: Any, starts: list[Node], sequences: list[Node], step: Any, *around: Node) -> Any:
    """`step` gets the number, what is carried and the elements, and gives nodes."""
    return control.scan(
        steps, starts, sequences, lambda k, v, e: Body(tuple(step(k, *v, *e))), around
    )


def loop(starts: list[Node], test: Any, step: Any, *around: Node) -> list[Node]:
    return control.while_loop(
        starts, lambda v: Body((test(*v),)), lambda v: Body(tuple(step(*v))), around
    )


def recurrence() -> list[Node]:
    def step(k: Node, s: Node, e: Node) -> list[Node]:
        return [E("add", E("multiply", s, A), e)] * 2

    return scan(X.shape[0], [ZERO], [X], step)


def collatz() -> list[Node]:
    def step(n: Node, steps: Node) -> list[Node]:
        even = E("equal", E("remainder", n, c(2)), c(0))
        half, more = E("floor_divide", n, c(2)), E("add", E("multiply", n, c(3)), c(1))
        [n] = control.cond(even, Body((count(half),)), Body((count(more),)))
        return [n, count(E("add", steps, c(1)))]

    return loop([K, c(0)], lambda n, _: E("not_equal", n, c(1)), step)


def escape() -> list[Node]:
    """How many steps of ``z * z + c`` stay near, for each point of a plane."""

    def point(x: Node, y: Node) -> Node:
        def step(re: Node, im: Node, n: Node) -> list[Node]:
            square = E("subtract", E("multiply", re, re), E("multiply", im, im))
            twice = E("multiply", E("multiply", re, c(2.0)), im)
            new = (E("add", square, x), E("add", twice, y), E("add", n, c(1)))
            return [new[0], new[1], count(new[2])]

        def near(re: Node, im: Node, n: Node) -> Node:
            size = E("add", E("multiply", re, re), E("multiply", im, im))
            return E("logical_and", E("less_equal", size, c(4.0)), E("less", n, c(30)))

        return whole(loop([ZERO, ZERO, c(0)], near, step)[2])

    def row(k: Node, y: Node) -> list[Node]:
        return scan(X.shape[0], [], [X], lambda j, x: [point(x, y)])

    return scan(X.shape[0], [], [Y], row)


def running() -> list[Node]:
    """A prefix sum, written out."""
    zeros = build.full(X.shape, ZERO)

    def step(k: Node, s: Node, out: Node) -> list[Node]:
        s = E("add", s, at(X, k))
        return [s, put(out, s, k)]

    return scan(X.shape[0], [ZERO, zeros], [], step)[1:]


def product() -> list[Node]:
    """A product of matrices in three loops."""
    zeros = build.full((N, WIDE.shape[1]), ZERO)

    def row(i: Node, out: Node) -> list[Node]:
        def column(j: Node, out: Node) -> list[Node]:
            def term(k: Node, s: Node) -> list[Node]:
                return [E("add", s, E("multiply", at(MATRIX, i, k), at(WIDE, k, j)))]

            return [put(out, scan(M, [ZERO], [], term)[0], i, j)]

        return scan(WIDE.shape[1], [out], [], column)

    return scan(N, [zeros], [], row)


def diffusion() -> list[Node]:
    """A stencil, whose result is where its operand was: what it reads must be there yet."""

    def step(k: Node, u: Node) -> list[Node]:
        n = dims.sub(u.shape[0], 2)
        left, here, right = (build.view(u, (n,), ((s, 1, 0),)) for s in range(3))
        inner = E("add", here, E("multiply", c(0.1), E("subtract", E("add", left, right), here)))
        places = build.view(build.iota(u.shape[0]), (n,), ((1, 1, 0),))
        return [build.scatter(u, inner, [places], [False], "set")]

    return scan(dims.from_node(K), [X], [], step)


def jacobi() -> list[Node]:
    """A stencil from one array into another, which then is the one, as long as they differ."""
    n, m = dims.sub(N, 2), dims.sub(M, 2)
    places = [build.view(build.iota(d), (n, m), ((1, 1, k),)) for k, d in enumerate(MATRIX.shape)]

    def step(u: Node, v: Node, error: Node, turns: Node) -> list[Node]:
        around = [
            build.view(u, (n, m), ((i, 1, 0), (j, 1, 1)))
            for i, j in ((0, 1), (2, 1), (1, 0), (1, 2))
        ]
        total = E("add", E("add", E("add", around[0], around[1]), around[2]), around[3])
        new = build.scatter(v, E("multiply", c(0.25), total), places, [False, False], "set")
        error = build.reduce("max", E("absolute", E("subtract", new, u)), (0, 1))
        return [new, new, error, count(E("add", turns, c(1)))]

    def goes_on(u: Node, v: Node, error: Node, turns: Node) -> Node:
        return E("logical_and", E("greater", error, c(1e-3)), E("less", turns, c(40)))

    return loop([MATRIX, MATRIX, ONE, c(0)], goes_on, step)


def moved() -> list[Node]:
    """Arrays and scalars that change places: nothing may be overwritten too early."""

    def step(k: Node, u: Node, v: Node, a: Node, b: Node) -> list[Node]:
        return [v, E("add", u, v), b, E("add", a, b)]

    return scan(5, [X, Y, A, ONE], [], step)


def swapped() -> list[Node]:
    return scan(3, [X, Y, A, ONE], [], lambda k, u, v, a, b: [v, u, b, a])


def backwards() -> list[Node]:
    def step(k: Node, u: Node) -> list[Node]:
        last = dims.sub(u.shape[0], 1)
        return [build.view(u, u.shape, ((last, -1, 0),)), u]

    return scan(3, [X], [], step)


def rows() -> list[Node]:
    """A sequence of rows, a stack of rows, and a sum."""

    def step(k: Node, total: Node, sums: Node, row: Node) -> list[Node]:
        scaled = E("multiply", row, E("add", sums, k))
        return [E("add", total, build.reduce("sum", scaled, (0,))), E("add", sums, row), scaled]

    return scan(N, [ZERO, build.full((M,), ZERO)], [MATRIX], step)


def history() -> list[Node]:
    """What is carried, after each step; twice."""

    def step(k: Node, u: Node) -> list[Node]:
        new = put(u, E("add", at(u, k), A), k)
        return [new, new, new]

    return scan(X.shape[0], [X], [], step)


def doubled() -> list[Node]:
    """One array as two results."""
    root = E("sqrt", X)
    found = control.cond(E("greater", A, c(0.5)), Body((root, root)), Body((X, X)))
    return [*found, E("add", *found)]


def halves() -> list[Node]:
    one = c(1.0, FLOAT16)

    def step(k: Node, s: Node, u: Node, e: Node) -> list[Node]:
        s = E("add", s, e)
        return [s, E("multiply", u, s), s, E("subtract", u, e)]

    return scan(H.shape[0], [one, H], [H], step)


def branches() -> list[Node]:
    """Arrays and numbers; a capture that is a result."""
    later = E("greater", A, c(0.5))
    exp = E("sqrt", X)
    then = Body((exp, X, A, c(3, INT64)))
    otherwise = Body((X, exp, ONE, whole(K)))
    return control.cond(later, then, otherwise)


def again() -> list[Node]:
    """Two loops, one after the other, over the same memory."""

    def step(k: Node, u: Node) -> list[Node]:
        return [put(u, E("add", at(u, k), ONE), k)]

    [u] = scan(X.shape[0], [E("sqrt", X)], [], step)
    return scan(X.shape[0], [u], [], step)


def started() -> list[Node]:
    """Two loops from one start, which is read afterwards too."""

    def step(k: Node, u: Node) -> list[Node]:
        return [put(u, E("add", at(u, k), ONE), k)]

    start = E("sqrt", X)
    two = [scan(n, [start], [], step)[0] for n in (X.shape[0], 2)]
    return [*two, start]


def kept() -> list[Node]:
    """A loop inside of one, whose start is read again: it gets a copy at each turn."""

    def outer(k: Node, u: Node) -> list[Node]:
        def inner(j: Node, v: Node) -> list[Node]:
            return [put(v, E("add", at(v, j), at(u, c(0))), j)]

        return [E("add", scan(u.shape[0], [u], [], inner, u)[0], u)]

    return scan(3, [X], [], outer)


def written() -> list[Node]:
    """A caller's array, in a loop that cannot refuse."""

    def step(k: Node, u: Node) -> list[Node]:
        return [E("add", E("multiply", u, A), u)]

    [u] = scan(dims.from_node(K), [X], [], step)
    return [make(ops.ASSIGN, (X, u), False, X.type)]


def looked_up() -> list[Node]:
    """Places that may lie outside."""

    def step(u: Node, k: Node) -> list[Node]:
        return [put(u, E("add", at(u, k), ONE), k, checked=True), count(E("add", k, c(1)))]

    return loop([X, c(0)], lambda u, k: E("less", k, K), step)


def fed() -> list[Node]:
    """A loop that would never end, were it to begin with what is at a place outside."""

    def step(k: Node, s: Node) -> list[Node]:
        n = count(whole(at(X, E("add", k, c(1)))))
        [n] = loop([n], lambda n: E("not_equal", n, c(3)), lambda n: [count(E("add", n, c(1)))])
        return [count(E("add", s, n))]

    return scan(dims.from_node(K), [c(0)], [], step)


def positive() -> list[Node]:
    """A check at each step."""

    def step(k: Node, v: list[Node], e: list[Node]) -> Body:
        check = Check(E("greater_equal", e[0], ZERO), "x[k] >= 0")
        return Body((E("multiply", v[0], e[0]),), (check,))

    return control.scan(X.shape[0], [ONE], [X], step)


def found() -> list[Node]:
    """Arrays whose length depends on data: a start, a sequence and a stack."""
    mask = build.nonzero(E("greater", X, c(0.5)))
    n = mask.shape[0]
    places = build.view(mask, (n,), ((0, 1, 0), (0, 0, None)))
    picked = build.gather(X, (n,), (("index", 0),), places)

    def step(k: Node, u: Node, s: Node, e: Node) -> list[Node]:
        backwards = build.view(u, u.shape, ((dims.sub(u.shape[0], 1), -1, 0),))
        return [E("add", backwards, e), E("add", s, e), E("multiply", e, s)]

    return scan(n, [picked, ZERO], [picked], step, picked)


def nothing() -> list[Node]:
    """Loops without a turn."""
    none = c(False, BOOL)
    looped = loop(
        [X, A],
        lambda u, a: E("logical_and", none, E("less", a, ZERO)),
        lambda u, a: [E("add", u, a), ZERO],
    )
    return [*looped, *scan(0, [X, A], [], lambda k, u, a: [E("add", u, a), E("add", a, k)])]


GRAPHS: dict[str, Callable[[], list[Node]]] = {
    f.__name__: f
    for f in (
        recurrence, collatz, escape, running, product, diffusion, jacobi, moved, swapped,
        backwards, rows, history, doubled, halves, branches, again, started, kept,
        looked_up, fed, positive, found, nothing,
    )
}  # fmt: skip


def graph_of(outputs: list[Node]) -> Graph:
    nodes = Graph((), tuple(outputs)).nodes()
    used = {n.attr[0] for n in nodes if n.op in (ops.INPUT, ops.DIM)}
    graph = Graph(tuple(i for i in INPUTS if i.attr[0] in used), tuple(outputs))
    verify(graph)
    return graph


def layouts_of(graph: Graph, array: str = "C") -> dict[str, str]:
    return {i.attr[0]: array if i.ndim else "" for i in graph.inputs}
