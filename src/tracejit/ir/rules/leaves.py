"""Inputs, constants and lengths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tracejit.ir import build, ops
from tracejit.ir.node import Node
from tracejit.ir.rules.record import (
    Env,
    Rule,
    Values,
    length_of,
)
from tracejit.ir.types import INT64


def _input(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return env[node.attr[0]]


def _const(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return np.frombuffer(node.attr, node.dtype)[0]


def _dim(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    name, axis, _ = node.attr
    return env[name].shape[axis]


def _poly(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return sum(factor * math.prod(int(args[i]) for i in monomial) for monomial, factor in node.attr)


def _iota(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    length = length_of(node.attr, values)
    if length < 0:
        raise ValueError("negative dimensions are not allowed")
    return np.arange(length, dtype=INT64)


def _constant_text(names: Any, node: Node) -> str:
    value = build.constant_value(node)
    return repr(value.item()) if node.type.weak else repr(value).removeprefix("np.")


def _poly_text(names: Any, node: Node) -> str:
    terms = []
    for monomial, factor in node.attr:
        parts = [names.of(node.args[i]) for i in monomial]
        if factor != 1 or not parts:
            parts.insert(0, str(factor))
        terms.append("*".join(parts))
    return "(" + "+".join(terms).replace("+-", "-") + ")"


def _iota_problem(node: Node) -> str | None:
    return None if node.shape == (node.attr,) else "shape is not its length"


RULES = {
    ops.INPUT: Rule(evaluate=_input, inline=lambda names, node: str(node.attr[0])),
    ops.CONST: Rule(evaluate=_const, inline=_constant_text),
    ops.DIM: Rule(evaluate=_dim, inline=lambda names, node: f"{node.attr[0]}.{node.attr[1]}"),
    ops.POLY: Rule(evaluate=_poly, inline=_poly_text),
    ops.IOTA: Rule(evaluate=_iota, problem=_iota_problem, static=lambda names, node: ""),
}
