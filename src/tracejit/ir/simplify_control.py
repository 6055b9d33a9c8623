"""The simplifier's rules for branches and loops.

They look at open bodies, in which a constant, or whatever else is known, has taken the place of a
parameter. A region with checks that would have to hold is not dissolved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set

from tracejit.ir import build, ops
from tracejit.ir.closing import Body, opened, placeholder
from tracejit.ir.control import branch, items, loop, steps_of, together
from tracejit.ir.node import ArrayType, Node, postorder
from tracejit.ir.region import regions_of
from tracejit.ir.rules import roles
from tracejit.ir.rules.record import Roles

#: What becomes of a node inside when its operands have become others.
Rule = Callable[[Node], Node]


def simplified(node: Node, read: Set[int], rule: Rule) -> Node:
    """A node with the results of `node` that are `read`, or several values as one.

    * A branch whose predicate is known is what is taken; what both branches give is no branch's.
    * A loop without steps is its start. What no step changes is captured, not carried.
    * What nobody reads is neither given, carried, captured nor read from a sequence.
    * Constants are not captured, and nothing is captured twice.
    """
    simpler = _SIMPLER.get(node.op)
    return node if simpler is None else simpler(node, roles(node), read, rule)


def _branch(node: Node, parts: Roles, read: Set[int], rule: Rule) -> Node:
    [predicate] = parts.control
    bodies = [opened(region, parts.captures, rule) for region in regions_of(node)]
    if predicate.op is ops.CONST:
        taken = bodies[0 if build.constant_value(predicate) else 1]
        if not taken.checks:
            return together(taken.results)
    same: dict[int, Node] = {}
    if not any(body.checks for body in bodies):
        pairs = zip(*(body.results for body in bodies), strict=True)
        same = {k: a for k, (a, b) in enumerate(pairs) if a is b}
    kept = sorted(read - same.keys())
    if not kept:
        return _joined(node, same)
    then, otherwise = (_part(body, kept) for body in bodies)
    around = [*parts.captures, *same.values()]
    new = branch(predicate, then, otherwise, around, node.origin)
    return _results(node, new, kept, same)


def _loop(node: Node, parts: Roles, read: Set[int], rule: Rule) -> Node:
    starts = parts.carried
    params = [placeholder(type) for type in parts.given[: len(starts)]]
    bodies = [opened(region, [*params, *parts.captures], rule) for region in regions_of(node)]
    test = bodies[0].results[0]
    if test.op is ops.CONST and not build.constant_value(test) and not bodies[0].checks:
        return together(starts)
    fixed, (condition, step) = _without_fixed(starts, params, bodies, rule)
    always = [*condition.roots(), *(c.condition for c in step.checks)]
    kept = sorted(_needed(step.results, params, read - fixed.keys(), always) - fixed.keys())
    if not kept:
        return _joined(node, fixed)
    new = loop(
        [starts[k] for k in kept],
        [params[k] for k in kept],
        condition,
        _part(step, kept),
        node.args,
        node.origin,
    )
    return _results(node, new, kept, fixed)


def _scan(node: Node, parts: Roles, read: Set[int], rule: Rule) -> Node:
    starts, [count] = parts.carried, parts.control
    assert node.several is not None
    if count.op is ops.CONST and build.constant_value(count) == 0:
        return together([*starts, *map(_anything, node.several[len(starts) :])])
    params = [placeholder(t) for t in parts.given[: len(parts.given) - len(parts.captures)]]
    carried, index, elements = params[: len(starts)], params[len(starts)], params[len(starts) + 1 :]
    body = opened(regions_of(node)[0], [*params, *parts.captures], rule)
    first = {s: e for s, e in zip(reversed(parts.sequences), reversed(elements), strict=True)}
    again = {e: first[s] for s, e in zip(parts.sequences, elements, strict=True)}
    body = body.replaced({e: other for e, other in again.items() if e is not other}, rule)
    fixed, [step] = _without_fixed(starts, carried, [body], rule)
    always = [c.condition for c in step.checks]
    kept = sorted(_needed(step.results, carried, read - fixed.keys(), always) - fixed.keys())
    if not kept:
        return _joined(node, fixed)
    step = _part(step, kept)
    reached = set(postorder(step.roots()))
    places = [k for k in kept if k < len(starts)]
    sequences = [(s, e) for s, e in zip(parts.sequences, elements, strict=True) if e in reached]
    new = steps_of(
        [starts[k] for k in places],
        count,
        [s for s, _ in sequences],
        [*(carried[k] for k in places), index, *(e for _, e in sequences)],
        step,
        node.args,
        node.origin,
    )
    return _results(node, new, kept, fixed)


_SIMPLER: dict[ops.Op, Callable[[Node, Roles, Set[int], Rule], Node]] = {
    ops.COND: _branch,
    ops.WHILE: _loop,
    ops.SCAN: _scan,
}


def _without_fixed(
    starts: Sequence[Node], params: Sequence[Node], bodies: Sequence[Body], rule: Rule
) -> tuple[dict[int, Node], Sequence[Body]]:
    """The carried values that no step changes, by position, and the bodies over their starts."""
    fixed: dict[int, Node] = {}
    if any(body.checks for body in bodies):
        return fixed, bodies
    while True:
        results = bodies[-1].results
        found = {
            k: start
            for k, (start, param) in enumerate(zip(starts, params, strict=True))
            if k not in fixed and (results[k] is param or results[k] is start)
        }
        if not found:
            return fixed, bodies
        fixed |= found
        table = {params[k]: start for k, start in found.items()}
        bodies = [body.replaced(table, rule) for body in bodies]


def _needed(
    results: Sequence[Node], params: Sequence[Node], read: Collection[int], always: Sequence[Node]
) -> set[int]:
    """The results of a step without which those that are `read` cannot be had.

    The first are carried to the next step, by `params`; `always` is computed whatever is read.
    """
    asked = set(read)
    reached: set[Node] = set()
    new = [*always, *(results[k] for k in asked)]
    while new:
        reached.update(postorder(new, reached))
        more = {k for k, param in enumerate(params) if param in reached} - asked
        asked |= more
        new = [results[k] for k in more]
    return asked


def _part(body: Body, kept: Sequence[int]) -> Body:
    """`body` with some of its results."""
    return Body(tuple(body.results[k] for k in kept), body.checks)


def _results(node: Node, new: Node, kept: Sequence[int], known: Mapping[int, Node]) -> Node:
    """The results of `node` from those of a `new` one, which are those `kept`, and `known` ones."""
    assert node.several is not None
    if len(kept) == len(node.several):
        return new
    return _joined(node, {**known, **dict(zip(kept, items(new), strict=True))})


def _joined(node: Node, known: Mapping[int, Node]) -> Node:
    """The results of `node` as one; for those that nobody reads there is anything."""
    assert node.several is not None
    types = enumerate(node.several)
    return together([known[k] if k in known else _anything(type) for k, type in types])


def _anything(type: ArrayType) -> Node:
    return build.full(type.shape, build.constant(0, type.dtype, type.weak))
