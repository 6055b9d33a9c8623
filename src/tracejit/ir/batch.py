"""Batching of the array IR: the same computation for many values of some inputs at once.

A batched node has one more axis, the first. What does not depend on a batched input is computed
once and spread where it meets one that does. So a Jacobian is one reverse walk, batched over the
rows of the identity, and loops over rows are loops of the program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node, make, postorder

#: Makes a batched node from the node, its operands (those in the mapping batched) and the count.
Rule = Callable[[Node, Mapping[Node, Node], Dim], Node]


def batched(outputs: Sequence[Node], inputs: Mapping[Node, Node], count: Dim) -> list[Node]:
    """`outputs` where each of `inputs` has `count` values: its batched node.

    Raises NotTraceable for an op whose result for one value is no array of the same shape.
    """
    new = dict(inputs)
    for node in postorder(outputs):
        if node not in new and any(a in new for a in node.args):
            new[node] = _rule(node)(node, new, count)
    return [_with(node, new, count) for node in outputs]


def _rule(node: Node) -> Rule:
    if isinstance(node.op, ops.Elementwise):
        return _elementwise
    if isinstance(node.op, ops.Reduction):
        return _reduction
    rule = _RULES.get(node.op.name)
    if rule is None:
        raise NotTraceable(f"a Jacobian through {node.op.name} is not compiled")
    return rule


def _with(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    """`node` batched, spread over the new axis where it is the same for all."""
    if node in new:
        return new[node]
    index = tuple((0, 1, k + 1) for k in range(node.ndim))
    return build.view(node, (count, *node.shape), index)


def _elementwise(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    shape = (count, *node.shape)
    operands = []
    for a in node.args:
        if node.ndim and not a.ndim and a in new:
            operands.append(build.view(new[a], shape, ((0, 1, 0),)))
        else:
            operands.append(_with(a, new, count) if a.ndim or a in new else a)
    return make(node.op, tuple(operands), node.attr, ArrayType(node.dtype, shape), node.origin)


def _reduction(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    return build.reduce(node.op.name, new[node.args[0]], tuple(k + 1 for k in node.attr))


def _view(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    moved = ((start, step, k if k is None else k + 1) for start, step, k in node.attr[1])
    return build.view(new[node.args[0]], (count, *node.shape), ((0, 1, 0), *moved))


def _reshape(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    return build.reshape(new[node.args[0]], (count, *node.shape))


def _gather(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    x, *indices = node.args
    picks = [(kind, k if kind == "index" else k + 1) for kind, k in node.attr[1]]
    source = x
    if x in new:
        source, picks = new[x], [("axis", 0), *picks]
    wide = [_with(i, new, count) for i in indices]
    return build.gather(source, (count, *node.shape), tuple(picks), *wide)


def _scatter(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    x, y, *positions = node.args
    mode, checked = node.attr
    source = _with(y, new, count)
    first = build.view(build.iota(count), source.shape, ((0, 1, 0),))
    rest = [p if not p.ndim and p not in new else _with(p, new, count) for p in positions]
    return build.scatter(_with(x, new, count), source, [first, *rest], [False, *checked], mode)


def _concatenate(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    return build.concatenate([_with(a, new, count) for a in node.args], node.attr[0] + 1)


def _scan(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    name, axis = node.attr
    return build.scan(name, new[node.args[0]], axis + 1)


def _sort(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    return build.sort(new[node.args[0]], node.ndim, node.attr, node.op is ops.ARGSORT)


def _middle(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    return build.middle(new[node.args[0]], node.attr)


def _custom(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    if node.attr != ops.EXACT:
        raise NotTraceable("a Jacobian through a rule of custom_gradient's is not compiled")
    operands = tuple(_with(a, new, count) for a in node.args)
    return make(node.op, operands, node.attr, operands[0].type, node.origin)


def _matmul(node: Node, new: Mapping[Node, Node], count: Dim) -> Node:
    a, b = node.args
    if node.ndim == 2 and b not in new:
        return _rows_times(new[a], b)
    if node.ndim == 2 and a not in new:
        turned = _rows_times(build.transpose(new[b], (0, 2, 1)), build.transpose(a, (1, 0)))
        return build.transpose(turned, (0, 2, 1))
    return build.matmul(_with(a, new, count), _with(b, new, count))


def _rows_times(a: Node, b: Node) -> Node:
    """A stack of matrices times one matrix: one product of all their rows."""
    count, rows, inner = a.shape
    product = build.matmul(build.reshape(a, (dims.mul(count, rows), inner)), b)
    return build.reshape(product, (count, rows, b.shape[1]))


_RULES: dict[str, Rule] = {
    "view": _view,
    "reshape": _reshape,
    "gather": _gather,
    "scatter": _scatter,
    "concatenate": _concatenate,
    "scan": _scan,
    "sort": _sort,
    "argsort": _sort,
    "middle": _middle,
    "custom": _custom,
    "matmul": _matmul,
}
