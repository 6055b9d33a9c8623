"""Draws of generators that have a state."""

from __future__ import annotations

from typing import Any

from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.ir.rules.record import (
    Env,
    Rule,
    Values,
    shape_of,
)


def _drawn(node: Node, args: list[Any], values: Values) -> Any:
    from tracejit.rng import words

    name, shape = node.attr
    return words.draw(name, args[0], shape_of(shape, values), *args[1:])


def _draw(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return _drawn(node, args, values)[0]


def _advance(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    [draw] = node.args
    return _drawn(draw, [values[a] for a in draw.args], values)[1]


RULES = {ops.DRAW: Rule(evaluate=_draw), ops.ADVANCE: Rule(evaluate=_advance)}
