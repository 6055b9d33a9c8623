"""Convolutions of numbers that no vectors are for: by products of matrices."""

from __future__ import annotations

from collections.abc import Mapping

from tracejit.ir import convolutions, ops
from tracejit.ir.graph import Graph, rebuild
from tracejit.ir.node import Node


def convolutions_of_others(graph: Graph, layouts: Mapping[str, str]) -> Graph:
    """`graph` with a product of matrices for each convolution of others than float32 and float64.

    Guarantees: the same values.
    """
    if not any(map(_is_other, graph.nodes())):
        return graph

    def replaced(node: Node, _: object) -> Node:
        return convolutions.through_products(node) if _is_other(node) else node

    return rebuild(graph, replaced)


def _is_other(node: Node) -> bool:
    return node.op is ops.CONVOLUTION and node.dtype.char not in "fd"
