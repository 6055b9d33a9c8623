"""Stacks of what the steps of loops leave, of which the last row alone is read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tracejit.ir import build, dims, ops
from tracejit.ir.node import Node, make, postorder
from tracejit.ir.region import regions_of
from tracejit.ir.rewrite import replaced


def last_rows(roots: Sequence[Node], opaque: Collection[Node] = ()) -> list[Node]:
    """`roots` over what loops carry, in the place of the last rows of stacks of just that.

    So a stack of which nothing else is read is not kept, and a gradient by it is one row. Nothing
    is changed in what is `opaque`, which derivatives are taken by, and in what it is made of.
    """
    table: dict[Node, Node] = {}
    for node in postorder(roots, opaque):
        if node.op is ops.VIEW and node not in opaque and node.args[0] not in opaque:
            last = _carried(node)
            if last is not None:
                table[node] = build.view(last, node.shape, node.attr[1][1:])
    if not table:
        return list(roots)
    return replaced(roots, {**table, **{node: node for node in opaque}})


def _carried(view: Node) -> Node | None:
    """What a loop carries that is the row of a stack which `view` is a view of."""
    [x], (_, index) = view.args, view.attr
    if x.op is not ops.ITEM or x.args[0].op is not ops.SCAN:
        return None
    [node], k, (start, _, axis) = x.args, x.attr, index[0]
    count = node.attr[1][0]
    if k < count or axis is not None:
        return None
    if dims.sub(start, dims.from_node(node.args[count])) != -1:
        return None
    results = regions_of(node)[0].results
    same = next((j for j in range(count) if results[j] is results[k]), None)
    if same is None:
        return None
    assert node.several is not None
    return make(ops.ITEM, (node,), same, node.several[same], node.origin)
