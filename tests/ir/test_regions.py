"""Branches and loops in graphs: identity, values, text, and what they are not yet."""

from __future__ import annotations

import gc
import inspect
import math
import sys
import weakref
from typing import Any

import numpy as np
import pytest
from reference.target import Reference

import tracejit
from tracejit.errors import (
    FailedCheckError,
    InvalidGraphError,
    NotTraceable,
)
from tracejit.ir import autodiff, build, control, dims, ops
from tracejit.ir.batch import batched
from tracejit.ir.closing import Body, close, opened, placeholder
from tracejit.ir.graph import Check, Graph, rebuild, substitute
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import ArrayType, Node, TupleType, make
from tracejit.ir.printer import to_text
from tracejit.ir.region import parameter, region, regions_of, with_regions
from tracejit.ir.rules import RULES
from tracejit.ir.rules.control import record
from tracejit.ir.rules.record import NoDerivativeError, Roles
from tracejit.ir.simplify import simplify
from tracejit.ir.types import BOOL, DTYPES, FLOAT32, FLOAT64, INT64
from tracejit.ir.uses import uses
from tracejit.ir.verify import verify
from tracejit.lower.schedule import schedule

E, c = build.elementwise, build.constant
N, M = dims.dim("x", 0), dims.dim("x", 1)


def array(name: str = "x", dtype: Any = FLOAT64, shape: tuple[Any, ...] = (N,)) -> Node:
    return build.input(name, np.dtype(dtype), shape)


X, A, K = array(), array("a", shape=()), build.input("k", INT64, (), weak=True)
ZERO, ONE = c(0.0, FLOAT64), c(1.0, FLOAT64)


def graph(*outputs: Node, checks: tuple[Check, ...] = ()) -> Graph:
    """The verified graph of these outputs."""
    reached = Graph((), outputs, checks).nodes()
    inputs = [n for n in reached if n.op is ops.INPUT]
    if any(n.op is ops.DIM for n in reached) and X not in inputs:
        inputs.append(X)
    g = Graph(tuple(inputs), outputs, checks)
    verify(g)
    return g


def below(limit: float) -> Any:
    return lambda carried: Body((E("less", carried[0], c(limit)),))


