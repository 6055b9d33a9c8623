"""Derivatives of branches and loops, on graphs of a few nodes: values, and what is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tracejit.errors import NotTraceable
from tracejit.ir import autodiff, build, control, dims, ops
from tracejit.ir.autodiff import Walk
from tracejit.ir.batch import batched
from tracejit.ir.closing import Body
from tracejit.ir.graph import Graph
from tracejit.ir.interpret import evaluate
from tracejit.ir.marks import marked
from tracejit.ir.node import Node, postorder
from tracejit.ir.region import regions_of
from tracejit.ir.rewrite import joined
from tracejit.ir.simplify import simplify
from tracejit.ir.types import FLOAT64, INT64
from tracejit.ir.verify import verify

E, c = build.elementwise, build.constant
N = dims.dim("x", 0)
X = build.input("x", FLOAT64, (N,))
A = build.input("a", FLOAT64, ())
K = build.input("k", INT64, (), weak=True)
ONE, ZERO = c(1.0, FLOAT64), c(0.0, FLOAT64)
VALUES = np.array([0.5, -0.25, 1.5])


def values(outputs: list[Node], **env: Any) -> list[Any]:
    """What verified and simplified outputs are."""
    inputs = tuple(n for n in {*postorder(outputs), X, A, K} if n.op is ops.INPUT)
    g = Graph(inputs, tuple(outputs))
    verify(g)
    g = simplify(g)
    verify(g, "simplify")
    return evaluate(g.outputs, {"x": VALUES, "a": np.array(0.75), "k": 4, **env})


def gradients(y: Node, wrt: list[Node], walk: Walk | None = None) -> list[Node]:
    walk = walk or Walk()
    found = autodiff.vjp([y], [ONE], wrt, walk=walk)
    assert None not in found
    return joined([g for g in found if g is not None], walk.joined)


def pushed(y: Node, wrt: list[Node], points: list[Node]) -> Node:
    walk = Walk()
    [t] = autodiff.jvp([y], wrt, points, walk)
    assert t is not None
    return joined([t], walk.joined)[0]


def looped(steps: Any = K) -> Node:
    """``s = sin(s) * x[j] + a``, summed over the elements of `x`, so many times from `a`."""

    def step(index: Node, v: list[Node], e: list[Node]) -> Body:
        return Body((E("add", E("multiply", E("sin", v[0]), X), A),))

    start = build.full((N,), A)
    [s] = control.scan(steps, [start], [], step, [X, A])
    return build.reduce("sum", s, (0,))


def by_hand(k: int) -> tuple[float, np.ndarray, float]:
    """Its value, and its gradients, by complex steps."""

    def f(x: Any, a: Any) -> Any:
        s = x * 0 + a
        for _ in range(k):
            s = np.sin(s) * x + a
        return s.sum()

    h = 1e-30
    steps = np.eye(3) * 1j * h
    by_x = np.array([f(VALUES + d, 0.75).imag / h for d in steps])
    return f(VALUES, 0.75), by_x, f(VALUES + 0j, 0.75 + 1j * h).imag / h


@pytest.mark.parametrize("checkpoint", [True, False])
@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 5, 9, 10, 17])
def test_a_loop_goes_back(k: int, checkpoint: bool) -> None:
    y = looped()
    gx, ga = gradients(y, [X, A], Walk(checkpoint))
    _, by_x, by_a = by_hand(k)
    got_x, got_a = values([gx, ga], k=k)
    np.testing.assert_allclose(got_x, by_x, rtol=1e-13)
    np.testing.assert_allclose(got_a, by_a, rtol=1e-13)


@pytest.mark.parametrize("k", [0, 1, 5])
def test_a_loop_goes_forwards(k: int) -> None:
    t = pushed(looped(), [X, A], [build.full((N,), c(2.0)), ONE])
    _, by_x, by_a = by_hand(k)
    np.testing.assert_allclose(values([t], k=k)[0], 2 * by_x.sum() + by_a, rtol=1e-13)


def loops(outputs: list[Node]) -> list[Node]:
    return [n for n in postorder(outputs) if n.op is ops.SCAN]


def test_the_values_are_those_of_the_loop_that_keeps_them() -> None:
    """The loop that was differentiated is part of the one with checkpoints."""
    y = looped()
    walk = Walk()
    [g] = gradients(y, [A], walk)
    assert len(loops([y, g])) == 3
    assert len(loops(joined([y, g], walk.joined))) == 2
    walk = Walk()
    [t] = autodiff.jvp([y], [A], [ONE], walk)
    assert t is not None
    assert len(loops(joined([y, t], walk.joined))) == 1


def test_a_segment_is_done_again_once() -> None:
    """Not at each of its steps back, although numbers that are computed say where it begins."""
    [g] = gradients(looped(), [A])
    back = loops([g])[-1]
    inner = [n for n in regions_of(back)[0].nodes() if n.op is ops.SCAN]
    assert len(inner) == 2
    assert not any(n.op is ops.SCAN for each in inner for n in regions_of(each)[0].nodes())


def test_a_linear_loop_keeps_nothing() -> None:
    """Its way back reads no value, so there is one loop back, without segments."""
    [s] = control.scan(K, [X], [], lambda k, v, e: Body((E("multiply", v[0], A),)), [A])
    y = build.reduce("sum", s, (0,))
    [g] = gradients(y, [X])
    [back] = loops([g])
    assert not any(n.op is ops.SCAN for n in regions_of(back)[0].nodes())
    np.testing.assert_allclose(values([g])[0], np.full(3, 0.75**4))


def test_sequences_and_stacks() -> None:
    """A running sum of squares: each element counts in all later sums."""

    def step(index: Node, v: list[Node], e: list[Node]) -> Body:
        total = E("add", v[0], E("square", e[0]))
        return Body((total, E("multiply", total, A)))

    total, stack = control.scan(N, [ZERO], [X], step, [A])
    y = E("add", build.reduce("sum", stack, (0,)), total)
    for walk in (Walk(), Walk(checkpoint=False)):
        gx, ga = gradients(y, [X, A], walk)
        got_x, got_a = values([gx, ga])
        np.testing.assert_allclose(got_x, 2 * VALUES * (0.75 * np.array([3, 2, 1]) + 1))
        np.testing.assert_allclose(got_a, np.cumsum(VALUES**2).sum())
    t = pushed(y, [X], [X])
    np.testing.assert_allclose(values([t])[0], (VALUES * got_x).sum())


def test_counters_and_truth_values_are_carried_without_cotangents() -> None:
    """An integer that decides, and a number of Python's that is a place."""

    def step(index: Node, v: list[Node], e: list[Node]) -> Body:
        s, count, odd = v
        place = build.view(X, (), ((dims.from_node(index), 0, None),))
        more = build.where(odd, place, E("multiply", place, s))
        return Body((E("add", s, more), build.weak(E("add", count, c(1))), E("logical_not", odd)))

    s, count, _ = control.scan(N, [A, c(0), c(True, np.bool_)], [], step, [X])
    y = E("multiply", s, E("add", count, ONE))
    x, a = VALUES, 0.75
    s1 = a + x[0]
    s2 = s1 + x[1] * s1
    for walk in (Walk(), Walk(checkpoint=False)):
        gx, ga = gradients(y, [X, A], walk)
        got_x, got_a = values([gx, ga])
        np.testing.assert_allclose(values([y])[0], 4 * (s2 + x[2]))
        np.testing.assert_allclose(got_x, [4 * (1 + x[1]), 4 * s1, 4])
        np.testing.assert_allclose(got_a, 4 * (1 + x[1]))
    np.testing.assert_allclose(values([pushed(y, [A], [ONE])])[0], 4 * (1 + x[1]))


