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
    cores = list(zip(node.args, inputs, strict=True))
    stack = next((a.shape[: a.ndim - len(c)] for a, c in cores if a.ndim > len(c)), ())
    operands = []
    for k, (a, core) in enumerate(cores):
        if a.ndim > len(core) or k == row.written:
            a = batched_or_spread(a, new, count)
        elif a in new:  # between the new axis and its own come those of the stack
            wide = build.expand_dims(new[a], range(1, 1 + len(stack)))
            a = build.broadcast_to(wide, (count, *stack, *a.shape))
        operands.append(a)
    larger = tuple(
        (count, *(s if stack or core else ())) for s, core in zip(shapes, outputs, strict=True)
    )
    result = gufuncs.result(name, types, which, larger, tuple(operands))
    return result if stack or outputs[which] else build.expand_dims(result, (1,))


def _pull(node: Node, g: Node) -> Cotangents:
    """By the rule of the row; what all matrices of a stack share gets the sum."""
    name = node.attr[0]
    inputs, outputs = gufuncs.row_of(node).cores
    if name not in _PULLS:
        raise NoDerivativeError(
            f"the result of NumPy's {name} has no derivative",
            "take it out of what is differentiated",
        )
    y = node
    if not outputs[node.attr[2]] and all(
        a.ndim == len(core) for a, core in zip(node.args, inputs, strict=True)
    ):  # a number, in an array
        y, g = (build.view(x, (), ((0, 0, None),)) for x in (node, g))
    found = _PULLS[name](node, y, g)
    return [
        h
        if not isinstance(h, Node) or h.ndim == a.ndim
        else build.reduce("sum", h, tuple(range(h.ndim - a.ndim)))
        for h, a in zip(found, node.args, strict=False)
    ]


RULES = {
    ops.GUFUNC: Rule(evaluate=_evaluate, problem=_problem, static=_text, batch=_batch, pull=_pull),
}
