"""Elements by positions and by masks, read and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.rules.record import (
    Batched,
    Cotangents,
    Env,
    NoDerivativeError,
    Rule,
    Values,
    batched_or_spread,
    other_dtype,
    shape_of,
    zeros,
)
from tracejit.ir.rules.views import narrow
from tracejit.ir.types import INT64


def _gather(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    shape, picks = node.attr
    grid = np.ogrid[tuple(slice(n) for n in shape_of(shape, values))]
    index = tuple(args[1 + k] if kind == "index" else grid[k] for kind, k in picks)
    return args[0][index]


def _gather_problem(node: Node) -> str | None:
    if len(node.attr[1]) != node.args[0].ndim:
        return "one pick an axis is needed"
    if any(a.dtype != INT64 for a in node.args[1:]):
        return "an index array is not int64"
    return other_dtype(node)


def _gather_batch(node: Node, new: Batched, count: Dim) -> Node:
    x, *indices = node.args
    picks = [(kind, k if kind == "index" else k + 1) for kind, k in node.attr[1]]
    source = x
    if x in new:
        source, picks = new[x], [("axis", 0), *picks]
    wide = [batched_or_spread(i, new, count) for i in indices]
    return build.gather(source, (count, *node.shape), tuple(picks), *wide)


def _gather_pull(node: Node, g: Node) -> Cotangents:
    """Repeated positions add up."""
    x, *indices = node.args
    positions, checked = [], []
    for kind, k in node.attr[1]:
        checked.append(kind == "index")
        if kind == "index":
            positions.append(indices[k])
        else:
            positions.append(build.view(build.iota(node.shape[k]), node.shape, ((0, 1, k),)))
    return (build.scatter(zeros(x.shape, g.dtype), g, positions, checked, "add"),)


def _scatter(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    result, y = np.array(args[0]), args[1]
    index = tuple(np.broadcast_to(p, np.shape(y)) for p in args[2:])
    if node.attr[0] == "set":
        result[index] = y
    else:
        ops.ELEMENTWISE[node.attr[0]].ufunc.at(result, index, y)
    return result


def _scatter_problem(node: Node) -> str | None:
    x, y, *positions = node.args
    if not len(positions) == x.ndim == len(node.attr[1]):
        return "one position an axis is needed"
    if not x.dtype == y.dtype == node.dtype:
        return "operands and result have several dtypes"
    return "a position is not int64" if any(p.dtype != INT64 for p in positions) else None


def _scatter_batch(node: Node, new: Batched, count: Dim) -> Node:
    x, y, *positions = node.args
    mode, checked = node.attr
    source = batched_or_spread(y, new, count)
    first = build.view(build.iota(count), source.shape, ((0, 1, 0),))
    rest = [
        p if not p.ndim and p not in new else batched_or_spread(p, new, count) for p in positions
    ]
    return build.scatter(
        batched_or_spread(x, new, count), source, [first, *rest], [False, *checked], mode
    )


def _box(positions: Sequence[Node]) -> tuple[build.Index, ...] | None:
    """The index map of a view of what lies at these positions; None where they are looked up."""
    found: list[build.Index] = []
    for p in positions:
        if p.op is ops.IOTA:
            found.append((0, 1, 0))
        elif p.op is ops.VIEW and p.args[0].op is ops.IOTA:
            found += p.attr[1]
        else:
            return None
    return tuple(found)


def _inside(
    whole: tuple[Dim, ...], part: tuple[Dim, ...], box: tuple[build.Index, ...] | None
) -> Node | None:
    """Where an element is one of a box; None for a box that is a small part of the whole."""
    if box is None or [e[1:] for e in box] != [(1, k) for k in range(len(part))]:
        return None
    margins = narrow(whole, part)
    if margins is None:
        return None
    inside = build.constant(True, np.bool_)
    for axis, (start, _, _) in enumerate(box):
        if margins[axis]:
            places = build.iota(whole[axis])
            ends = (dims.as_node(d) for d in (start, dims.add(start, part[axis])))
            names = ("greater_equal", "less")
            a, b = (build.elementwise(n, places, e) for n, e in zip(names, ends, strict=True))
            both = build.elementwise("logical_and", a, b)
            inside = build.elementwise(
                "logical_and", inside, build.view(both, whole, ((0, 1, axis),))
            )
    return inside


def _scatter_pull(node: Node, g: Node) -> Cotangents:
    _, y, *positions = node.args
    mode, checked = node.attr
    if mode not in ("set", "add"):
        raise NoDerivativeError(f"np.{mode}.at has no derivative")
    picks = tuple(("index", k) for k in range(len(positions)))
    shape = y.shape
    wide = [p if p.ndim else build.full(shape, p) for p in positions]
    box = _box(positions)
    taken = build.gather(g, shape, picks, *wide) if box is None else build.view(g, shape, box)
    kept = g
    if mode == "set" and (inside := _inside(node.shape, shape, box)) is not None:
        kept = build.where(inside, build.constant(0, g.dtype), g)
    elif mode == "set":
        kept = build.scatter(g, zeros(shape, g.dtype), positions, checked, "set")
    if mode == "set" and any(checked) and shape:  # the last of several at one place has stayed
        numbers = build.reshape(build.iota(dims.product(shape)), shape)
        marks = build.full(node.shape, build.constant(-1, np.int64))
        there = build.scatter(marks, numbers, positions, checked, "set")
        stayed = build.elementwise("equal", build.gather(there, shape, picks, *wide), numbers)
        taken = build.where(stayed, taken, build.constant(0, g.dtype))
    return (kept, taken)


def _nonzero(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return np.argwhere(args[0])


def _compress(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return args[1][args[0]]


def _place(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    mask, result, y = args[0], np.array(args[1]), args[2]
    where = np.argwhere(mask)
    y = np.resize(y, len(where)) if node.attr else y
    where = where[: len(y)]
    result[tuple(where.T)] = y[: len(where)]
    return result


def _assign_problem(node: Node) -> str | None:
    x, y = node.args
    if x.op is not ops.INPUT or not node.type == x.type == y.type:
        return "no array of its type takes the place of an input"
    return None


RULES = {
    ops.ASSIGN: Rule(evaluate=lambda node, args, values, env: args[1], problem=_assign_problem),
    ops.GATHER: Rule(
        evaluate=_gather, problem=_gather_problem, batch=_gather_batch, pull=_gather_pull
    ),
    ops.SCATTER: Rule(
        evaluate=_scatter, problem=_scatter_problem, batch=_scatter_batch, pull=_scatter_pull
    ),
    ops.NONZERO: Rule(evaluate=_nonzero, static=lambda names, node: ""),
    ops.COUNT: Rule(evaluate=lambda node, args, values, env: np.int64(np.count_nonzero(args[0]))),
    ops.POSITIONS: Rule(evaluate=lambda node, args, values, env: np.flatnonzero(args[0])),
    ops.COMPRESS: Rule(evaluate=_compress),
    ops.PLACE: Rule(evaluate=_place),
}
