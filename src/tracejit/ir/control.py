"""Builders of branches and loops, from bodies that are open.

>>> import numpy as np
>>> from tracejit.ir import build
>>> from tracejit.ir.closing import Body
>>> from tracejit.ir.interpret import evaluate
>>> def step(index, carried, elements):
...     return Body((build.elementwise("multiply", *carried, *elements),))
>>> x = build.input("x", np.dtype(np.float64), (4,))
>>> [product] = scan(4, [build.constant(1.0, np.float64)], [x], step)
>>> evaluate([product], {"x": np.array([2.0, 3.0, 4.0, 5.0])})
[array(120.)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tracejit.errors import DTypeError, ShapeError
from tracejit.ir import build, dims, ops
from tracejit.ir.closing import Body, close, placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import ArrayType, Node, Origin, TupleType, make, postorder
from tracejit.ir.region import shapes
from tracejit.ir.types import BOOL

#: From carried values to what is computed of them.
Step = Callable[[list[Node]], Body]
#: From the number of a step, carried values and an element of each sequence, to the same.
Numbered = Callable[[Node, list[Node], list[Node]], Body]


def cond(predicate: Node, then: Body, otherwise: Body, around: Iterable[Node] = ()) -> list[Node]:
    """The results of `then` where `predicate` holds, else those of `otherwise`.

    Nodes `around` are computed before; what else the bodies are made of is computed inside.
    """
    if predicate.type != ArrayType(BOOL):
        raise DTypeError(f"a branch by {predicate!r}, which is no boolean scalar")
    return items(branch(predicate, then, otherwise, around, build.solver().origin()))


def while_loop(
    starts: Sequence[Node], condition: Step, step: Step, around: Iterable[Node] = ()
) -> list[Node]:
    """The carried values, from `starts` on by `step`, as long as the one result of `condition`."""
    params = [placeholder(s.type) for s in starts]
    test, body = condition(params), step(params)
    if [r.type for r in test.results] != [ArrayType(BOOL)]:
        raise DTypeError("the condition of a loop is no boolean scalar")
    return items(loop(starts, params, test, body, around, build.solver().origin()))


def scan(
    steps: Dim,
    starts: Sequence[Node],
    sequences: Sequence[Node],
    step: Numbered,
    around: Iterable[Node] = (),
) -> list[Node]:
    """The carried values after so many steps, and stacks of the other results of each step."""
    for s in sequences:
        if not s.ndim or s.shape[0] != steps:
            raise ShapeError(f"{s!r} is no sequence of one element a step")
    count = dims.as_node(steps)
    elements = [placeholder(ArrayType(s.dtype, s.shape[1:])) for s in sequences]
    index, carried = placeholder(INT_SCALAR), [placeholder(s.type) for s in starts]
    body = step(index, carried, elements)
    params = [*carried, index, *elements]
    return items(steps_of(starts, count, sequences, params, body, around, build.solver().origin()))


def items(node: Node) -> list[Node]:
    """The results of `node`, each by itself."""
    assert node.several is not None
    return [make(ops.ITEM, (node,), k, type, node.origin) for k, type in enumerate(node.several)]


def together(nodes: Sequence[Node]) -> Node:
    """Several values as one."""
    return make(ops.TUPLE, tuple(nodes), None, TupleType(tuple(n.type for n in nodes)))


def branch(
    predicate: Node, then: Body, otherwise: Body, around: Iterable[Node], origin: Origin | None
) -> Node:
    """The node of a branch."""
    around = set(around)
    types = [r.type for r in then.results]
    if types != [r.type for r in otherwise.results]:
        raise ShapeError("the branches give results of several types")
    _must_be_known(types, [], around)
    regions, captures = close([then, otherwise], [], around)
    return _node(ops.COND, (predicate, *captures), regions, (), types, origin)


def loop(
    starts: Sequence[Node],
    params: Sequence[Node],
    condition: Body,
    step: Body,
    around: Iterable[Node],
    origin: Origin | None,
) -> Node:
    """The node of a ``while`` with these placeholders."""
    types = _carried(starts, step)
    regions, captures = close([condition, step], params, around)
    return _node(ops.WHILE, (*starts, *captures), regions, (len(starts),), types, origin)


def steps_of(
    starts: Sequence[Node],
    count: Node,
    sequences: Sequence[Node],
    params: Sequence[Node],
    step: Body,
    around: Iterable[Node],
    origin: Origin | None,
) -> Node:
    """The node of a scan with these placeholders."""
    around = set(around)
    types = _carried(starts, step)
    left = [r.type for r in step.results[len(starts) :]]
    _must_be_known(left, params, around)
    types += [ArrayType(t.dtype, (dims.from_node(count), *t.shape)) for t in left]
    regions, captures = close([step], params, around)
    operands = (*starts, count, *sequences, *captures)
    return _node(ops.SCAN, operands, regions, (len(starts), len(sequences)), types, origin)


def _node(
    op: ops.Op,
    operands: tuple[Node, ...],
    regions: tuple[object, ...],
    counts: tuple[int, ...],
    types: Sequence[ArrayType],
    origin: Origin | None,
) -> Node:
    attr = (regions, counts, shapes(types))
    return make(op, operands, attr, TupleType(tuple(types)), origin)


def _carried(starts: Sequence[Node], step: Body) -> list[ArrayType]:
    """The types of carried values, which a step must keep."""
    for k, (start, result) in enumerate(zip(starts, step.results, strict=False)):
        if result.type != start.type:
            same = (result.dtype, result.type.weak) == (start.dtype, start.type.weak)
            error = ShapeError if same else DTypeError
            raise error(f"carried value {k} is {start!r} at the start and {result!r} after a step")
    if len(step.results) < len(starts):
        raise ShapeError(f"a step gives {len(step.results)} values and carries {len(starts)}")
    return [s.type for s in starts]


def _must_be_known(types: Sequence[ArrayType], params: Sequence[Node], around: set[Node]) -> None:
    """Refuse results whose shape only the inside knows."""
    inside = set(params)
    arrays = [n for n in (*around, *params) if n.several is None]
    known = around | {d for n in arrays for d in n.shape if isinstance(d, Node)}
    for node in postorder([d for t in types for d in t.shape if isinstance(d, Node)], known):
        if node in inside or (node not in known and (node.several is not None or node.ndim)):
            raise ShapeError(f"the length {node!r} of a result is known only inside of a region")
