"""Branches and loops for many values at once: their steps and their sides are batched."""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.closing import Body, opened, placeholder
from tracejit.ir.control import branch, items, steps_of, together
from tracejit.ir.dims import Dim
from tracejit.ir.invariant import around
from tracejit.ir.node import ArrayType, Node, postorder
from tracejit.ir.region import regions_of
from tracejit.ir.rules.record import Batched, Inside, Roles, batched_or_spread


def tuple_batch(node: Node, new: Batched, count: Dim, inside: Inside) -> Node:
    """Each value by itself."""
    return together([batched_or_spread(a, new, count) for a in node.args])


def cond_batch(node: Node, parts: Roles, new: Batched, count: Dim, inside: Inside) -> Node:
    """One side for all values."""
    [predicate] = parts.control
    if predicate in new:
        raise NotTraceable("a Jacobian through a branch that not all values take is not compiled")
    captures = [placeholder(c.type) for c in parts.captures]
    many = _many(captures, parts.captures, new, count)
    back = _operands(captures, many, parts.captures, new)
    sides = []
    for region in regions_of(node):
        body = opened(region, captures)
        sides.append(Body(tuple(inside(body.results, many, count)), body.checks).replaced(back))
    return branch(predicate, sides[0], sides[1], back.values(), node.origin)


def scan_batch(node: Node, parts: Roles, new: Batched, count: Dim, inside: Inside) -> Node:
    """One loop for all values; of stacks the axis of the values comes after that of the steps."""
    if parts.control[0] in new:
        raise NotTraceable("a Jacobian through a loop of several lengths is not compiled")
    length, total = len(parts.carried), len(parts.sequences)
    params = [placeholder(type) for type in parts.given]
    carried, index = params[:length], params[length]
    elements, captures = params[length + 1 : length + 1 + total], params[length + 1 + total :]
    [step] = (opened(region, params) for region in regions_of(node))
    fixed = _many(captures, parts.captures, new, count) | _many(
        elements, parts.sequences, new, count
    )
    wide = _many(carried, parts.carried, new, count)
    while True:
        known = {**wide, **fixed}
        reached = [k for k in range(length) if _depends(step.results[k], known)]
        if all(carried[k] in wide for k in reached):
            break
        wide |= {carried[k]: _wide(carried[k], count) for k in reached if carried[k] not in wide}
    chosen = [k for k in range(length) if carried[k] in wide]
    chosen += [k for k in range(length, len(step.results)) if _depends(step.results[k], known)]
    results = list(step.results)
    for k, r in zip(chosen, inside([results[k] for k in chosen], known, count), strict=True):
        results[k] = r
    back = _operands(captures, fixed, parts.captures, new)
    own = [*(wide.get(p, p) for p in carried), index, *(fixed.get(e, e) for e in elements)]
    body = Body(tuple(results), step.checks).replaced(back)
    pairs = zip(parts.carried, carried, strict=True)
    starts = [batched_or_spread(s, new, count) if p in wide else s for s, p in pairs]
    sequences = [_steps_first(new[s]) if s in new else s for s in parts.sequences]
    outside = around(body, own, set(postorder([*node.args, *back.values()])))
    made = items(steps_of(starts, parts.control[0], sequences, own, body, outside, node.origin))
    return together(
        [
            batched_or_spread(x, {}, count) if k not in chosen
            else x if k < length else _steps_first(x)
            for k, x in enumerate(made)
        ]
    )  # fmt: skip


def _depends(node: Node, on: Batched) -> bool:
    return any(n in on for n in postorder([node]))


def _wide(param: Node, count: Dim) -> Node:
    return placeholder(ArrayType(param.dtype, (count, *param.shape)))


def _many(
    params: Sequence[Node], operands: Sequence[Node], new: Batched, count: Dim
) -> dict[Node, Node]:
    """Batched placeholders of the operands that are."""
    return {p: _wide(p, count) for p, x in zip(params, operands, strict=True) if x in new}


def _operands(
    params: Sequence[Node], many: Batched, operands: Sequence[Node], new: Batched
) -> dict[Node, Node]:
    """Operands in the place of placeholders again."""
    pairs = zip(params, operands, strict=True)
    return {many.get(p, p): new[x] if p in many else x for p, x in pairs}


def _steps_first(x: Node) -> Node:
    """The first two axes changed."""
    return build.transpose(x, [1, 0, *range(2, x.ndim)])
