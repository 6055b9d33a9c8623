"""A graph: inputs, outputs and the checks that must hold before any work is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tracejit.ir import dims, ops
from tracejit.ir.node import ArrayType, Node, Origin, make, map_nodes, postorder
from tracejit.ir.printer import to_text


@dataclass(frozen=True)
class Check:
    """A boolean scalar over dimensions and Python numbers that must be true, and why.

    Of the answers to a question of `few`, hardly one comes again: each number has its own.
    """

    condition: Node
    reason: str
    origin: Origin | None = None
    few: bool = False


@dataclass(frozen=True)
class Graph:
    """Pure program: `inputs` (input nodes, in call order), `outputs`, entry `checks`."""

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    checks: tuple[Check, ...] = ()

    def __str__(self) -> str:
        return to_text(self)

    def roots(self) -> list[Node]:
        """Every node that must be computed."""
        return [*(c.condition for c in self.checks), *self.outputs]

    def nodes(self) -> list[Node]:
        """Every node, operands first."""
        return postorder(self.roots())


def rebuild(graph: Graph, rule: Callable[[Node, Node], Node]) -> Graph:
    """`graph` with each node replaced by ``rule(node, before)``, operands first.

    ``rule`` gets the node with its operands already replaced, and as it was before.
    """
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        new[node] = rule(with_operands(node, new), node)
    return Graph(
        tuple(new.get(i, i) for i in graph.inputs),
        tuple(new[o] for o in graph.outputs),
        tuple(replace(c, condition=new[c.condition]) for c in graph.checks),
    )


def with_operands(node: Node, new: Mapping[Node, Node]) -> Node:
    """`node` over the replacements of its operands and dimensions."""
    args = tuple(new.get(a, a) for a in node.args)
    attr, type = node.attr, node.type
    if node.dims:
        attr = map_nodes(attr, lambda d: dims.from_node(new.get(d, d)))
    shape = tuple(dims.from_node(new.get(d, d)) if isinstance(d, Node) else d for d in type.shape)
    if shape != type.shape:
        type = ArrayType(type.dtype, shape, type.weak)
    if args == node.args and attr is node.attr and type is node.type:
        return node
    if node.op is ops.POLY:
        total: dims.Dim = 0
        for monomial, factor in node.attr:
            term = dims.product([factor, *(dims.from_node(args[i]) for i in monomial)])
            total = dims.add(total, term)
        return dims.as_node(total)
    return make(node.op, args, attr, type, node.origin)


def substitute(graph: Graph, table: Mapping[Node, dims.Dim]) -> Graph:
    """`graph` with the dimension nodes in `table` replaced everywhere but in the checks.

    Needs: each entry is guaranteed equal by a check. Guarantees: no key of `table` is left.
    """
    if not table:
        return graph
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        target = table.get(node)
        new[node] = dims.as_node(target) if target is not None else with_operands(node, new)
    inputs = tuple(new.get(i) or with_operands(i, new) for i in graph.inputs)
    return Graph(inputs, tuple(new[o] for o in graph.outputs), graph.checks)
