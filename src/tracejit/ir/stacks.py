"""Stacks of what the steps of loops leave, of which the last row alone is read."""

from __future__ import annotations

from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, make
from tracejit.ir.region import regions_of

#: An entry of a view's index map; see `build`.
Index = tuple[Dim, int, int | None]


def last_row(x: Node, index: tuple[Index, ...]) -> tuple[Node, tuple[Index, ...]] | None:
    """What a loop carries in the place of the last row of a stack, where it carries just that.

    So a stack of which nothing else is read is not kept. The index is what is left of that of `x`.
    """
    if x.op is not ops.ITEM or x.args[0].op is not ops.SCAN:
        return None
    [node], k, (start, _, axis) = x.args, x.attr, index[0] if index else (0, 0, 0)
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
    return make(ops.ITEM, (node,), same, node.several[same], node.origin), index[1:]
