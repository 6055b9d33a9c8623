"""Running reductions."""

from __future__ import annotations

from typing import Any

from tracejit.ir import build, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, make
from tracejit.ir.rules.record import (
    Batched,
    Cotangents,
    Env,
    NoDerivativeError,
    Rule,
    Values,
    other_dtype,
)


def _accumulate(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    name, axis = node.attr
    return ops.ELEMENTWISE[name].ufunc.accumulate(args[0], axis=axis, dtype=node.dtype)


def _problem(node: Node) -> str | None:
    axis, x = node.attr[1], node.args[0]
    if not 0 <= axis < x.ndim:
        return f"axis {axis} of an operand of {x.ndim} dimensions"
    return other_dtype(node)


def _batch(node: Node, new: Batched, count: Dim) -> Node:
    name, axis = node.attr
    return build.accumulate(name, new[node.args[0]], axis + 1)


def _pull(node: Node, g: Node) -> Cotangents:
    name, axis = node.attr
    x = node.args[0]

    def after(h: Node) -> Node:
        """The sum of `h` from each position on."""
        return build.flip(build.accumulate("add", build.flip(h, (axis,)), axis), (axis,))

    if name == "add":
        return (after(g),)
    if name != "multiply":
        raise NoDerivativeError(f"a running {name} has no derivative", "use a sum or a product")
    # Up to the first 0 by division; at it, with a 1 in its place; after it, 0.
    zero, one = (build.constant(v, x.dtype) for v in (0, 1))
    is_zero = build.elementwise("equal", x, zero)
    count = build.accumulate("add", build.cast(is_zero, x.dtype), axis)
    before = build.elementwise("equal", count, zero)
    first = build.elementwise("logical_and", is_zero, build.elementwise("equal", count, one))
    filled = build.where(first, one, x)
    product = build.accumulate("multiply", filled, axis)
    at_first = after(build.elementwise("multiply", g, product))
    safe = build.where(is_zero, one, x)
    ahead = build.elementwise("divide", after(build.elementwise("multiply", g, node)), safe)
    fast = build.where(before, ahead, build.where(first, at_first, zero))
    exact = _products_without(x, g, axis)
    # What is differentiated again is the exact form; what is computed is the fast one.
    return (make(ops.STRUCTURAL["custom"], (fast, exact), ops.EXACT, fast.type, node.origin),)


def _products_without(x: Node, g: Node, axis: int) -> Node:
    """For each element the sum of the cotangents of later products, each without the element.

    It takes the square of the length in memory, and may be differentiated where elements are 0.
    """
    n, last = x.shape[axis], x.ndim
    wide = (*x.shape, n)
    same = tuple((0, 1, k) for k in range(last))
    place, left = (build.view(build.iota(n), wide, ((0, 1, k),)) for k in (axis, last))
    one, zero = (build.constant(v, x.dtype) for v in (1, 0))
    rest = build.where(build.elementwise("equal", place, left), one, build.view(x, wide, same))
    products = build.elementwise(
        "multiply", build.view(g, wide, same), build.accumulate("multiply", rest, axis)
    )
    later = build.where(build.elementwise("greater_equal", place, left), products, zero)
    total = build.reduce("sum", later, (axis,))
    return build.transpose(total, [*range(axis), last - 1, *range(axis, last - 1)])


RULES = {ops.ACCUMULATE: Rule(evaluate=_accumulate, problem=_problem, batch=_batch, pull=_pull)}
