"""Differentiation of the array IR: one reverse walk, by the rules of its ops.

The cotangent of a node has its shape and dtype. Source of the method: Griewank and Walther,
*Evaluating Derivatives*, 2nd edition, chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir.batch import batched
from tracejit.ir.closing import placeholder
from tracejit.ir.control import items
from tracejit.ir.cotangent import Cotangent, total
from tracejit.ir.derivatives import Missing, has_derivative, operand_cotangents
from tracejit.ir.node import ArrayType, Node, make, postorder
from tracejit.ir.rewrite import joined
from tracejit.ir.rules import RULES
from tracejit.ir.rules.record import Cotangents, NoDerivativeError, Pull, zeros
from tracejit.ir.rules.reductions import PULLS
from tracejit.ir.smooth import differentiable


def is_continuous(node: Node) -> bool:
    """Whether a node's values, or some of several, have derivatives: floats, complex numbers."""
    types = [node.type] if node.several is None else node.several
    return any(type.dtype.kind in "fc" for type in types)


class Walk:
    """How derivatives go through the regions of a graph; see ``rules.record.Walk``.

    `forward`, `checkpoint`: see `vjp`. `joined`: what nodes have become parts of.
    """

    def __init__(self, checkpoint: bool = True, forward: bool = False) -> None:
        self.checkpoint = checkpoint
        self.forward = forward
        self.joined: dict[Node, Node] = {}

    def pulled(
        self, outputs: Sequence[Node], cotangents: Sequence[Node], targets: Sequence[Node]
    ) -> list[Node | None]:
        """See ``rules.record.Walk``."""
        return vjp(differentiable(outputs, targets), cotangents, targets, walk=self)

    def pushed(
        self, outputs: Sequence[Node], targets: Sequence[Node], points: Sequence[Node]
    ) -> list[Node | None]:
        """See ``rules.record.Walk``."""
        return jvp(differentiable(outputs, targets), targets, points, self)

    def reached(self, outputs: Sequence[Node], targets: Sequence[Node]) -> set[Node]:
        """See ``rules.record.Walk``."""
        return _active(postorder(outputs), set(targets), set())

    def join(self, node: Node, other: Node) -> None:
        """See ``rules.record.Walk``."""
        self.joined[node] = other

    def settled(self, nodes: Sequence[Node]) -> list[Node]:
        """See ``rules.record.Walk``."""
        return joined(nodes, self.joined)


def vjp(
    outputs: Sequence[Node],
    cotangents: Sequence[Node],
    wrt: Sequence[Node],
    constants: Iterable[Node] = (),
    known: int = 0,
    walk: Walk | None = None,
) -> list[Node | None]:
    """The cotangents of the nodes `wrt`, where `outputs` have the given ones.

    Nothing flows through `constants`, nor beyond the nodes `wrt`. None where nothing arrives. The
    last `known` outputs have the given cotangents and no others. Where `walk` goes forward, limits
    that a gradient has on its way back do not hold: the result is linear in the cotangents. Raises
    NoDerivativeError where a rule is missing on the way.
    """
    walk = Walk() if walk is None else walk
    first = len(outputs) - known
    given = dict(zip(outputs[first:], cotangents[first:], strict=True))
    stopped = set(constants)
    targets = set(wrt)
    order = postorder(outputs)
    active = _active(order, targets, stopped)
    found: dict[Node, list[Cotangent]] = {}
    several: dict[Node, dict[int, Cotangent]] = {}
    for node, seed in zip(outputs, cotangents, strict=True):
        if node in active:
            found.setdefault(node, []).append(Cotangent(seed))
    arrived: dict[Node, Cotangent] = {}
    for node in reversed(order):
        if node not in active or (node not in found and node not in several):
            continue
        pulled: Sequence[Cotangent | Missing | None]
        if node.several is not None:
            pulled = _pulled_together(node, several.pop(node), active, walk)
        else:
            terms = found.pop(node)
            g = arrived[node] = Cotangent(given[node]) if node in given else total(terms)
            if node in stopped or not any(a in active for a in node.args):
                continue
            if node.op is ops.ITEM:
                several.setdefault(node.args[0], {})[node.attr] = g
                continue
            clipped = node.op is ops.MARKS["clip_gradient"]
            rule = _passed if walk.forward and clipped else _rule(node)
            pulled = _pulled(node, g, rule)
        for operand, h in zip(node.args, pulled, strict=False):
            if h is None or operand not in active:
                continue
            if isinstance(h, Missing):
                raise NoDerivativeError(
                    f"the derivative of {node.op.name} with respect to its operand "
                    f"{node.args.index(operand)} is not known",
                    "take it out of what is differentiated",
                )
            found.setdefault(operand, []).append(_fitted(h, operand))
    return [arrived[node].settled() if node in arrived else None for node in wrt]


