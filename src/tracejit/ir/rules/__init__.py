"""One record a structural op: its value, its faults, its text, its batch and its derivative."""

from __future__ import annotations

from tracejit.ir.node import Node
from tracejit.ir.ops import Op
from tracejit.ir.rules import (
    accumulate,
    control,
    convolution,
    custom,
    gufuncs,
    host,
    indexing,
    leaves,
    products,
    random,
    sequences,
    sorting,
    views,
)
from tracejit.ir.rules.record import Roles, Rule

#: The record of each structural op.
RULES: dict[Op, Rule] = {
    **leaves.RULES,
    **views.RULES,
    **indexing.RULES,
    **accumulate.RULES,
    **sorting.RULES,
    **sequences.RULES,
    **products.RULES,
    **convolution.RULES,
    **gufuncs.RULES,
    **host.RULES,
    **random.RULES,
    **custom.RULES,
    **control.RULES,
}


def roles(node: Node) -> Roles:
    """What the operands of a branch or loop are for."""
    of = RULES[node.op].roles
    assert of is not None
    return of(node)
