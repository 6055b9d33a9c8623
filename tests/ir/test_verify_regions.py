"""What the verifier finds in branches and loops, and what their builders refuse."""

from __future__ import annotations

from typing import Any

import pytest
from test_regions import COND, LOOP, SCAN, ZERO, A, E, K, N, X, array, c

from tracejit.errors import DTypeError, InvalidGraphError, ShapeError
from tracejit.ir import build, control, dims, ops
from tracejit.ir.closing import Body
from tracejit.ir.graph import Check, Graph
from tracejit.ir.node import ArrayType, Node, TupleType, make
from tracejit.ir.region import parameter, region, regions_of
from tracejit.ir.types import BOOL, FLOAT32, FLOAT64, INT64
from tracejit.ir.verify import verify


def remade(node: Node, **changed: Any) -> Node:
    """`node` with some of its parts replaced, as no builder would."""
    attr = changed.get("attr", node.attr)
    if "regions" in changed:
        attr = (tuple(changed["regions"]), *attr[1:])
    if "counts" in changed:
        attr = (attr[0], changed["counts"], attr[2])
    types = changed.get("types", node.several)
    args = changed.get("args", node.args)
    new = make(node.op, tuple(args), attr, TupleType(tuple(types)), node.origin)
    assert new is not node, "nothing was changed"
    return new


F4, F8 = ArrayType(FLOAT32), ArrayType(FLOAT64)


def region_with(node: Node, which: int, **changed: Any) -> tuple[Any, ...]:
    """The regions of `node`, one with other parts."""
    regions = list(regions_of(node))
    old = regions[which]
    parts = {"params": old.params, "results": old.results, "checks": old.checks, **changed}
    regions[which] = region(parts["params"], parts["results"], parts["checks"])
    return tuple(regions)


