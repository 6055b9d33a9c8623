"""Differentiation of the array IR: one reverse walk, by the rules of its ops.

The cotangent of a node has its shape and dtype. Source of the method: Griewank and Walther,
*Evaluating Derivatives*, 2nd edition, chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir.batch import batched
from tracejit.ir.cotangent import Cotangent, total
from tracejit.ir.derivatives import Missing, has_derivative, operand_cotangents
from tracejit.ir.node import Node, make, postorder
from tracejit.ir.rules import RULES
from tracejit.ir.rules.record import Cotangents, NoDerivativeError, Pull, zeros
from tracejit.ir.rules.reductions import PULLS


def is_continuous(node: Node) -> bool:
    """Whether a node's values, or some of several, have derivatives: floats, complex numbers."""
    types = [node.type] if node.several is None else node.several
    return any(type.dtype.kind in "fc" for type in types)


def vjp(
    outputs: Sequence[Node],
    cotangents: Sequence[Node],
    wrt: Sequence[Node],
    constants: Iterable[Node] = (),
    known: int = 0,
    forward: bool = False,
) -> list[Node | None]:
    """The cotangents of the nodes `wrt`, where `outputs` have the given ones.

    Nothing flows through `constants`, nor beyond the nodes `wrt`. None where nothing arrives. The
    last `known` outputs have the given cotangents and no others. With `forward` limits that a
    gradient has on its way back do not hold: the result is linear in the cotangents. Raises
    NoDerivativeError where a rule is missing on the way.
    """
    first = len(outputs) - known
    given = dict(zip(outputs[first:], cotangents[first:], strict=True))
    stopped = set(constants)
    targets = set(wrt)
    blocked = stopped - targets
    order = postorder(outputs)
    active: set[Node] = set()
    for node in order:
        reached = node not in stopped and any(a in active for a in node.args)
        if node in targets or (reached and node not in blocked and is_continuous(node)):
            active.add(node)
    found: dict[Node, list[Cotangent]] = {}
    for node, seed in zip(outputs, cotangents, strict=True):
        if node in active:
            found.setdefault(node, []).append(Cotangent(seed))
    arrived: dict[Node, Cotangent] = {}
    for node in reversed(order):
        if node not in active or node not in found:
            continue
        terms = found.pop(node)
        g = arrived[node] = Cotangent(given[node]) if node in given else total(terms)
        if node in stopped or not any(a in active for a in node.args):
            continue
        clipped = node.op is ops.MARKS["clip_gradient"]
        rule = _passed if forward and clipped else _rule(node)
        for operand, h in zip(node.args, _pulled(node, g, rule), strict=False):
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


def jacobian(y: Node, wrt: Sequence[Node], constants: Iterable[Node] = ()) -> list[Node]:
    """The derivatives of every element of `y` with respect to each of `wrt`.

    Of shape ``y.shape + x.shape``: one walk back, batched over the rows of the identity.
    """
    count = dims.product(y.shape)
    seed = make(ops.INPUT, (), ("cotangent", y.shape, id(y)), y.type)
    found = vjp([y], [seed], wrt, constants)
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
        raise NoDerivativeError(
            f"{op.name} has no derivative", "take it out of what is differentiated"
        )
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
