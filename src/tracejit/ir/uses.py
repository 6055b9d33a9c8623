"""Which of several results are read, through branches and loops."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tracejit.ir import ops
from tracejit.ir.node import Node, postorder
from tracejit.ir.region import Region, regions_of
from tracejit.ir.roles import roles

#: By node, the positions of the results that are read.
Uses = dict[Node, set[int]]


def uses(roots: Iterable[Node]) -> Uses:
    """The results that `roots` need of each node with several, in all regions."""
    found: Uses = {}
    _walk(roots, found, set())
    return found


def _walk(roots: Iterable[Node], found: Uses, done: set[tuple[Region, frozenset[int]]]) -> None:
    for node in reversed(postorder(roots)):  # who reads comes first
        if node.op is ops.ITEM:
            found.setdefault(node.args[0], set()).add(node.attr)
        for region, read in _inside(node, found.get(node, set())) if node.op.regions else ():
            if (region, read) not in done:
                done.add((region, read))
                checked = (c.condition for c in region.checks)
                _walk([*checked, *(region.results[k] for k in read)], found, done)


def _inside(node: Node, read: set[int]) -> list[tuple[Region, frozenset[int]]]:
    """The regions of `node`, each with the results that it must give where `read` are read."""
    regions = regions_of(node)
    if node.op is ops.COND:
        return [(region, frozenset(read)) for region in regions]
    step, count = regions[-1], len(roles(node).carried)
    asked = set(read)
    if node.op is ops.WHILE:
        reached = set(regions[0].nodes())
        asked |= {k for k, p in enumerate(regions[0].params[:count]) if p in reached}
    checked = [c.condition for c in step.checks]
    found = [(step, frozenset(needed(step.results, step.params[:count], asked, checked)))]
    return [(regions[0], frozenset({0})), *found] if node.op is ops.WHILE else found


def needed(
    results: Sequence[Node], params: Sequence[Node], read: Collection[int], always: Sequence[Node]
) -> set[int]:
    """The results of a step without which those that are `read` cannot be had.

    The first are carried to the next step, by `params`; `always` is computed whatever is read.
    """
    asked = set(read)
    reached: set[Node] = set()
    new = [*always, *(results[k] for k in asked)]
    while new:
        reached.update(postorder(new, reached))
        more = {k for k, param in enumerate(params) if param in reached} - asked
        asked |= more
        new = [results[k] for k in more]
    return asked
