"""Branches and loops forwards: what moves is carried along.

A branch or a loop becomes one that computes the derivatives beside the values, which the values are
taken from then: nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracejit.ir.closing import Body, opened, placeholder
from tracejit.ir.control import branch, items, loop, steps_of, together
from tracejit.ir.invariant import around
from tracejit.ir.node import ArrayType, Node, postorder
from tracejit.ir.region import regions_of
from tracejit.ir.rules.record import Roles, Some, Walk, zeros


def tuple_push(node: Node, points: Some, walk: Walk) -> Some:
    """Several values move as they do."""
    return points


def cond_push(node: Node, parts: Roles, points: Some, walk: Walk) -> Some:
    """What both sides give moves as one of them."""
    assert node.several is not None
    captures = [placeholder(c.type) for c in parts.captures]
    given = _moving(captures, points[1:])
    bodies, found = [], []
    for region in regions_of(node):
        body = opened(region, captures)
        bodies.append(body)
        found.append(walk.pushed(body.results, list(given), list(given.values())))
    moved = [k for k, pair in enumerate(zip(*found, strict=True)) if any(pair)]
    back = _back([*captures, *given.values()], [*parts.captures, *_given(points[1:])])
    sides = [
        _extended(body, _filled(some, moved, node.several), walk).replaced(back)
        for body, some in zip(bodies, found, strict=True)
    ]
    new = items(
        branch(parts.control[0], sides[0], sides[1], [*parts.captures, *back.values()], node.origin)
    )
    return _split(node, new, moved, walk)


def while_push(node: Node, parts: Roles, points: Some, walk: Walk) -> Some:
    """What is carried moves at each step."""
    count = len(parts.carried)
    params = [placeholder(type) for type in parts.given]
    test, step = (opened(region, params) for region in regions_of(node))
    carried, captures = params[:count], params[count:]
    still = _moving(captures, points[count:])
    moved, found, moves = _fixed(step, carried, points, still, walk)
    back = _back([*captures, *still.values()], [*parts.captures, *_given(points[count:])])
    tested, made = test.replaced(back), _extended(step, found, walk).replaced(back)
    own = [*carried, *moves]
    starts = [*parts.carried, *_starts(parts.carried, points, moved)]
    known = set(postorder([*node.args, *_given(points)]))
    outside = around(tested, own, known) | around(made, own, known)
    new = items(loop(starts, own, tested, made, outside, node.origin))
    return _split(node, new, moved, walk)


def scan_push(node: Node, parts: Roles, points: Some, walk: Walk) -> Some:
    """What is carried, elements of sequences and what is left of each step move."""
    assert node.several is not None
    count, length = len(parts.carried), len(parts.sequences)
    params = [placeholder(type) for type in parts.given]
    [step] = (opened(region, params) for region in regions_of(node))
    carried, index = params[:count], params[count]
    elements, captures = params[count + 1 : count + 1 + length], params[count + 1 + length :]
    sequence_points, rest = points[count + 1 : count + 1 + length], points[count + 1 + length :]
    along, outside = _moving(elements, sequence_points), _moving(captures, rest)
    moved, found, moves = _fixed(step, carried, points, {**along, **outside}, walk)
    back = _back([*captures, *outside.values()], [*parts.captures, *_given(rest)])
    whole = _extended(step, found, walk).replaced(back)
    # Carried values come first.
    order = [
        *range(count),
        *(len(step.results) + n for n, k in enumerate(moved) if k < count),
        *range(count, len(step.results)),
        *(len(step.results) + n for n, k in enumerate(moved) if k >= count),
    ]
    made = Body(tuple(whole.results[k] for k in order), whole.checks)
    own = [*carried, *moves, index, *elements, *along.values()]
    starts = [*parts.carried, *_starts(parts.carried, points, moved)]
    sequences = [*parts.sequences, *_given(sequence_points)]
    known = set(postorder([*node.args, *_given(points)]))
    read = around(made, own, known)
    new = items(steps_of(starts, parts.control[0], sequences, own, made, read, node.origin))
    place = {position: k for k, position in enumerate(order)}
    return _split(node, [new[place[k]] for k in range(len(new))], moved, walk)


def _moving(params: Sequence[Node], points: Some) -> dict[Node, Node]:
    """Those placeholders that move, and placeholders for how."""
    pairs = zip(params, points, strict=True)
    return {p: placeholder(ArrayType(p.dtype, p.shape)) for p, t in pairs if t is not None}


def _given(points: Some) -> list[Node]:
    return [t for t in points if t is not None]


def _back(params: Sequence[Node], operands: Sequence[Node]) -> dict[Node, Node]:
    return dict(zip(params, operands, strict=True))


def _fixed(
    step: Body, carried: Sequence[Node], points: Some, fixed: Mapping[Node, Node], walk: Walk
) -> tuple[list[int], list[Node], list[Node]]:
    """The results of a step that move, how, and placeholders for those that are carried."""
    count = len(carried)
    moves = _moving(carried, points[:count])
    while True:
        known = {**moves, **fixed}
        found = walk.pushed(step.results, list(known), list(known.values()))
        more = [p for p, t in zip(carried, found, strict=False) if t is not None and p not in moves]
        if not more:
            break
        moves |= {p: placeholder(ArrayType(p.dtype, p.shape)) for p in more}
    places = [k for k, p in enumerate(carried) if p in moves]
    moved = [*places, *(k for k in range(count, len(found)) if found[k] is not None)]
    types = [r.type for r in step.results]
    return moved, _filled(found, moved, types), [moves[carried[k]] for k in places]


def _starts(carried: Sequence[Node], points: Some, moved: Sequence[int]) -> list[Node]:
    return [_of(points[k], carried[k].type) for k in moved if k < len(carried)]


def _filled(found: Some, moved: Sequence[int], types: Sequence[ArrayType]) -> list[Node]:
    return [_of(found[k], types[k]) for k in moved]


def _of(t: Node | None, type: ArrayType) -> Node:
    return zeros(type.shape, type.dtype) if t is None else t


def _extended(body: Body, more: Sequence[Node], walk: Walk) -> Body:
    """A body that gives more."""
    return body.over(walk.settled([*body.roots(), *more]))


def _split(node: Node, new: Sequence[Node], moved: Sequence[int], walk: Walk) -> Some:
    """How the results of `node` move, by the results of a `new` one, which has its values first."""
    assert node.several is not None
    count = len(node.several)
    walk.join(node, together(new[:count]))
    found: list[Node | None] = [None] * count
    for n, k in enumerate(moved):
        found[k] = new[count + n]
    return found
