"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.ir import build, dims, ops
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
)


def _matmul(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return np.matmul(*args)


def _problem(node: Node) -> str | None:
    a, b = node.args
    if a.ndim < 2 or a.ndim != b.ndim:
        return "operands are no stacks of matrices of one rank"
    return several_dtypes(node)


def _lengths(node: Node) -> str | None:
    a, b = node.args
    return None if a.shape[-1] == b.shape[-2] else "inner lengths differ"


def _batch(node: Node, new: Batched, count: Dim) -> Node:
    a, b = node.args
    if node.ndim == 2 and b not in new:
        return _rows_times(new[a], b)
    if node.ndim == 2 and a not in new:
        turned = _rows_times(build.transpose(new[b], (0, 2, 1)), build.transpose(a, (1, 0)))
        return build.transpose(turned, (0, 2, 1))
    return build.matmul(batched_or_spread(a, new, count), batched_or_spread(b, new, count))


def _rows_times(a: Node, b: Node) -> Node:
    """A stack of matrices times one matrix: one product of all their rows."""
    count, rows, inner = a.shape
    product = build.matmul(build.reshape(a, (dims.mul(count, rows), inner)), b)
    return build.reshape(product, (count, rows, b.shape[1]))


def _transposed(x: Node) -> Node:
    order = [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2]
    return build.transpose(x, order)


def _pull(node: Node, g: Node) -> Cotangents:
    a, b = node.args
    return build.matmul(g, _transposed(b)), build.matmul(_transposed(a), g)


RULES = {
    ops.MATMUL: Rule(
        evaluate=_matmul, problem=_problem, lengths=_lengths, batch=_batch, pull=_pull
    ),
}
