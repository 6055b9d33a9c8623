"""Values whose derivative somebody gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from tracejit.errors import NotTraceable
from tracejit.ir import ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, make
from tracejit.ir.rules.record import (
    Batched,
    Cotangents,
    Env,
    Rule,
    Values,
    batched_or_spread,
)

#: Rules of users, by the number that a "custom" node carries; they live as long as their trace.
custom_rules: WeakValueDictionary[int, CustomRule] = WeakValueDictionary()


class CustomRule:
    """A user's rule: from the cotangent of a result to those of the arguments."""

    def __init__(self, pull: Callable[[Node], Cotangents]) -> None:
        self.pull = pull


def _first(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return args[0]


def _batch(node: Node, new: Batched, count: Dim) -> Node:
    if node.attr != ops.EXACT:
        raise NotTraceable("a Jacobian through a rule of custom_gradient's is not compiled")
    operands = tuple(batched_or_spread(a, new, count) for a in node.args)
    return make(node.op, operands, node.attr, operands[0].type, node.origin)


def _pull(node: Node, g: Node) -> Cotangents:
    if node.attr == ops.EXACT:
        return (None, g)
    return (None, *custom_rules[node.attr].pull(g))


RULES = {ops.STRUCTURAL["custom"]: Rule(evaluate=_first, batch=_batch, pull=_pull)}
