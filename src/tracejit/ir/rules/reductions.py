"""The cotangents of reductions."""

from __future__ import annotations

from collections.abc import Mapping

from tracejit.ir import build, dims
from tracejit.ir.node import Node
from tracejit.ir.rules.record import (
    Cotangents,
    Pull,
)


def _spread(g: Node, x: Node, axes: tuple[int, ...]) -> Node:
    """A cotangent of a reduction over `axes`, at every element of `x`."""
    kept = [k for k in range(x.ndim) if k not in axes]
    return build.view(g, x.shape, tuple((0, 1, k) for k in kept))


def _of_sum(node: Node, g: Node) -> Cotangents:
    return (_spread(g, node.args[0], node.attr),)


def _of_prod(node: Node, g: Node) -> Cotangents:
    """By the products of what comes before and after, so that factors may be 0."""
    x, axes = node.args[0], node.attr
    kept = [k for k in range(x.ndim) if k not in axes]
    order = [*kept, *axes]
    count = dims.product(x.shape[k] for k in axes)
    moved = build.transpose(x, order)
    rows = build.reshape(moved, (*(x.shape[k] for k in kept), count))
    last = len(kept)
    after = build.flip(_product_before(build.flip(rows, (last,)), last), (last,))
    slope = build.elementwise("multiply", _product_before(rows, last), after)
    inverse = [order.index(k) for k in range(x.ndim)]
    back = build.transpose(build.reshape(slope, moved.shape), inverse)
    return (build.elementwise("multiply", _spread(g, x, axes), back),)


def _product_before(x: Node, axis: int) -> Node:
    """At each position along `axis` the product of all before it."""
    n = x.shape[axis]
    one = build.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), build.constant(1, x.dtype))
    shifted = build.concatenate([one, x], axis)
    index = tuple((0, 1, k) for k in range(x.ndim))
    shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
    return build.accumulate("multiply", build.view(shifted, shape, index), axis)


def _of_extreme(node: Node, g: Node) -> Cotangents:
    """Every element that ties for the extreme one gets the whole cotangent."""
    x, axes = node.args[0], node.attr
    at = build.elementwise("equal", x, _spread(node, x, axes))
    zero = build.constant(0, g.dtype)
    return (build.where(at, _spread(g, x, axes), zero),)


#: By reduction: the cotangent of its operand.
PULLS: Mapping[str, Pull] = {
    "sum": _of_sum,
    "prod": _of_prod,
    **dict.fromkeys(("max", "min", "fmax_reduce", "fmin_reduce"), _of_extreme),
}