TEST, STEP = regions_of(LOOP)
[BODY] = regions_of(SCAN)
_, OTHER = regions_of(COND)
LONGER = build.concatenate([STEP.params[1], STEP.params[1]], 0)
FAULTS = {
    "2 regions, not 1": remade(SCAN, regions=[BODY, BODY]),
    "do has 3 parameters, not 2": remade(
        SCAN, args=SCAN.args[:2], counts=(1, 0), types=SCAN.several
    ),
    "parameter 0 of while has another type": remade(
        LOOP, args=[array("b", FLOAT32, ()), X], types=[F4, X.type]
    ),
    "carried value 0 has another type": remade(
        LOOP,
        regions=region_with(
            LOOP, 1, results=(build.cast(STEP.results[0], FLOAT32), STEP.results[1])
        ),
        types=[F4, X.type],
    ),
    "carried value 1 has another type": remade(
        LOOP, regions=region_with(LOOP, 1, results=(STEP.results[0], LONGER))
    ),
    "result 0 is not of the type that do gives": remade(LOOP, types=[F4, X.type]),
    "regions have another number of results": remade(
        LOOP, regions=region_with(LOOP, 1, results=STEP.results[:1])
    ),
    "the condition is no boolean scalar": remade(
        LOOP, regions=region_with(LOOP, 0, results=TEST.params[:1])
    ),
    "the predicate is no boolean scalar": remade(COND, args=[A, *COND.args[1:]]),
    "result 0 is not of the type that else gives": remade(
        COND, regions=region_with(COND, 1, results=(build.cast(OTHER.results[0], FLOAT32),))
    ),
    "the number of steps is no weak int64": remade(SCAN, args=[ZERO, c(3, INT64), X]),
    "a sequence has no axis": remade(
        SCAN,
        args=[ZERO, N, A],
    ),
    "parameter 1 of while has another shape": remade(
        LOOP, args=[A, array("y", shape=(3,))], regions=region_with(
            LOOP, 0, params=(TEST.params[0], parameter(1, ArrayType(FLOAT64, (4,)), 1))
        ),
    ),
    "result 1 is not of the shape that do gives": remade(
        LOOP, types=[F8, ArrayType(FLOAT64, (3,))], attr=(*LOOP.attr[:2], ((), (3,)))
    ),
    "shapes are not those of its type": remade(LOOP, attr=(*LOOP.attr[:2], ((), (4,)))),
    "a sequence is not of one element a step": remade(SCAN, args=[ZERO, N, array("y", shape=(5,))]),
    "result 1 is not of the shape that do gives, of one element a step": remade(
        SCAN, types=[F8, ArrayType(FLOAT64, (7,))], attr=(*SCAN.attr[:2], ((), (7,)))
    ),
    "input a is not declared": remade(
        LOOP, regions=region_with(LOOP, 0, results=(E("less", A, A),))
    ),
    "dimension of unknown input x": remade(
        LOOP, regions=region_with(LOOP, 0, results=(E("less", N, c(3)),))
    ),
    "is no boolean scalar": remade(
        LOOP, regions=region_with(LOOP, 1, checks=(Check(STEP.params[0], "?"),))
    ),
    "the ufunc's loop is": remade(
        LOOP,
        regions=region_with(
            LOOP,
            1,
            results=(
                STEP.results[0],
                make(ops.ELEMENTWISE["add"], (STEP.params[1], TEST.results[0]), None,
                     STEP.params[1].type),
            ),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_verifier_finds(fault):
    outputs = control.items(FAULTS[fault])
    inputs = {n for o in outputs for n in Graph((), (o,)).nodes() if n.op is ops.INPUT} | {X}
    with pytest.raises(InvalidGraphError) as caught:
        verify(Graph(tuple(inputs), tuple(outputs)), "a pass")
    message = str(caught.value)
    assert message.startswith("after a pass: ")
    assert fault.partition(", of")[0] in message


def test_the_verifier_knows_several_values():
    pair = control.together([X, A])
    item = make(ops.ITEM, (pair,), 1, A.type)
    for bad, text in [
        (Graph((X, A), (pair,)), "has several values"),
        (Graph((X, A), (make(ops.ELEMENTWISE["exp"], (pair,), None, A.type),)), "several values"),
        (Graph((X, A), (make(ops.ITEM, (pair,), 2, A.type),)), "no item 2"),
        (Graph((X, A), (make(ops.ITEM, (X,), 0, A.type),)), "no item 0"),
        (Graph((X, A), (make(ops.ITEM, (pair,), 0, A.type),)), "type is not that of the item"),
        (Graph((X, A), (item,), (Check(pair, "?"),)), "is no boolean scalar"),
    ]:
        with pytest.raises(InvalidGraphError, match=text):
            verify(bad)
    wrong = make(ops.TUPLE, (A, X), None, TupleType((A.type,)))
    with pytest.raises(InvalidGraphError, match="types are not those"):
        verify(Graph((X, A), (make(ops.ITEM, (wrong,), 0, A.type),)))
    verify(Graph((X, A), (item,)))


def test_lengths_that_a_check_makes_equal_are_taken_on_trust():
    y = array("y", shape=(dims.dim("y", 0),))
    bad = remade(LOOP, args=[A, y])
    same = Check(E("equal", N, dims.dim("y", 0)), "as long")
    outputs = tuple(control.items(bad))
    verify(Graph((X, A, y), outputs, (same,)))
    with pytest.raises(InvalidGraphError, match="is not of the shape"):
        verify(Graph((X, A, y), outputs))


def test_builders_refuse():
    half = build.cast(A, FLOAT32)
    mask = E("greater", X, c(0.0))
    positive = build.gather(X, (build.nonzero(mask).shape[0],), (("index", 0),), K)
    keep, always = (lambda v: Body(tuple(v))), (lambda v: Body((c(True, BOOL),)))
    for error, text, make_it in [
        (DTypeError, "no boolean scalar", lambda: control.cond(A, Body((X,)), Body((X,)))),
        (DTypeError, "no boolean scalar", lambda: control.while_loop([A], keep, keep)),
        (DTypeError, "carried value 0 is", lambda: control.while_loop(
            [A], always, lambda v: Body((half,)))),
        (ShapeError, "carried value 1 is", lambda: control.while_loop(
            [A, X], always, lambda v: Body((v[0], build.view(X, (3,), ((0, 1, 0),)))))),
        (DTypeError, "carried value 0 is", lambda: control.while_loop(
            [K], always, lambda v: Body((build.cast(v[0], INT64),)))),
        (ShapeError, "gives 1 values and carries 2", lambda: control.while_loop(
            [A, A], always, lambda v: Body((v[0],)))),
        (ShapeError, "several types", lambda: control.cond(
            c(True, BOOL), Body((X,)), Body((A,)))),
        (ShapeError, "known only inside", lambda: control.cond(
            c(True, BOOL), Body((positive,)), Body((positive,)))),
        (ShapeError, "one element a step", lambda: control.scan(
            3, [], [X], lambda k, v, e: Body(tuple(e)))),
        (ShapeError, "known only inside", lambda: control.scan(
            3, [], [], lambda k, v, e: Body((positive,)))),
        (ShapeError, "known only inside", lambda: control.scan(
            3, [], [], lambda k, v, e: Body((build.iota(k),)))),
    ]:  # fmt: skip
        with pytest.raises(error, match=text):
            make_it()
    [y] = control.scan(3, [], [], lambda k, v, e: Body((positive,)), [positive])
    assert y.shape == (3, *positive.shape)
