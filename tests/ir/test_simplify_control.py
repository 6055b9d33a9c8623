"""The simplifier on branches and loops: each rule by text and by value, and random programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_regions import ENV, FALSE, INPUTS, NEGATIVE, TRUE, ZERO, A, B, K, N, Program, X

from tracejit.ir import build, control, ops
from tracejit.ir.closing import Body
from tracejit.ir.graph import Check, Graph, rebuild
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import Node
from tracejit.ir.printer import to_text
from tracejit.ir.region import regions_of
from tracejit.ir.simplify import simplify
from tracejit.ir.types import FLOAT64
from tracejit.ir.verify import verify

E, c = build.elementwise, build.constant
CHECK = Check(E("greater", A, c(0.0)), "a > 0")


def body(*results: Node) -> Body:
    return Body(results)


def scan(
    steps: Any, starts: list[Node], sequences: list[Node], step: Callable[..., Body]
) -> list[Node]:
    return control.scan(steps, starts, sequences, lambda k, v, e: step(k, *v, *e), [*starts])


def loop(
    starts: list[Node], test: Callable[..., Node], step: Callable[..., Body], **more: Any
) -> list[Node]:
    return control.while_loop(starts, lambda v: body(test(*v)), lambda v: step(*v), **more)


def counted(*more: Node, step: Callable[..., tuple[Node, ...]]) -> list[Node]:
    """A ``while`` of four turns; `step` gives the next ones of `more` carried values."""

    def next_of(k: Node, *v: Node) -> Body:
        return body(build.weak(E("add", k, c(1))), *step(k, *v))

    return loop([c(0), *more], lambda k, *v: E("less", k, c(4)), next_of)


def grow(v: Node) -> Node:
    return E("add", E("multiply", v, c(1.5)), c(1.0))


def rule_cases() -> dict[str, tuple[Node, ...]]:
    """By rule: outputs to which it applies."""
    exp = E("exp", X)
    both = control.cond(NEGATIVE, body(exp, X, A), body(exp, E("negative", exp), A))
    unread = control.cond(NEGATIVE, body(X, E("exp", A)), body(E("negative", X), E("exp", B)))
    carried = counted(A, B, step=lambda k, u, v: (grow(u), E("add", v, u)))
    chained = counted(A, B, A, B, step=lambda k, u, v, w, t: (v, w, grow(w), grow(t)))
    twice = scan(
        N, [ZERO], [X, X, exp],
        lambda k, v, p, q, r: body(E("add", v, E("multiply", p, q)), r),
    )  # fmt: skip
    fixed = counted(A, X, B, step=lambda k, u, v, w: (E("add", u, w), E("multiply", v, w), w))
    start = counted(A, B, step=lambda k, u, v: (A, E("add", u, v)))
    follows = counted(A, A, B, step=lambda k, u, v, w: (u, u, E("add", v, w)))
    given_one = control.scan(
        3, [A], [], lambda k, v, e: body(E("multiply", v[0], FACTOR)), [FACTOR]
    )
    filled = control.scan(3, [X], [], lambda k, v, e: body(E("add", v[0], ONES)), [ONES])
    nested = scan(N, [A, B], [X], lambda k, u, v, e: inner(u, v, e))
    within = scan(N, [A], [X], lambda k, u, e: body(control.cond(TRUE, body(E("add", u, e)),
                                                                 body(u))[0]))  # fmt: skip
    return {
        "a branch that is always taken": tuple(control.cond(TRUE, body(X, A), body(exp, B))),
        "a branch that is never taken": tuple(control.cond(FALSE, body(X, A), body(exp, B))),
        "equal branches": tuple(control.cond(NEGATIVE, body(exp), body(exp))),
        "what both branches give": tuple(both),
        "a result of a branch that nobody reads": (unread[0],),
        "a loop whose condition is false": tuple(
            loop([A, X], lambda a, x: FALSE, lambda a, x: body(grow(a), E("add", x, a)))
        ),
        "a carried value that nobody reads": (carried[0], carried[1]),
        "carried values that the one read needs": (chained[1],),
        "a carried value that no step changes": tuple(fixed),
        "a carried value that is its start at each step": tuple(start),
        "one that is fixed when another one is": tuple(follows),
        "nothing is carried": tuple(scan(K, [A, X], [], lambda k, a, x: body(a, x))),
        "a scan of no steps": tuple(scan(0, [A], [], lambda k, a: body(grow(a), E("add", a, X)))),
        "a stack that nobody reads": (twice[0],),
        "a sequence read twice": tuple(twice),
        "a constant that is captured": tuple(given_one),
        "an array of one constant that is captured": tuple(filled),
        "results inside that nobody reads": (nested[0],),
        "a branch inside that is always taken": tuple(within),
    }


#: What turns out to be 1, and an array of ones.
FACTOR = E("multiply", c(1.0, FLOAT64), c(1.0, FLOAT64))
ONES = build.full((N,), FACTOR)


def inner(u: Node, v: Node, e: Node) -> Body:
    """Two values, by an inner loop that could make them apart."""
    _, p, q = counted(u, v, step=lambda k, s, t: (E("add", s, e), E("add", t, e)))
    return body(p, q)


CASES = rule_cases()


def graph(*outputs: Node) -> Graph:
    g = Graph(INPUTS, outputs)
    verify(g)
    return g


def same_values(g: Graph, h: Graph, env: dict[str, Any]) -> None:
    """Both graphs give the same bits, of the same types."""
    for a, b in zip(evaluate(g.outputs, env), evaluate(h.outputs, env), strict=True):
        assert type(a) is type(b)
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype and a.shape == b.shape
        assert a.tobytes() == b.tobytes() or np.isnan(a).any()
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rule", CASES)
def test_simplified(rule, golden):
    g = graph(*CASES[rule])
    h = simplify(g)
    verify(h, "simplify")
    before, after = to_text(g), to_text(h)
    assert after != before
    golden(f"simplify_control/{rule.replace(' ', '_')}.txt", f"{before}\n\n# becomes\n{after}")
    same_values(g, h, ENV)
    same_values(g, h, {**ENV, "x": ENV["x"][:1], "a": np.array(-1.0), "k": 0})
    assert simplify(h).outputs == h.outputs


KEPT = {
    "a branch on a value": control.cond(NEGATIVE, body(X), body(E("exp", X))),
    "a loop that changes all": counted(A, step=lambda k, u: (grow(u),)),
    "a scan of one step": scan(1, [A], [], lambda k, a: body(grow(a))),
    "values that change places": counted(A, B, step=lambda k, u, v: (v, u)),
    "checks of a branch that is taken": control.cond(TRUE, Body((X,), (CHECK,)), body(E("exp", X))),
    "checks of equal branches": control.cond(NEGATIVE, Body((X,), (CHECK,)), body(X)),
    "checks of a step that changes nothing": control.scan(
        N, [A], [], lambda k, v, e: Body((v[0],), (CHECK,))
    ),
    "checks of a condition that is false": control.while_loop(
        [A], lambda v: Body((FALSE,), (CHECK,)), lambda v: body(grow(v[0]))
    ),
}


@pytest.mark.parametrize("what", KEPT)
def test_not_simplified(what):
    g = graph(*KEPT[what])
    h = simplify(g)
    verify(h, "simplify")
    assert h.outputs == g.outputs, f"\n{g}\nbecame\n{h}"


def test_checks_of_a_branch_that_is_not_taken_go_with_it():
    [y] = control.cond(FALSE, Body((X,), (CHECK,)), body(E("exp", X)))
    assert simplify(graph(y)).outputs == (E("exp", X),)


def test_what_dissolves_inside_takes_its_level_along():
    """The body is the one that would have been made without the branch."""
    [y] = scan(N, [A], [X], lambda k, u, e: body(control.cond(TRUE, body(E("add", u, e)),
                                                              body(u))[0]))  # fmt: skip
    [plain] = scan(N, [A], [X], lambda k, u, e: body(E("add", u, e)))
    assert regions_of(y.args[0])[0].level == 2
    assert simplify(graph(y)).outputs == (plain,)


def test_equal_loops_are_computed_once():
    one, two = (E("multiply", counted(A, step=lambda k, u: (grow(u),))[1], v) for v in (A, B))
    several = {n.args[0] for n in graph(one, two).nodes() if n.op is ops.ITEM}
    assert len(several) == 1
    # Those that were written in several ways are one when they are simplified.
    wordy = counted(A, B, step=lambda k, u, v: (E("negative", E("negative", grow(u))), v))[1]
    [first, second] = simplify(graph(counted(A, step=lambda k, u: (grow(u),))[1], wordy)).outputs
    assert first is second


# Random programs --------------------------------------------------------------------------------


@given(st.data())
def test_random_programs(data):
    """The interpreter gives the same bits before and after, and passes keep graphs valid."""
    g = graph(*Program(lambda n: data.draw(st.integers(0, n - 1))).outputs())
    assert rebuild(g, lambda node, before: node).outputs == g.outputs
    h = simplify(g)
    verify(h, "simplify")
    again = simplify(h)
    verify(again, "simplify")
    lengths = (0, 1, 3)
    for length in lengths:
        env = {**ENV, "x": np.linspace(-1, 2, length), "k": length}
        same_values(g, h, env)
        same_values(g, again, env)
