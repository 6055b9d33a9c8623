"""Values whose derivative somebody gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from tracejit.errors import NotTraceable
from tracejit.ir import ops
from tracejit.ir.closing import Body, close, opened, placeholder
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, make
from tracejit.ir.rules.record import (
    Batched,
    Cotangents,
    Env,
    Pull,
    Rule,
    Values,
    batched_or_spread,
)

#: Rules of users, by the number that a "custom" node carries; they live as long as their trace.
custom_rules: WeakValueDictionary[int, CustomRule] = WeakValueDictionary()


#: Rules by name, of what is computed by several ops and has a derivative of its own.
NAMED: dict[str, Pull] = {}


class CustomRule:
    """A user's rule: from the cotangent of a result to those of the arguments."""

    def __init__(self, pull: Callable[[Node], Cotangents]) -> None:
        self.pull = pull


def with_rule(y: Node, operands: Sequence[Node], pull: Callable[[Node], Cotangents]) -> Node:
    """`y` with a rule that is closed: what it reads besides the cotangent are operands.

    So it may be a part of what is opened and closed again.
    """
    g = placeholder(y.type)
    found = pull(g)
    body = Body(tuple(h for h in found if isinstance(h, Node)))
    [closed], captures = close([body], [g])
    given = tuple(isinstance(h, Node) for h in found)
    nodes = (y, *operands, *captures)
    return make(ops.STRUCTURAL["custom"], nodes, (closed, given), y.type, y.origin)


def _first(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return args[0]


def _batch(node: Node, new: Batched, count: Dim) -> Node:
    if node.attr != ops.EXACT and node.attr not in NAMED:
        raise NotTraceable("a Jacobian through a rule of custom_gradient's is not compiled")
    operands = tuple(batched_or_spread(a, new, count) for a in node.args)
    return make(node.op, operands, node.attr, operands[0].type, node.origin)


def _pull(node: Node, g: Node) -> Cotangents:
    if node.attr == ops.EXACT:
        return (None, g)
    if isinstance(node.attr, str):
        return (None, *NAMED[node.attr](node, g))
    if isinstance(node.attr, tuple):
        closed, given = node.attr
        found = iter(opened(closed, [g, *node.args[1 + len(given) :]]).results)
        return (None, *(next(found) if is_given else None for is_given in given))
    return (None, *custom_rules[node.attr].pull(g))


RULES = {
    ops.STRUCTURAL["custom"]: Rule(
        evaluate=_first, static=lambda names, node: "", batch=_batch, pull=_pull
    )
}
