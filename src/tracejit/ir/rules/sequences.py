"""Places in a sorted array, and sums of products at each place of a vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.ir import build, dims, ops, sequences
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.rules.record import (
    Batched,
    Cotangents,
    Env,
    Rule,
    Values,
    batched_or_spread,
    length_of,
    other_dtype,
)
from tracejit.ir.types import INT64


def _search(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return np.searchsorted(args[0], args[1], node.attr)


def _search_problem(node: Node) -> str | None:
    x, values = node.args
    if x.ndim != 1 or node.ndim != values.ndim:
        return f"an array of {x.ndim} dimensions is searched for values of {values.ndim}"
    if x.dtype != values.dtype or node.dtype != INT64:
        return "dtypes differ"
    return None if node.attr in ("left", "right") else f"no side {node.attr!r}"


def _search_batch(node: Node, new: Batched, count: Dim) -> Node:
    """In an array each: counted, as each has an order of its own."""
    x, values = node.args
    wide = batched_or_spread(values, new, count)
    if x not in new:
        return sequences.search(x, wide, node.attr)
    rows, ndim = new[x], wide.ndim
    line = build.expand_dims(rows, range(1, ndim))
    each = build.expand_dims(wide, (ndim,))
    if node.attr == "left":
        before = _before(line, each)
    else:
        before = build.elementwise("logical_not", _before(each, line))
    return build.reduce("sum", build.cast(before, INT64), (ndim,))


def _before(x: Node, y: Node) -> Node:
    """Whether a sort puts `x` before `y`: NaN comes last."""
    less = build.elementwise("less", x, y)
    if x.dtype.kind not in "fc":
        return less
    number = build.elementwise("logical_not", build.elementwise("isnan", x))
    last = build.elementwise("logical_and", build.elementwise("isnan", y), number)
    return build.elementwise("logical_or", less, last)


def _correlate(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    x, weights = args
    left, count = (length_of(d, values) for d in node.attr)
    result = np.zeros(count, node.dtype)
    if x.size and weights.size:
        full = np.convolve(x, weights[::-1])
        start = weights.size - 1 - left
        part = full[max(start, 0) : max(start + count, 0)]
        result[max(-start, 0) :][: part.size] = part
    return result


def _correlate_problem(node: Node) -> str | None:
    x, weights = node.args
    if (x.ndim, weights.ndim, node.ndim) != (1, 1, 1):
        return "an operand is no vector"
    return other_dtype(node) or (None if weights.dtype == x.dtype else "dtypes differ")


def _correlate_batch(node: Node, new: Batched, count: Dim) -> Node:
    """For each, since a whole batch is no vector."""
    x, weights = (batched_or_spread(a, new, count) for a in node.args)
    left, places = node.attr
    shape = (count, places, weights.shape[1])
    rows = build.expand_dims(build.iota(places), (1,))
    at = build.elementwise("add", rows, build.iota(weights.shape[1]))
    first, length = (build.cast(dims.as_node(d), INT64) for d in (left, x.shape[1]))
    at = build.elementwise("subtract", at, first)
    low = build.elementwise("greater_equal", at, build.constant(0, INT64))
    inside = build.elementwise("logical_and", low, build.elementwise("less", at, length))
    at = build.where(inside, at, build.constant(0, INT64))
    parts = build.gather(x, shape, (("axis", 0), ("index", 0)), at)
    products = build.elementwise("multiply", parts, build.expand_dims(weights, (1,)))
    nothing = build.constant(products.dtype.type(0), products.dtype)
    total = build.reduce("sum", build.where(inside, products, nothing), (2,))
    return build.cast(total, node.dtype)


def _correlate_pull(node: Node, g: Node) -> Cotangents:
    x, weights = node.args
    left, _ = node.attr
    turned = build.flip(weights, (0,))
    right = dims.sub(dims.sub(weights.shape[0], 1), left)
    return (
        sequences.correlate(g, turned, right, x.shape[0]),
        sequences.correlate(x, g, left, weights.shape[0]),
    )


RULES = {
    ops.SEARCH: Rule(
        evaluate=_search,
        problem=_search_problem,
        batch=_search_batch,
        static=lambda p, node: node.attr,
    ),
    ops.CORRELATE: Rule(
        evaluate=_correlate,
        problem=_correlate_problem,
        batch=_correlate_batch,
        pull=_correlate_pull,
    ),
}
