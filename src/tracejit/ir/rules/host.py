"""Calls of Python functions: their values. A derivative is that of a rule around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.rules.record import (
    Batched,
    Cotangents,
    Env,
    NoDerivativeError,
    Rule,
    Values,
    shape_of,
)
from tracejit.native import hostcalls


def _call(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    callee = node.attr
    operands = [np.array(a, dtype) for a, (dtype, _) in zip(args, callee.operands, strict=True)]
    results = callee.run(operands)
    if results is None:
        return np.full(node.shape, -1, np.int64)
    place = hostcalls.keep_next(results)
    return np.array([place, *(n for r in results for n in r.shape)], np.int64)


def _result(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    place = int(args[0][0])
    which, dtype, shape = node.attr
    expected = shape_of(shape, values)
    if place >= 0:
        result = hostcalls.kept(place, which)
        result = result if result.ndim else result.reshape(1)
        if result.shape == expected:
            return result
    return np.zeros(expected, dtype)  # which is not what is required


def _problem(node: Node) -> str | None:
    forms = tuple((a.dtype, a.ndim) for a in node.args)
    return None if forms == node.attr.operands else "operands are not those of the callee"


def _batch(node: Node, new: Batched, count: Dim) -> Node:
    raise NotTraceable("a function of Python's is not called for all rows at once")


def _pull(node: Node, g: Node) -> Cotangents:
    raise NoDerivativeError(
        f"{node.args[0].attr.name} is Python's, and has no derivative",
        "give it a rule with tracejit.custom_gradient",
    )


RULES = {
    ops.HOST: Rule(
        evaluate=_call, problem=_problem, static=lambda names, node: node.attr.name, batch=_batch
    ),
    ops.HOSTED: Rule(
        evaluate=_result,
        static=lambda names, node: f"({node.attr[0]})",
        batch=_batch,
        pull=_pull,
    ),
}
