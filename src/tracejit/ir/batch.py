"""Batching of the array IR: the same computation for many values of some inputs at once.

A batched node has one more axis, the first. What does not depend on a batched input is computed
once and spread where it meets one that does. So a Jacobian is one reverse walk, batched over the
rows of the identity, and loops over rows are loops of the program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracejit.errors import NotTraceable
from tracejit.ir import build, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node, make, postorder
from tracejit.ir.rules import RULES
from tracejit.ir.rules.record import Batch, Batched, batched_or_spread


def batched(outputs: Sequence[Node], inputs: Mapping[Node, Node], count: Dim) -> list[Node]:
    """`outputs` where each of `inputs` has `count` values: its batched node.

    Raises NotTraceable for an op whose result for one value is no array of the same shape.
    """
    new = dict(inputs)
    for node in postorder(outputs):
        if node not in new and any(a in new for a in node.args):
            if node.several is None:
                new[node] = _rule(node)(node, new, count)
            elif (rule := RULES[node.op].batches) is not None:
                new[node] = rule(node, new, count, batched)
            else:
                raise _refusal(node)
    return [batched_or_spread(node, new, count) for node in outputs]


def _rule(node: Node) -> Batch:
    if isinstance(node.op, ops.Elementwise):
        return _elementwise
    if isinstance(node.op, ops.Reduction):
        return _reduction
    rule = RULES[node.op].batch
    if rule is None:
        raise _refusal(node)
    return rule


def _refusal(node: Node) -> NotTraceable:
    return NotTraceable(f"a Jacobian through {node.op.name} is not compiled")


def _elementwise(node: Node, new: Batched, count: Dim) -> Node:
    shape = (count, *node.shape)
    operands = []
    for a in node.args:
        if node.ndim and not a.ndim and a in new:
            operands.append(build.view(new[a], shape, ((0, 1, 0),)))
        else:
            operands.append(batched_or_spread(a, new, count) if a.ndim or a in new else a)
    return make(node.op, tuple(operands), node.attr, ArrayType(node.dtype, shape), node.origin)


def _reduction(node: Node, new: Batched, count: Dim) -> Node:
    return build.reduce(node.op.name, new[node.args[0]], tuple(k + 1 for k in node.attr))