def test_writes_go_back_in_place() -> None:
    """An element that is written, and one that is read, of what is carried."""

    def step(index: Node, v: list[Node], e: list[Node]) -> Body:
        at = dims.from_node(index)
        before = build.view(v[0], (), ((at, 0, None),))
        new = E("multiply", E("sin", before), A)
        place = build.view(build.iota(N), (), ((dims.add(at, 1), 0, None),))
        return Body((build.scatter(v[0], new, [place], [False], "set"),))

    [y] = control.scan(dims.sub(N, 1), [X], [], step, [A])
    y = build.reduce("sum", y, (0,))
    gx, ga = gradients(y, [X, A])

    def f(x: Any, a: Any) -> Any:
        x = x.copy()
        for k in range(2):
            x[k + 1] = np.sin(x[k]) * a
        return x.sum()

    h = 1e-30
    got_x, got_a = values([gx, ga])
    want = [f(VALUES + d, 0.75).imag / h for d in np.eye(3) * 1j * h]
    np.testing.assert_allclose(got_x, want, rtol=1e-13)
    np.testing.assert_allclose(got_a, f(VALUES + 0j, 0.75 + 1j * h).imag / h, rtol=1e-13)
    np.testing.assert_allclose(values([pushed(y, [A], [ONE])])[0], got_a, rtol=1e-13)