def _active(order: Iterable[Node], targets: set[Node], stopped: set[Node]) -> set[Node]:
    """The nodes of a postorder that have a derivative with respect to `targets`."""
    active: set[Node] = set()
    for node in order:
        reached = node not in stopped and any(a in active for a in node.args)
        if node in targets or (reached and is_continuous(node)):
            active.add(node)
    return active


def jvp(
    outputs: Sequence[Node], wrt: Sequence[Node], points: Sequence[Node], walk: Walk
) -> list[Node | None]:
    """The derivatives of `outputs` where `wrt` move along `points`; None where nothing moves.

    Between branches and loops, which have rules, the pull-back is linear in its cotangent; the
    derivative of that map, at any cotangent, is the push-forward.
    """
    order = postorder(outputs)
    active = _active(order, set(wrt), set())
    moving = dict(zip(wrt, points, strict=True))
    ends: list[Node] = []
    for node in order:
        if node in active and node.several is not None:
            rule = RULES[node.op].pushes
            if rule is None:
                raise _no_derivative(node)
            found = rule(node, _linear(node.args, moving, ends), walk)
            ends += items(node)
            moving |= {i: t for i, t in zip(items(node), found, strict=True) if t is not None}
    return _linear(outputs, moving, ends)


def _linear(
    outputs: Sequence[Node], moving: Mapping[Node, Node], ends: Sequence[Node]
) -> list[Node | None]:
    """How `outputs` move where the nodes `moving` do; nothing is looked at beyond the `ends`."""
    ys = [k for k, y in enumerate(outputs) if is_continuous(y)]
    dummies = [placeholder(ArrayType(y.dtype, y.shape)) for y in (outputs[k] for k in ys)]
    back = vjp([outputs[k] for k in ys], dummies, list(moving), ends, walk=Walk(forward=True))
    pairs = [(g, p) for g, p in zip(back, moving.values(), strict=True) if g is not None]
    seeds = [build.broadcast_to(build.cast(p, g.dtype), g.shape) for g, p in pairs]
    found = dict(zip(ys, vjp([g for g, _ in pairs], seeds, dummies), strict=True))
    return [found.get(k) for k in range(len(outputs))]


def _pulled_together(
    node: Node, arrived: dict[int, Cotangent], active: set[Node], walk: Walk
) -> list[Cotangent | None]:
    """The cotangents of the operands of a node with several results."""
    assert node.several is not None
    rule = RULES[node.op].pulls
    if rule is None:
        raise _no_derivative(node)
    gs = [arrived[k].settled() if k in arrived else None for k in range(len(node.several))]
    return [None if h is None else Cotangent(h) for h in rule(node, gs, active, walk)]


def _no_derivative(node: Node) -> NoDerivativeError:
    return NoDerivativeError(
        f"{node.op.name} has no derivative", "take it out of what is differentiated"
    )


