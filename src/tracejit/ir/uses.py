"""Which of several results are read, through branches and loops."""

from __future__ import annotations

from collections.abc import Iterable

from tracejit.ir import ops
from tracejit.ir.node import Node, postorder
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rules import roles

#: By node, the positions of the results that are read.
Uses = dict[Node, set[int]]


def uses(roots: Iterable[Node]) -> Uses:
    """The results that `roots` need of each node with several, in all regions."""
    walk = _Walk()
    walk.live(roots)
    return walk.found


class _Walk:
    """From results back to what they need, who reads before what is read."""

    def __init__(self) -> None:
        self.found: Uses = {}
        self.done: dict[tuple[Region, frozenset[int]], set[int]] = {}

    def live(self, roots: Iterable[Node]) -> set[Node]:
        """What `roots` need."""
        roots = list(roots)
        needed = set(roots)
        for node in reversed(postorder(roots)):
            if node not in needed:
                continue
            if node.op is ops.ITEM:
                self.found.setdefault(node.args[0], set()).add(node.attr)
            needed.update(node.dims)
            needed.update(self.operands(node) if node.op.regions else node.args)
        return needed

    def operands(self, node: Node) -> list[Node]:
        """The operands that the results read of a branch or loop need."""
        regions, parts = regions_of(node), roles(node)
        asked, count = set(self.found.get(node, ())), len(parts.carried)
        inside: set[int] = set()
        for region in regions[: parts.tests]:
            inside |= self.given(region, set(range(len(region.results))))
        while True:
            for region in regions[parts.tests :]:
                inside |= self.given(region, asked)
            more = {k for k in inside if k < count} - asked
            if not more:
                break
            asked |= more
        first = len(node.args) - len(parts.given)
        carried = (parts.carried[k] for k in asked if k < count)
        return [*carried, *parts.control, *(node.args[first + k] for k in inside if k >= count)]

    def given(self, region: Region, read: set[int]) -> set[int]:
        """The positions of the parameters that these results need."""
        key = region, frozenset(read)
        if key not in self.done:
            checked = (c.condition for c in region.checks)
            needed = self.live([*checked, *(region.results[k] for k in read)])
            self.done[key] = {k for k, param in enumerate(region.params) if param in needed}
        return self.done[key]
