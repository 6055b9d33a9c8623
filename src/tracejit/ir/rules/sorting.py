"""Sorts, the order that sorts, and middle elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.rules.record import (
    Batched,
    Cotangents,
    Env,
    Rule,
    Values,
    other_dtype,
    zeros,
)
from tracejit.ir.types import INT64


def _sort(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return np.sort(args[0], kind=node.attr)


def _argsort(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return np.argsort(args[0], kind=node.attr)


def _form(node: Node) -> str | None:
    x = node.args[0]
    return None if 0 < x.ndim == node.ndim else f"an operand of {x.ndim} dimensions"


def _argsort_problem(node: Node) -> str | None:
    return _form(node) or (None if node.dtype == INT64 else "a position is not int64")


def _sort_batch(node: Node, new: Batched, count: Dim) -> Node:
    return build.sort(new[node.args[0]], node.ndim, node.attr, node.op is ops.ARGSORT)


def _sort_pull(node: Node, g: Node) -> Cotangents:
    """Back to where each element came from."""
    x = node.args[0]
    last = x.ndim - 1
    places = build.sort(x, last, node.attr, positions=True)
    positions = [build.view(build.iota(x.shape[k]), x.shape, ((0, 1, k),)) for k in range(last)]
    checked = [False] * x.ndim
    return (build.scatter(zeros(x.shape, g.dtype), g, [*positions, places], checked, "set"),)


def _middle(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    x = np.sort(args[0], axis=-1)
    missing = np.isnan(x).sum(-1, keepdims=True)
    count = x.shape[-1] - missing * node.attr
    places = np.concatenate([np.maximum(count - 1, 0) // 2, count // 2], axis=-1)
    if args[1:]:
        places = np.broadcast_to(np.stack(args[1:]), places.shape)
    if not node.attr:
        places = np.where(missing, x.shape[-1] - 1, places)
    return np.take_along_axis(x, places, axis=-1)


def _middle_problem(node: Node) -> str | None:
    if _form(node) or node.shape[-1] != 2:
        return f"an operand of {node.args[0].ndim} dimensions"
    return other_dtype(node)


def _middle_batch(node: Node, new: Batched, count: Dim) -> Node:
    x, *places = node.args
    if any(place in new for place in places):
        raise NotTraceable("elements at places in order of each row are not compiled")
    return build.middle(new[x], node.attr, tuple(places))


def _middle_pull(node: Node, g: Node) -> Cotangents:
    """Back to where the two elements came from."""
    (x, *given), shape = node.args, node.shape[:-1]
    last = len(shape)
    order = build.sort(x, last, positions=True)
    count = build.cast(dims.as_node(x.shape[-1]), INT64)
    if node.attr:
        number = build.elementwise("logical_not", build.elementwise("isnan", x))
        count = build.reduce("sum", build.cast(number, INT64), (last,))
    picks = (*(("axis", k) for k in range(last)), ("index", 0))
    positions = [build.view(build.iota(d), shape, ((0, 1, k),)) for k, d in enumerate(shape)]
    places: list[Node] = []
    for k, less in enumerate((1, 0)):
        if given:
            places.append(build.broadcast_to(given[k], shape))
            continue
        at = build.elementwise("subtract", count, build.constant(less, INT64))
        at = build.elementwise("floor_divide", at, build.constant(2, INT64))
        places.append(build.elementwise("maximum", at, build.constant(0, INT64)))
    result = zeros(x.shape, g.dtype)
    for k, at in enumerate(places):
        place = build.gather(order, shape, picks, at)
        part = build.view(g, shape, (*((0, 1, j) for j in range(last)), (k, 0, None)))
        result = build.scatter(result, part, [*positions, place], [False] * x.ndim, "add")
    return (result, *(None for _ in given))


RULES = {
    ops.SORT: Rule(
        evaluate=_sort,
        problem=lambda node: _form(node) or other_dtype(node),
        batch=_sort_batch,
        pull=_sort_pull,
    ),
    ops.ARGSORT: Rule(evaluate=_argsort, problem=_argsort_problem, batch=_sort_batch),
    ops.MIDDLE: Rule(
        evaluate=_middle, problem=_middle_problem, batch=_middle_batch, pull=_middle_pull
    ),
}
