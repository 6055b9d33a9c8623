"""Calls of generalised ufuncs: their values and batches; derivatives are in files of their own."""

from __future__ import annotations

from typing import Any

from tracejit.ir import build, gufuncs, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.rules import fourier, linear
from tracejit.ir.rules.record import (
    Batched,
    Cotangents,
    Env,
    NoDerivativeError,
    Rule,
    Values,
    batched_or_spread,
    shape_of,
)

_PULLS = {**linear.PULLS, **fourier.PULLS}


def _evaluate(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    _, types, which, shapes = node.attr
    results = gufuncs.row_of(node).run(args, types, [shape_of(s, values) for s in shapes])
    return results[which] if which < len(results) else True


def _problem(node: Node) -> str | None:
    row, (_, types, which, shapes) = gufuncs.row_of(node), node.attr
    inputs, outputs = row.cores
    if len(node.args) != len(inputs) or any(
        a.ndim < len(core) for a, core in zip(node.args, inputs, strict=True)
    ):
        return "operands do not have the row's axes"
    if "".join(a.dtype.char for a in node.args) != types.partition("->")[0]:
        return f"operands have other dtypes than {types}"
    if which < len(outputs):
        return None if node.shape == shapes[which] else "shape is not the result's"
    return "" if node.ndim else None


def _text(names: Any, node: Node) -> str:
    name, _, which, shapes = node.attr
    return f"({name}, {which if which < len(shapes) else 'worked'})"


def _batch(node: Node, new: Batched, count: Dim) -> Node:
    """A call for the larger stack: what is one matrix for all stays one."""
    name, types, which, shapes = node.attr
    row = gufuncs.row_of(node)
    inputs, outputs = row.cores
    stacked = any(a.ndim > len(core) for a, core in zip(node.args, inputs, strict=True))
    operands = []
    for a, core in zip(node.args, inputs, strict=True):
        if a.ndim > len(core):
            a = batched_or_spread(a, new, count)
        elif a in new:
            a = new[a]
            if stacked:  # between the new axis and its own come those of the stack
                rank = next(b.ndim - len(c) for b, c in zip(node.args, inputs, strict=True)
                            if b.ndim > len(c))
                a = build.expand_dims(a, range(1, 1 + rank))
                stack = next(b.shape[: b.ndim - len(c)]
                             for b, c in zip(node.args, inputs, strict=True) if b.ndim > len(c))
                a = build.broadcast_to(a, (count, *stack, *a.shape[1 + rank :]))
        operands.append(a)
    larger = tuple(
        (count, *(s if stacked or core else ())) for s, core in zip(shapes, outputs, strict=True)
    )
    result = gufuncs.result(name, types, which, larger, tuple(operands))
    if not stacked and not outputs[which]:
        return build.expand_dims(result, (1,))
    return result


def _pull(node: Node, g: Node) -> Cotangents:
    name = node.attr[0]
    rule = _PULLS.get(name)
    if rule is None:
        raise NoDerivativeError(
            f"numpy's {name} has no derivative", "take it out of what is differentiated"
        )
    return rule(node, g)


RULES = {
    ops.GUFUNC: Rule(
        evaluate=_evaluate, problem=_problem, static=_text, batch=_batch, pull=_pull
    ),
}
