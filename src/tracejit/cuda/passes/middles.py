"""What there are no kernels for: middle elements by sorting, correlations, convolutions as sums."""

from __future__ import annotations

from collections.abc import Mapping

from tracejit.ir import build, convolutions, dims, ops, sequences
from tracejit.ir.graph import Graph, rebuild
from tracejit.ir.node import Node
from tracejit.ir.types import INT64


def by_other_ops(graph: Graph, layouts: Mapping[str, str]) -> Graph:
    """`graph` with a sort, and a look into it, for each pair of middle elements; sums of products.

    Guarantees: the same values.
    """
    if not any(n.op in _OTHERS for n in graph.nodes()):
        return graph
    return rebuild(graph, lambda node, _: _OTHERS[node.op](node) if node.op in _OTHERS else node)


def _sorted(node: Node) -> Node:
    """Where NaN counts, and there is one, the last element: in order, NaN comes last."""
    (x, *places), numbers = node.args, node.attr
    last = x.ndim - 1
    shape = x.shape[:-1]
    ordered = build.sort(x, last)
    length = build.cast(dims.as_node(x.shape[-1]), INT64)
    count = length
    missing: Node | None = None
    if x.dtype.kind in "fc":
        missing = build.reduce("sum", build.cast(build.elementwise("isnan", x), INT64), (last,))
        if numbers:
            count = build.elementwise("subtract", length, missing)
    picks = (*(("axis", k) for k in range(last)), ("index", 0))
    found = []
    for k, less in enumerate((1, 0)):
        if places:
            at = build.broadcast_to(places[k], shape)
        else:
            at = build.elementwise("subtract", count, build.constant(less, INT64))
            at = build.elementwise("maximum", at, build.constant(0, INT64))
            at = build.elementwise("floor_divide", at, build.constant(2, INT64))
        if missing is not None and not numbers:
            end = build.elementwise("subtract", length, build.constant(1, INT64))
            none = build.elementwise("equal", missing, build.constant(0, INT64))
            at = build.where(none, at, end)
        one = build.gather(ordered, shape, picks, at)
        view = tuple((0, 1, k) for k in range(last))
        found.append(build.view(one, (*shape, 1), view))
    return build.concatenate(found, last)


_OTHERS = {
    ops.MIDDLE: _sorted,
    ops.CORRELATE: sequences.summed,
    ops.CONVOLUTION: convolutions.through_products,
}
