"""Convolutions: their derivatives are convolutions again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir import convolutions as c
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.rules.record import (
    Batched,
    Cotangents,
    Env,
    Rule,
    Values,
    batched_or_spread,
    several_dtypes,
    shape_of,
)


def convolved(
    x: Any, w: Any, places: Sequence[int], steps: Sequence[int], spreads: Sequence[int]
) -> Any:
    """The value, of arrays."""
    groups, batch, count = x.shape[0], x.shape[1], w.shape[1]
    if 0 in (*x.shape, *w.shape, *places):
        return np.zeros((groups, batch, count, *places), x.dtype)
    reach = [(n - 1) * s + 1 for n, s in zip(w.shape[3:], spreads, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, c.AXES)
    firsts = tuple(slice(None, (n - 1) * s + 1, s) for n, s in zip(places, steps, strict=True))
    inside = tuple(slice(None, None, s) for s in spreads)
    windows = windows[(slice(None),) * 3 + firsts + inside]
    rows = np.moveaxis(windows, 2, 5).reshape(groups, batch * math.prod(places), -1)
    found = np.matmul(rows, w.reshape(groups, count, -1).swapaxes(1, 2))
    return np.moveaxis(found.reshape(groups, batch, *places, count), 5, 2)


def _evaluate(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    (x, w), (shape, steps, spreads, _) = args, node.attr
    return np.ascontiguousarray(convolved(x, w, shape_of(shape, values)[3:], steps, spreads))


def _problem(node: Node) -> str | None:
    if any(a.ndim != 6 for a in node.args):
        return "operands have not six axes"
    if node.attr[3] not in ("places", "filter"):
        return f"vectors go along no {node.attr[3]!r}"
    return several_dtypes(node)


def _lengths(node: Node) -> str | None:
    x, w = node.args
    same = (x.shape[0], x.shape[2]) == (w.shape[0], w.shape[2])
    return None if same else "groups or channels differ"


def _batch(node: Node, new: Batched, count: Dim) -> Node:
    """More groups."""
    x, w = (batched_or_spread(a, new, count) for a in node.args)
    groups = dims.mul(count, x.shape[1])
    x, w = (build.reshape(a, (groups, *a.shape[2:])) for a in (x, w))
    shape, steps, spreads, by = node.attr
    found = c.convolve(x, w, shape[3:], steps, spreads, by)
    return build.reshape(found, (count, *shape))


def _flipped(w: Node) -> Node:
    return build.flip(w, c.AXES)


def _around(g: Node, x: Node, w: Node, steps: Sequence[int], spreads: Sequence[int]) -> Node:
    """`g` where its windows of `x` begin, with as many zeros before as the others of `w` reach."""
    margins = [dims.mul(dims.sub(d, 1), s) for d, s in zip(w.shape[3:], spreads, strict=True)]
    lengths = [dims.add(d, m) for d, m in zip(x.shape[3:], margins, strict=True)]
    return c.spaced(g, lengths, margins, steps)


def _pull(node: Node, g: Node) -> Cotangents:
    x, w = node.args
    _, steps, spreads, by = node.attr
    ones = (1, 1, 1)
    if by == "places":
        wide = _around(g, x, w, steps, spreads)
        of_x = c.convolve(wide, c.swapped(_flipped(w)), x.shape[3:], ones, spreads)
        turned = c.convolve(c.swapped(x), c.swapped(g), w.shape[3:], spreads, steps, "filter")
        return of_x, c.swapped(turned)
    # The filters are large: they are gone over by the cotangent, as if that were one.
    wide = _around(c.swapped(w), x, g, spreads, steps)
    of_x = c.convolve(wide, _flipped(g), x.shape[3:], ones, steps)
    of_w = c.convolve(c.swapped(x), c.swapped(g), w.shape[3:], spreads, steps)
    return c.swapped(of_x), c.swapped(of_w)


RULES = {
    ops.CONVOLUTION: Rule(
        evaluate=_evaluate, problem=_problem, lengths=_lengths, batch=_batch, pull=_pull
    ),
}
