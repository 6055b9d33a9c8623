"""Calls of several results as a schedule sees them.

In a graph each result of a generalised ufunc is a node over the operands. Here the first one is the
call, and the others, and whether it worked, are what the call leaves.
"""

from __future__ import annotations

from tracejit.ir import ops
from tracejit.ir.graph import Graph, rebuild
from tracejit.ir.gufuncs import sibling
from tracejit.ir.node import Node, make

#: Another result of a call, which is its operand; attr: which, and its shape.
RESULT = ops.Op(name="result", dims_in_attr=True)


def taken_apart(graph: Graph) -> Graph:
    """`graph` with one call for all results of a generalised ufunc."""
    if not any(node.op is ops.GUFUNC for node in graph.nodes()):
        return graph
    return rebuild(graph, lambda node, _: _left(node) if _is_later(node) else node)


def _is_later(node: Node) -> bool:
    return node.op is ops.GUFUNC and node.attr[2] > 0


def _left(node: Node) -> Node:
    which = node.attr[2]
    return make(RESULT, (sibling(node, 0),), (which, node.shape), node.type, node.origin)


def results(call: Node) -> list[Node]:
    """All results of a call, itself the first, and at last whether it worked."""
    return [call, *(_left(sibling(call, k)) for k in range(1, len(call.attr[3]) + 1))]


def arrays_left(call: Node) -> tuple[Node, ...]:
    """The results that have memory, whoever reads them, itself excepted."""
    return tuple(results(call)[1:-1])


def original(node: Node) -> Node:
    """A result as a graph has it: over the operands of the call that is its own."""
    return sibling(node.args[0], node.attr[0])
