"""A graph: inputs, outputs and the checks that must hold before any work is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tracejit.ir import dims
from tracejit.ir.node import Node, postorder
from tracejit.ir.printer import to_text
from tracejit.ir.region import Check, Region, region, regions_of, with_regions
from tracejit.ir.rewrite import with_operands


@dataclass(frozen=True)
class Graph:
    """Pure program: `inputs` (input nodes, in call order), `outputs`, entry `checks`.

    Of numbers among the inputs it may be known between which `ranges` they are.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    checks: tuple[Check, ...] = ()
    ranges: Mapping[Node, tuple[dims.Dim, dims.Dim]] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return to_text(self)

    def roots(self) -> list[Node]:
        """Every node that must be computed."""
        return [*(c.condition for c in self.checks), *self.outputs]

    def nodes(self) -> list[Node]:
        """Every node, operands first."""
        return postorder(self.roots())


def body(region: Region) -> Graph:
    """A region as a graph, whose inputs are the parameters."""
    return Graph(region.params, region.results, region.checks)


def rebuild(graph: Graph, rule: Callable[[Node, Node], Node]) -> Graph:
    """`graph` with each node replaced by ``rule(node, before)``, operands first.

    ``rule`` gets the node with its operands, and what is in its regions, already replaced, and as
    it was before.
    """
    return _rebuilt(graph, rule, {})


def _rebuilt(graph: Graph, rule: Callable[[Node, Node], Node], done: dict[Region, Region]) -> Graph:
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        changed = with_operands(node, new)
        if node.op.regions:
            for each in regions_of(node):
                if each not in done:
                    inner = _rebuilt(body(each), rule, done)
                    done[each] = region(inner.inputs, inner.outputs, inner.checks)
            changed = with_regions(changed, [done[each] for each in regions_of(node)])
        new[node] = rule(changed, node)
    return replace(
        graph,
        inputs=tuple(new.get(i, i) for i in graph.inputs),
        outputs=tuple(new[o] for o in graph.outputs),
        checks=tuple(replace(c, condition=new[c.condition]) for c in graph.checks),
    )


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