def _pulled(node: Node, g: Cotangent, rule: Pull) -> Sequence[Cotangent | Missing | None]:
    """The cotangents of the operands of `node`, by its rule."""
    if isinstance(node.op, ops.Elementwise):
        return [h if not isinstance(h, Node) else g.passed(node, h) for h in rule(node, g.value)]
    masks: Cotangents = (None,) * len(node.args)
    if g.mask is not None and _holds_for_masks(node):
        masks = [g.mask] * len(node.args) if not g.mask.ndim else rule(node, g.mask)
    found = rule(node, g.settled())
    return [
        h if not isinstance(h, Node)
        else Cotangent(h, m) if _is_mask(m) else Cotangent(h).passed(node, h)
        for h, m in zip(found, masks, strict=False)
    ]  # fmt: skip


def _holds_for_masks(node: Node) -> bool:
    """Whether the rule of `node` is that of masks, too."""
    op = node.op
    return op.name == "sum" if isinstance(op, ops.Reduction) else RULES[op].masked


def _is_mask(found: Node | Missing | None) -> TypeGuard[Node]:
    """Whether a rule has given the mask of an operand: what it scatters is none."""
    return isinstance(found, Node) and found.op is not ops.SCATTER


def jacobian(
    y: Node, wrt: Sequence[Node], constants: Iterable[Node] = (), walk: Walk | None = None
) -> list[Node]:
    """The derivatives of every element of `y` with respect to each of `wrt`.

    Of shape ``y.shape + x.shape``: one walk back, batched over the rows of the identity.
    """
    count = dims.product(y.shape)
    seed = make(ops.INPUT, (), ("cotangent", y.shape, id(y)), y.type)
    found = vjp([y], [seed], wrt, constants, walk=walk)
    rows = build.reshape(_identity(count, y.dtype), (count, *y.shape))
    reached = [g for g in found if g is not None]
    many = iter(batched(reached, {seed: rows}, count))
    return [
        build.reshape(next(many), (*y.shape, *x.shape))
        if g is not None
        else zeros((*y.shape, *x.shape), y.dtype)
        for g, x in zip(found, wrt, strict=True)
    ]


def _identity(count: dims.Dim, dtype: np.dtype[Any]) -> Node:
    row, column = (build.view(build.iota(count), (count, count), ((0, 1, k),)) for k in (0, 1))
    return build.cast(build.elementwise("equal", row, column), dtype)


def _fitted(g: Cotangent, operand: Node) -> Cotangent:
    """A cotangent in its operand's shape and dtype: scalars that were spread are summed."""
    if not operand.ndim and g.value.ndim:
        g = g.summed(tuple(range(g.value.ndim)))
    value = g.value
    if operand.ndim and not value.ndim:
        value = build.full(operand.shape, value)
    if value.dtype.kind == "c" and operand.dtype.kind != "c":
        value = build.real(value)
    if is_continuous(operand):
        value = build.cast(value, operand.dtype)
    return Cotangent(value, g.mask, g.clean)


def _rule(node: Node) -> Pull:
    op = node.op
    rule: Pull | None
    if isinstance(op, ops.Elementwise):
        if op is ops.CAST:
            return _passed
        rule = operand_cotangents if has_derivative(node) else _MARKS.get(op.name)
    elif isinstance(op, ops.Reduction):
        rule = PULLS.get(op.name)
    else:
        rule = RULES[op].pull
    if rule is None:
        raise _no_derivative(node)
    return rule


def _passed(node: Node, g: Node) -> Cotangents:
    return (g,)


def _stopped(node: Node, g: Node) -> Cotangents:
    return (None,)


def _scaled(node: Node, g: Node) -> Cotangents:
    return (build.elementwise("multiply", g, build.constant(node.attr, g.dtype)),)


def _clipped(node: Node, g: Node) -> Cotangents:
    low, high = (build.constant(v, g.dtype) for v in node.attr)
    return (build.elementwise("minimum", build.elementwise("maximum", g, low), high),)


_MARKS: dict[str, Pull] = {
    "mark": _passed,
    "stop_gradient": _stopped,
    "scale_gradient": _scaled,
    "clip_gradient": _clipped,
}