def summed(x: Node = X, around: tuple[Node, ...] = ()) -> list[Node]:
    """The sum of squares, and each sum on the way to it."""

    def step(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        total = E("add", carried[0], E("square", elements[0]))
        return Body((total, total))

    return control.scan(x.shape[0], [ZERO], [x], step, around)


#: A loop of each kind.
LOOP = control.while_loop([A, X], below(2.0), lambda v: Body((E("add", v[0], v[0]), v[1])))[0]
LOOP = LOOP.args[0]
SCAN = summed()[0].args[0]
COND = control.cond(E("less", A, c(0.0)), Body((X,)), Body((E("exp", X),)))[0].args[0]


# Identity ---------------------------------------------------------------------------------------


def test_equal_bodies_are_one_object():
    first, second = summed()[0].args[0], summed()[0].args[0]
    assert first is second and regions_of(first) == regions_of(second)
    other = summed(array("y", shape=(3,)))[0].args[0]
    assert other is not first and regions_of(other) == regions_of(first)


def test_a_body_is_the_same_at_any_depth():
    """What makes it another is what it holds, not what holds it."""
    inner = regions_of(summed()[0].args[0])[0]

    def step(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        return Body((E("add", carried[0], summed()[0]),))

    [outer] = control.scan(3, [ZERO], [], step)
    [body] = regions_of(outer.args[0])
    [nested] = [r for node in body.nodes() for r in regions_of(node)]
    assert nested is inner and (nested.level, body.level) == (1, 2)


def test_regions_keep_nothing_alive():
    [y] = control.while_loop([A], below(17.25), lambda v: Body((E("cosh", v[0]),)))
    watched = weakref.ref(regions_of(y.args[0])[1])
    inside = weakref.ref(regions_of(y.args[0])[1].results[0])
    del y
    gc.collect()
    assert watched() is None and inside() is None


def test_the_line_of_a_check_is_no_part_of_a_region():
    param = parameter(0, ArrayType(FLOAT64), 1)
    positive = E("greater", param, c(0.0))
    here, there = (Check(positive, "why", build.Origin("f.py", k, "f")) for k in (1, 2))
    assert region([param], [param], [here]) is region([param], [param], [there])
    assert region([param], [param], [here]) is not region([param], [param])


# Values -----------------------------------------------------------------------------------------

VALUES = np.array([0.5, -1.5, 2.0, 4.0])


def test_a_branch_takes_one_side():
    """The other one is not computed: it would raise."""
    far = build.gather(X, (), (("index", 0),), c(9, INT64))
    y, z = control.cond(E("greater", A, c(0.0)), Body((E("negative", X), A)), Body((X, far)))
    g = graph(y, z)
    a, b = evaluate(g.outputs, {"x": VALUES, "a": np.array(2.5)})
    np.testing.assert_array_equal(a, -VALUES)
    assert b == 2.5
    with pytest.raises(IndexError) as caught:
        evaluate(g.outputs, {"x": VALUES, "a": np.array(-2.5)})
    assert caught.value.__tracejit_node__.op is ops.GATHER


def test_a_loop_runs_as_long_as_its_condition_holds():
    """Collatz: how many steps to 1, in Python's numbers."""

    def step(v: list[Node]) -> Body:
        n, count = v
        even = E("equal", E("remainder", n, c(2)), c(0))
        half, more = E("floor_divide", n, c(2)), E("add", E("multiply", n, c(3)), c(1))
        return Body((build.weak(build.where(even, half, more)), build.weak(E("add", count, c(1)))))

    def other_than_one(v: list[Node]) -> Body:
        return Body((E("not_equal", v[0], c(1)),))

    n, count = control.while_loop([K, c(0)], other_than_one, step)
    g = graph(n, count)
    for start, steps in ((1, 0), (6, 8), (27, 111)):
        got = evaluate(g.outputs, {"k": start})
        assert got == [1, steps] and [type(v) for v in got] == [int, int]


def test_a_scan_reads_sequences_and_stacks_results():
    total, running = summed()
    g = graph(total, running)
    for x in (VALUES, VALUES[:0]):
        a, b = evaluate(g.outputs, {"x": x})
        np.testing.assert_array_equal(b, np.cumsum(x**2))
        assert a == (b[-1] if len(x) else 0.0) and a.dtype == b.dtype == FLOAT64


def test_a_scan_counts_its_steps():
    """Horner's rule for 0 + 1 x + 2 x² …, the number of a step read as a Python number."""

    def step(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        k = build.weak(E("subtract", E("subtract", N, c(1)), index))
        return Body((E("add", E("multiply", carried[0], A), k),))

    [y] = control.scan(N, [ZERO], [], step)
    [got] = evaluate(graph(y).outputs, {"x": np.empty(5), "a": np.array(3.0)})
    assert got == sum(k * 3.0**k for k in range(5))


def test_rows_of_several_sequences_are_stacked():
    x, y = array("x", shape=(N, M)), array("y", FLOAT32, (N,))

    def step(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        row, scale = elements
        row = E("multiply", row, E("add", scale, index))
        return Body((E("maximum", carried[0], row), row, build.reduce("argmax", row, (0,))))

    start = build.full((M,), ZERO)
    best, rows, places = control.scan(N, [start], [x, y], step)
    assert (best.shape, rows.shape, places.shape) == ((M,), (N, M), (N,))
    rng = np.random.default_rng(5)
    env = {"x": rng.normal(size=(4, 3)), "y": rng.normal(size=4).astype("f4")}
    got = evaluate(graph(best, rows, places).outputs, env)
    want = env["x"] * (env["y"] + np.arange(4, dtype="f4"))[:, None]
    for a, b in zip(got, (want.max(0, initial=0.0), want, want.argmax(1)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_of_every_dtype_are_carried(dtype):
    """Fibonacci's numbers, by all three ops; arrays beside scalars."""
    x, a = array("x", dtype), array("a", dtype, ())
    add = "logical_xor" if dtype == BOOL else "add"

    def next_of(v: list[Node]) -> list[Node]:
        return [v[1], E(add, v[0], v[1]), E(add, v[2], build.broadcast_to(v[1], (N,)))]

    scanned = control.scan(
        5, [a, a, x], [], lambda k, v, _: Body((*next_of(v), v[0]))
    )  # the last is stacked
    looped = control.while_loop(
        [a, a, x, c(0)],
        lambda v: Body((E("less", v[3], c(5)),)),
        lambda v: Body((*next_of(v), build.weak(E("add", v[3], c(1))))),
    )
    odd = E("equal", E("remainder", N, c(2)), c(1))
    chosen = control.cond(odd, Body(tuple(looped[:3])), Body((a, a, x)), looped)
    assert [n.dtype for n in (*scanned, *looped[:3], *chosen)] == [dtype] * 10
    values = np.array([0, 1, 1], dtype)
    env = {"x": values, "a": values[1]}
    p, q, total, stack = np.array(values[1]), np.array(values[1]), values, []
    for _ in range(5):
        stack.append(p)
        ufunc = getattr(np, add)
        p, q, total = q, np.asarray(ufunc(p, q)), ufunc(total, q)
    want = [p, q, total]
    got = evaluate(graph(*scanned, *looped, *chosen).outputs, env)
    for value, other in zip(got, [*want, np.array(stack), *want, np.array(5), *want], strict=True):
        np.testing.assert_array_equal(value, other)
        assert np.asarray(value).dtype == other.dtype


@pytest.mark.parametrize("kind", [int, float, complex])
def test_python_numbers_are_carried(kind):
    start = c(kind(3))
    halved = [build.weak(E("multiply", start, start))]
    [y] = control.scan(
        3, [start], [], lambda k, v, _: Body((build.weak(E("subtract", v[0], c(kind(1)))),))
    )
    [z] = control.cond(E("greater", N, c(2)), Body((y,)), Body((halved[0],)), [y])
    got = evaluate(graph(y, z).outputs, {"x": VALUES})
    assert got == [kind(0), kind(0)] and [type(v) for v in got] == [kind, kind]
    assert y.type.weak and z.type.weak


def test_captures_reach_through_two_levels():
    """The inner loop takes one from the outermost graph, one from the outer loop, and a length."""

    def outer(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        def inner(k: Node, v: list[Node], rows: list[Node]) -> Body:
            scaled = E("multiply", E("multiply", X, elements[0]), E("add", index, k))
            return Body((E("add", v[0], E("divide", build.reduce("sum", scaled, (0,)), N)),))

        return Body(tuple(control.scan(K, [carried[0]], [], inner)))

    [y] = control.scan(N, [A], [X], outer)
    g = graph(y)
    [body] = regions_of(y.args[0])
    [nested] = [r for node in body.nodes() for r in regions_of(node)]
    for r in (body, nested):
        leaves = [n for n in r.nodes() if n.op in (ops.INPUT, ops.DIM)]
        assert {n.attr[2] for n in leaves} == {-1 - r.level}
    [got] = evaluate(g.outputs, {"x": VALUES, "k": 3, "a": np.array(1.0)})
    want = 1.0
    for i, element in enumerate(VALUES):
        for k in range(3):
            want += (VALUES * element * (i + k)).sum() / 4
    assert math.isclose(got, want, rel_tol=1e-14)


def test_newton_in_a_branch_in_a_loop():
    """Cube roots of the positive elements, 0 for the others."""

    def root(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        [x] = elements

        def step(v: list[Node]) -> Body:
            better = E("divide", x, E("square", v[0]))
            new = E("divide", E("add", E("multiply", v[0], c(2.0)), better), c(3.0))
            return Body((new, E("absolute", E("subtract", new, v[0]))))

        found, _ = control.while_loop(
            [E("add", x, c(1.0)), ONE], lambda v: Body((E("greater", v[1], c(1e-13)),)), step
        )
        return Body(tuple(control.cond(E("greater", x, c(0.0)), Body((found,)), Body((ZERO,)))))

    [roots] = control.scan(N, [], [X], root)
    [got] = evaluate(graph(roots).outputs, {"x": VALUES})
    np.testing.assert_allclose(got, np.cbrt(np.maximum(VALUES, 0)), rtol=1e-12)


def test_lengths_are_those_of_parameters_or_captured():
    """A length that no parameter has comes in as a number; polynomials are made again inside."""
    y = array("y", shape=(dims.sub(N, 1),))

    def step(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        ends = build.concatenate([carried[0], build.full((2,), c(0.0))], 0)
        return Body((build.view(ends, y.shape, ((2, 1, 0),)),))

    [z] = control.scan(2, [y], [], step)
    assert z.args[0].args[2:] == (N,)
    [body] = regions_of(z.args[0])
    assert [str(p.type.weak) for p in body.params] == ["False", "True", "True"]
    [got] = evaluate(graph(X, z).outputs[1:], {"x": np.empty(7), "y": np.arange(1.0, 7)})
    np.testing.assert_array_equal(got, [5, 6, 0, 0, 0, 0])


def test_lengths_that_are_products_are_those_of_parameters_too():
    """Of what is computed inside, whatever it is named by: `[n * m]` has no length of its own."""

    def cleared(a):
        b = a.ravel()[::-1].copy()
        for i in range(len(a)):
            b[b < a[i, 0]] = max(a[i, 1], 3)
        return b

    f = tracejit.function(cleared, on_unsupported="error")
    a = np.random.default_rng(0).normal(size=(9, 7))
    with tracejit.config(compile=True, check=True):
        for given in (a, a[:5], a.T.copy()):
            np.testing.assert_array_equal(f(given), cleared(given))
    assert "region" in f.explain()


def test_what_is_around_is_computed_once():
    around = E("exp", X)

    def step(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        return Body((E("add", carried[0], around),))

    for given, expected in ([around], around), ([], X):
        [y] = control.scan(2, [X], [], step, given)
        assert y.args[0].args[2:] == (expected,)
        inside = {n.op.name for n in regions_of(y.args[0])[0].nodes()}
        assert ("exp" in inside) == (expected is X)
        [got] = evaluate(graph(y).outputs, {"x": VALUES})
        np.testing.assert_array_equal(got, VALUES + np.exp(VALUES) + np.exp(VALUES))


def test_late_lengths_are_captured_with_their_arrays():
    found = build.nonzero(E("greater", X, c(0.0)))

    def step(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        ones = build.full(found.shape, c(1, INT64))
        return Body((E("add", carried[0], ones), build.reduce("sum", found, (0, 1))))

    moved, sums = control.scan(2, [found], [], step, [found])
    assert moved.args[0].args[2:] == (found,)
    [sums] = control.scan(2, [], [], lambda k, v, e: Body(step(k, [found], e).results[1:]), [found])
    assert sums.args[0].args[1:] == (found,)
    filled = Body((build.full(found.shape, c(2, INT64)), found))
    both = control.cond(E("less", A, c(9.0)), filled, Body((found, found)), [found])
    assert both[0].args[0].args[1:] == (found,)
    a, b, twos = evaluate(graph(moved, sums, both[0]).outputs, {"x": VALUES, "a": np.array(1.0)})
    np.testing.assert_array_equal(twos, [[2], [2], [2]])
    np.testing.assert_array_equal(a, np.argwhere(VALUES > 0) + 2)
    np.testing.assert_array_equal(b, [5, 5])


# Checks -----------------------------------------------------------------------------------------


def checked() -> Node:
    """A running product of elements, each of which must not be negative."""

    def step(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        check = Check(E("greater_equal", elements[0], c(0.0)), "x[k] >= 0")
        return Body((E("multiply", carried[0], elements[0]),), (check,))

    return control.scan(N, [ONE], [X], step)[0]


def test_a_check_holds_at_each_step():
    g = graph(checked())
    assert evaluate(g.outputs, {"x": np.arange(1.0, 5)}) == [24.0]
    with pytest.raises(FailedCheckError, match=r"x\[k\] >= 0"):
        evaluate(g.outputs, {"x": VALUES})
    assert "check %0  # x[k] >= 0" in str(g)


# Text -------------------------------------------------------------------------------------------


def test_text_of_regions(golden):
    def halve(v: list[Node]) -> Body:
        return Body((E("divide", v[0], K), build.weak(E("add", v[1], c(1)))))

    def table(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        row = control.scan(N, [], [X], lambda k, v, e: Body((E("multiply", e[0], elements[0]),)))
        return Body((E("add", carried[0], row[0]), row[0]))

    graphs = {
        "cond": graph(
            *control.cond(E("less", A, c(0.0)), Body((E("negative", X), N)), Body((X, c(3))))
        ),
        "while": graph(*control.while_loop([A, c(0)], below(1.5), halve)),
        "scan": graph(*summed()),
        "nested": graph(*control.scan(N, [X], [X], table)),
        "checked": graph(checked()),
    }
    text = "\n\n".join(f"# {name}\n{to_text(g)}" for name, g in graphs.items())
    golden("ir_regions.txt", text)


def test_a_node_of_several_results_shows_their_types():
    several = control.cond(E("less", A, c(0.0)), Body((X, A)), Body((X, ONE)))[0].args[0]
    assert repr(several).startswith("<cond float64[?], float64[] #")
    with pytest.raises(AttributeError):
        several.dtype  # noqa: B018 - there is none


# Passes -----------------------------------------------------------------------------------------


def test_rebuild_goes_into_regions():
    g = graph(*summed(), checked())
    assert rebuild(g, lambda node, before: node).outputs == g.outputs

    def doubled(node: Node, before: Node) -> Node:
        return E("add", node.args[0], node.args[0]) if node.op.name == "square" else node

    h = rebuild(g, doubled)
    verify(h)
    assert h.outputs[0] is not g.outputs[0] and h.outputs[2] is g.outputs[2]
    a, b, _ = evaluate(h.outputs, {"x": np.arange(4.0)})
    assert a == 12.0 and b.tolist() == [0, 2, 6, 12]


def test_lengths_are_substituted_around_regions():
    y = array("y", shape=(dims.dim("y", 0),))
    total, running = summed(y)
    longer = control.scan(2, [y], [], lambda k, v, _: Body((E("divide", v[0], y.shape[0]),)))[0]
    g = Graph((X, y), (total, running, longer))
    for length in (N, 4):
        h = substitute(g, {dims.dim("y", 0): length})
        verify(h)
        assert h.outputs[1].shape == h.outputs[2].shape == (length,)
        values = evaluate(h.outputs, {"x": VALUES, "y": VALUES})
        np.testing.assert_array_equal(values[1], np.cumsum(VALUES**2))
        np.testing.assert_array_equal(values[2], VALUES / 16)


def test_opened_and_closed_again_is_the_same():
    index, total = placeholder(dims.INT_SCALAR), placeholder(ArrayType(FLOAT64))
    row = E("multiply", build.view(X, (3,), ((index, 1, 0),)), A)
    body = Body((E("add", total, build.reduce("sum", row, (0,))),))
    [closed], captures = close([body], [total, index])
    assert captures == (X, A) and [p.attr[0] for p in closed.params] == ["p0", "p1", "p2", "p3"]
    again = opened(closed, [total, index, X, A])
    assert again == body
    assert close([again], [total, index], captures) == ((closed,), captures)


def test_a_chain_of_20_000_nodes_inside():
    """Depth of a body is no limit: there is room for 60 frames."""

    def step(index: Node, carried: list[Node], elements: list[Node]) -> Body:
        x = carried[0]
        for k in range(20_000):
            x = E(("add", "multiply")[k % 2], x, c((0.5, 1.0)[k % 2]))
        return Body((x,))

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 60)
    try:
        [y] = control.scan(2, [A], [], step)
        g = Graph((A,), (y,))
        verify(g)
        assert to_text(g).count("\n") == 20_000 + 5
        assert rebuild(g, lambda node, before: node).outputs == g.outputs
        assert evaluate([y], {"a": np.array(1.0)}) == [10_001.0]
        del g, y
        gc.collect()
    finally:
        sys.setrecursionlimit(limit)


def test_an_op_with_regions_is_a_row_and_a_record(monkeypatch):
    """One that is added here, and that every pass of graphs treats as it does the others."""
    twice = ops.Op(name="twice", regions=("do",), dims_in_attr=True)

    def run(node: Node, args: list[Any], values: Any, env: Any) -> list[Any]:
        step, *operands = args
        count = len(node.several)
        once = step(*operands)
        return step(*once, *operands[count:])

    def roles(node: Node) -> Roles:
        count = len(node.several)
        types = tuple(a.type for a in node.args)
        return Roles(node.args[:count], (), (), node.args[count:], types)

    def problem(node: Node, parts: Roles) -> str | None:
        return None if parts.carried else "it has nothing to do"

    monkeypatch.setitem(ops.STRUCTURAL, "twice", twice)
    monkeypatch.setitem(RULES, twice, record(run, roles, problem))
    carried = [placeholder(A.type), placeholder(X.type)]
    grown = E("multiply", E("multiply", carried[0], c(1.0)), K)
    body = Body((grown, E("add", carried[1], E("exp", X))))
    regions, captures = close([body], carried)
    types = (A.type, X.type)
    node = make(twice, (A, X, *captures), (regions, (), ((), (N,))), TupleType(types))
    g = graph(*control.items(node))
    assert "= twice a x x k\n  do p0:float64, p1:float64[p1.0], p2:float64[p1.0], p3:weak" in str(g)
    h = simplify(g)
    verify(h)
    assert str(h).count("\n") < str(g).count("\n")  # x * 1 is x
    env = {"a": np.array(0.5), "x": VALUES, "k": 3}
    for each in (g, h, rebuild(g, lambda node, before: node)):
        a, b = evaluate(each.outputs, env)
        assert a == 4.5
        np.testing.assert_array_equal(b, VALUES + np.exp(VALUES) + np.exp(VALUES))
    assert uses([control.items(node)[1]]) == {node: {1}}
    bad = make(twice, (), ((region([], []),), (), ()), TupleType(()))
    with pytest.raises(InvalidGraphError, match="it has nothing to do"):
        verify(Graph((), (make(ops.ITEM, (bad,), 0, A.type),)))
    with pytest.raises(NotTraceable, match="twice is not compiled") as caught:
        schedule(g, {"a": "", "x": "C", "k": ""}, Reference())
    caught.value.forget()


# Not yet ----------------------------------------------------------------------------------------


def test_what_has_no_derivative_is_refused():
    """By an exception after which a call runs in NumPy."""
    y = next(i for i in control.items(LOOP) if i.dtype == FLOAT64)
    with pytest.raises(NoDerivativeError, match="while has no derivative in reverse") as refused:
        autodiff.vjp([y], [build.full(y.shape, ONE)], [A])
    refused.value.forget()
    many = array("many", shape=(5, N))
    with pytest.raises(NotTraceable, match="a Jacobian through while") as batch:
        batched([y], {X: many}, 5)
    batch.value.forget()


def test_no_gradient_is_lost_where_it_enters_by_the_start_alone():
    [y] = control.while_loop([A], below(2.0), lambda v: Body((E("exp", v[0]),)))
    with pytest.raises(NoDerivativeError) as caught:
        autodiff.vjp([y], [ONE], [A])
    caught.value.forget()
    [k] = control.while_loop([K], below(2), lambda v: Body((build.weak(E("add", v[0], c(1))),)))
    assert autodiff.vjp([k], [c(0)], [A]) == [None]


def test_with_regions_keeps_the_rest():
    assert with_regions(SCAN, regions_of(SCAN)) is SCAN
