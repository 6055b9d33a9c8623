"""Regions: the bodies of loops and branches, and checks, which graphs have too.

A region is closed: it reaches its parameters and constants, and nothing around it. What it takes
from there are operands of its node, so a node's operands are all that it depends on. A parameter
is an input whose token is the region's level, so equal bodies are one object wherever they stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from tracejit.ir import ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node, Origin, TupleType, make, postorder


@dataclass(frozen=True)
class Check:
    """A boolean scalar over dimensions and Python numbers that must be true, and why.

    Of the answers to a question of `few`, hardly one comes again: each number has its own.
    """

    condition: Node
    reason: str
    origin: Origin | None = field(default=None, compare=False)
    few: bool = False


class Region:
    """A closed graph: what its `results` are for values of its `params`, if all `checks` hold.

    `level` is 1, or one more than that of a region inside.
    """

    __slots__ = ("__weakref__", "checks", "level", "params", "results")

    params: tuple[Node, ...]
    results: tuple[Node, ...]
    checks: tuple[Check, ...]
    level: int

    def roots(self) -> list[Node]:
        """Every node that must be computed, what is checked first."""
        return [*(c.condition for c in self.checks), *self.results]

    def nodes(self) -> list[Node]:
        """Every node, operands first."""
        return postorder(self.roots())


_table: WeakValueDictionary[tuple[object, ...], Region] = WeakValueDictionary()


def region(params: Sequence[Node], results: Sequence[Node], checks: Sequence[Check] = ()) -> Region:
    """The region of these: a new one, or the one that exists already."""
    key = (tuple(params), tuple(results), tuple(checks))
    found = _table.get(key)
    if found is None:
        found = Region()
        found.params, found.results, found.checks = key
        found.level = level(found.nodes())
        _table[key] = found
    return found


def level(nodes: Iterable[Node]) -> int:
    """The level of a region of these nodes."""
    return 1 + max((r.level for node in nodes for r in regions_of(node)), default=0)


def token(level: int) -> int:
    """The token of parameters at a level: below those of traces."""
    return -1 - level


def parameter(position: int, type: ArrayType, level: int) -> Node:
    """A parameter of a region of this level; the shape is made of lengths of parameters."""
    return make(ops.INPUT, (), (parameter_name(position), type.shape, token(level)), type)


def parameter_name(position: int) -> str:
    """The name of a parameter, which its position tells."""
    return f"p{position}"


def regions_of(node: Node) -> tuple[Region, ...]:
    """The regions of `node`; of most there are none."""
    return node.attr[0] if node.op.regions else ()


def with_regions(node: Node, regions: Sequence[Region]) -> Node:
    """`node` with others in the place of its regions."""
    assert node.several is not None
    attr = (tuple(regions), *node.attr[1:])
    return make(node.op, node.args, attr, TupleType(node.several), node.origin)


def shapes(types: Iterable[ArrayType]) -> tuple[tuple[Dim, ...], ...]:
    """The shapes of several results, as attributes hold them."""
    return tuple(type.shape for type in types)
