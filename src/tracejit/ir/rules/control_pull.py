"""Branches and loops backwards.

What a region computes is computed again where its derivative needs it. A loop goes back step by
step, and adds up what its steps give of what they all read; `replay` says what it finds there of
the values that were carried.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from tracejit.ir.closing import Body, opened, placeholder
from tracejit.ir.control import branch, items
from tracejit.ir.cotangent import added
from tracejit.ir.dims import INT_SCALAR
from tracejit.ir.node import ArrayType, Node
from tracejit.ir.region import regions_of
from tracejit.ir.rules.record import NoDerivativeError, Roles, Some, Walk, zeros
from tracejit.ir.rules.replay import Back, Loop, replayed, row, written


def tuple_pull(node: Node, cotangents: Some, active: Container[Node], walk: Walk) -> Some:
    """Each goes to its own."""
    return cotangents


def cond_pull(
    node: Node, parts: Roles, cotangents: Some, active: Container[Node], walk: Walk
) -> Some:
    """One side only is gone back."""
    captures = [placeholder(c.type) for c in parts.captures]
    targets = [p for p, c in zip(captures, parts.captures, strict=True) if c in active]
    read = [k for k, g in enumerate(cotangents) if g is not None]
    given = [g for g in cotangents if g is not None]
    found = []
    for region in regions_of(node):
        results = opened(region, captures).results
        found.append(walk.pulled([results[k] for k in read], given, targets))
    reached = [n for n, pair in enumerate(zip(*found, strict=True)) if any(pair)]
    back = dict(zip(captures, parts.captures, strict=True))
    if not reached:
        return [None] * len(node.args)
    filled = [
        [_nothing(targets[n]) if (g := some[n]) is None else g for n in reached] for some in found
    ]
    sides = [Body(tuple(walk.settled(some))).replaced(back) for some in filled]
    new = items(
        branch(parts.control[0], sides[0], sides[1], [*parts.captures, *given], node.origin)
    )
    by_capture = {targets[n]: g for n, g in zip(reached, new, strict=True)}
    return [None, *(by_capture.get(p) for p in captures)]


def while_pull(
    node: Node, parts: Roles, cotangents: Some, active: Container[Node], walk: Walk
) -> Some:
    """How many steps there were, nobody has counted."""
    problem = NoDerivativeError(
        "while has no derivative in reverse: its steps are not counted",
        "use a for with a bound: `for k in range(most): x = np.where(done(x), x, step(x))`; or "
        "differentiate forward: tracejit.jvp",
    )
    problem.place = node.origin
    raise problem


def scan_pull(
    node: Node, parts: Roles, cotangents: Some, active: Container[Node], walk: Walk
) -> Some:
    """From the last step to the first."""
    loop = Loop.of(node, parts)
    useful, stacks = _useful(loop, parts, cotangents, active, walk)
    if not useful and not stacks:
        return [None] * len(node.args)
    moving = _among(loop.elements, parts.sequences, active)
    reading = _among(loop.captures, parts.captures, active)
    place = placeholder(INT_SCALAR)
    pulls = [_like(loop.carried[k]) for k in useful]
    sums = [_like(p) for p in reading]
    lists = [_like(s) for s in parts.sequences if s in active]
    given_rows = [g for g in (cotangents[k] for k in stacks) if g is not None]
    rows = [row(g, place) for g in given_rows]
    outputs = [loop.step.results[k] for k in (*useful, *stacks)]
    own = [loop.carried[k] for k in useful]
    found = iter(walk.pulled(outputs, [*pulls, *rows], [*own, *reading, *moving]))
    results = [
        *(_nothing(p) if g is None else g for p, g in zip(pulls, found, strict=False)),
        *(s if g is None else added(s, g) for s, g in zip(sums, found, strict=False)),
        *(x if g is None else written(x, g, place) for x, g in zip(lists, found, strict=False)),
    ]
    given = (cotangents[k] for k in useful)
    starts = [_nothing(p) if g is None else g for p, g in zip(pulls, given, strict=True)]
    starts += map(_nothing, (*sums, *lists))
    back = Back(starts, [*pulls, *sums, *lists], place, walk.settled(results), given_rows)
    new = iter(replayed(node, parts, loop, back, walk))
    pulled = dict(zip([*own, *reading, *moving], new, strict=True))
    params = (*loop.carried, loop.number, *loop.elements, *loop.captures)
    return [pulled.get(p) for p in params]


def _useful(
    loop: Loop, parts: Roles, cotangents: Some, active: Container[Node], walk: Walk
) -> tuple[list[int], list[int]]:
    """The carried values that have a cotangent, and the stacks."""
    count, results = len(loop.carried), loop.step.results
    fixed = [
        *_among(loop.elements, parts.sequences, active),
        *_among(loop.captures, parts.captures, active),
    ]
    varying = {k for k, start in enumerate(parts.carried) if start in active}
    while True:
        reached = walk.reached(results, [*(loop.carried[k] for k in varying), *fixed])
        more = {k for k in range(count) if results[k] in reached} - varying
        if not more:
            break
        varying |= more
    given = {k for k, g in enumerate(cotangents) if g is not None and results[k] in reached}
    stacks = sorted(k for k in given if k >= count)
    useful = {k for k in given if k < count}
    useful |= {k for k, g in enumerate(cotangents[:count]) if g is not None and k in varying}
    while True:
        roots = [results[k] for k in (*useful, *stacks) if results[k] in reached]
        back = _back(roots, reached)
        more = {k for k in varying if loop.carried[k] in back} - useful
        if not more:
            return sorted(useful), stacks
        useful |= more


def _back(roots: Sequence[Node], within: Container[Node]) -> set[Node]:
    """What `roots` are computed from by way of nodes `within`."""
    found, stack = set(roots), list(roots)
    while stack:
        new = [a for a in stack.pop().args if a in within and a not in found]
        found.update(new)
        stack += new
    return found


def _among(params: Sequence[Node], operands: Sequence[Node], active: Container[Node]) -> list[Node]:
    return [p for p, x in zip(params, operands, strict=True) if x in active]


def _like(node: Node) -> Node:
    """A placeholder for the cotangent of a node."""
    return placeholder(ArrayType(node.dtype, node.shape))


def _nothing(node: Node) -> Node:
    return zeros(node.shape, node.dtype)