@pytest.mark.parametrize("a", [-0.5, 0.75])
def test_one_side_of_a_branch_goes_back(a: float) -> None:
    """What only the other side reads has the cotangent zero."""
    test = E("less", A, ZERO)
    [s, t] = control.cond(
        test, Body((E("square", X), X)), Body((E("multiply", X, A), E("exp", X))), [X, A]
    )
    y = build.reduce("sum", E("add", s, t), (0,))
    gx, ga = gradients(y, [X, A])
    got_x, got_a = values([gx, ga], a=np.array(a))
    np.testing.assert_allclose(got_x, 2 * VALUES + 1 if a < 0 else a + np.exp(VALUES))
    np.testing.assert_allclose(got_a, 0 if a < 0 else VALUES.sum())
    pushing = values([pushed(y, [X, A], [X, ONE])], a=np.array(a))
    np.testing.assert_allclose(pushing[0], (VALUES * got_x).sum() + got_a)
    branches = [n for n in postorder([gx]) if n.op is ops.COND]
    assert len(branches) == 1  # that goes back: the values are not asked for


def test_a_while_goes_forwards() -> None:
    """By the steps that the values take."""
    [s] = control.while_loop(
        [A],
        lambda v: Body((E("less", v[0], c(5.0)),)),
        lambda v: Body((E("multiply", v[0], E("add", v[0], ONE)),)),
    )
    t = pushed(s, [A], [ONE])
    x, d = 0.75, 1.0
    while x < 5:
        x, d = x * (x + 1), d * (2 * x + 1)
    np.testing.assert_allclose(values([t])[0], d, rtol=1e-13)


def test_loops_in_branches_in_loops() -> None:
    def inner(k: Node, v: list[Node], e: list[Node]) -> Body:
        return Body((E("add", E("sin", v[0]), E("multiply", v[0], A)),))

    def step(k: Node, v: list[Node], e: list[Node]) -> Body:
        [turned] = control.scan(2, [v[0]], [], inner, [A])
        first = E("less", k, c(2))
        [new] = control.cond(first, Body((turned,)), Body((E("square", v[0]),)), [turned, v[0]])
        return Body((new,))

    [y] = control.scan(3, [A], [], step, [A])

    def f(a: Any) -> Any:
        s = a
        for k in range(3):
            t = s
            for _ in range(2):
                t = np.sin(t) + t * a
            s = t if k < 2 else s * s
        return s

    want = f(0.75 + 1e-30j).imag / 1e-30
    for walk in (Walk(), Walk(checkpoint=False)):
        [g] = gradients(y, [A], walk)
        np.testing.assert_allclose(values([g])[0], want, rtol=1e-13)
    np.testing.assert_allclose(values([pushed(y, [A], [ONE])])[0], want, rtol=1e-13)
    slope = gradients(y, [A])[0]
    curvature = (f(0.75 + 1e-4) - 2 * f(0.75) + f(0.75 - 1e-4)) / 1e-8
    for second in (gradients(slope, [A])[0], pushed(slope, [A], [ONE])):
        np.testing.assert_allclose(values([second])[0], curvature, rtol=1e-5)


def test_many_values_at_once() -> None:
    """A loop, and a branch, for several values of what it reads."""
    count = 5
    many = build.input("many", FLOAT64, (count, N))
    rows = np.arange(15.0).reshape(count, 3) / 10
    [s] = control.scan(N, [ZERO], [X], lambda k, v, e: Body((E("add", E("sin", v[0]), e[0]),)))
    stacked = control.scan(
        N, [ZERO], [X], lambda k, v, e: Body((E("add", v[0], e[0]), E("multiply", v[0], A)))
    )[1]
    [chosen] = control.cond(E("less", A, ZERO), Body((X,)), Body((E("exp", X),)), [X])
    got = values(batched([s, stacked, chosen], {X: many}, count), many=rows)
    for k, row in enumerate(rows):
        want = values([s, stacked, chosen], x=row)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a[k], b)
    test = E("less", build.reduce("sum", X, (0,)), ZERO)
    [by] = control.cond(test, Body((X,)), Body((E("exp", X),)), [X])
    with pytest.raises(NotTraceable, match="a branch that not all values take") as refused:
        batched([by], {X: many}, count)
    refused.value.forget()


@pytest.mark.parametrize(
    ("mark", "attr", "back", "forth"),
    [
        ("stop_gradient", None, None, None),
        ("scale_gradient", 0.5, 0.5**4, 0.5**4),
        ("clip_gradient", (-0.25, 0.25), 0.25, 1.0),
    ],
)
def test_marks_hold_in_loops(mark: str, attr: Any, back: float | None, forth: float | None) -> None:
    """Limits of gradients are for those on their way back."""
    [y] = control.scan(4, [A], [], lambda k, v, e: Body((marked(v[0], mark, attr),)))
    [g] = autodiff.vjp([y], [ONE], [A])
    [t] = autodiff.jvp([y], [A], [ONE], Walk())
    for found, want in ((g, back), (t, forth)):
        got = 0.0 if found is None else values([found])[0]
        assert got == (want or 0.0)
