"""The one node of the array IR: a value *is* its operation.

Nodes are immutable and hash-consed in a weak table, so that common subexpressions are one
object, dead code is what outputs do not reach, and comparing is ``is``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from tracejit.ir.ops import Op


class Origin(NamedTuple):
    """Where in the user's code a node was made. No part of a node's identity."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class ArrayType:
    """Type of a value: `dtype`, `shape` (ints and dimension nodes), `weak` (a Python scalar)."""

    dtype: np.dtype[Any]
    shape: tuple[int | Node, ...] = ()
    weak: bool = False

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)


@dataclass(frozen=True, slots=True)
class TupleType:
    """Type of several values at once, which op ``item`` takes one by one."""

    items: tuple[ArrayType, ...]


class Node:
    """`op` applied to `args` (nodes) with static data `attr`; its value has type `type`.

    `dims` are the dimension nodes inside `attr`: dependencies that are not array operands. A node
    with several results has their types in `several`, and no `type`.
    """

    __slots__ = ("__weakref__", "args", "attr", "dims", "op", "origin", "serial", "several", "type")

    op: Op
    args: tuple[Node, ...]
    attr: Any
    type: ArrayType
    several: tuple[ArrayType, ...] | None
    dims: tuple[Node, ...]
    origin: Origin | None
    serial: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the value."""
        return self.type.dtype

    @property
    def shape(self) -> tuple[int | Node, ...]:
        """Shape of the value: ints and dimension nodes."""
        return self.type.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions of the value."""
        return len(self.type.shape)

    def __repr__(self) -> str:
        types = [self.type] if self.several is None else self.several
        return f"<{self.op.name} {', '.join(map(type_text, types))} #{self.serial}>"


def type_text(type: ArrayType) -> str:
    shape = ", ".join("?" if isinstance(d, Node) else str(d) for d in type.shape)
    return f"{'weak ' if type.weak else ''}{type.dtype}[{shape}]"


_table: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()
_serials = itertools.count()


def make(
    op: Op,
    args: tuple[Node, ...],
    attr: Any,
    type: ArrayType | TupleType,
    origin: Origin | None = None,
) -> Node:
    """The node of `op` with these operands: a new one, or the one that exists already."""
    # Ids are safe keys: an entry's node keeps its operands alive.
    key: tuple[Any, ...]
    if isinstance(type, ArrayType):
        key = (op.name, attr, type.dtype.num, type.weak, *map(id, args))
    else:
        key = (op.name, attr, *((t.dtype.num, t.weak) for t in type.items), *map(id, args))
    node = _table.get(key)
    if node is None:
        node = Node()
        node.op, node.args, node.attr, node.origin = op, args, attr, origin
        if isinstance(type, ArrayType):
            node.type, node.several = type, None
        else:
            node.several = type.items
        node.dims = tuple(nodes_in(attr)) if op.dims_in_attr else ()
        node.serial = next(_serials)
        _table[key] = node
    return node


def nodes_in(attr: Any) -> Iterator[Node]:
    """The dimension nodes inside a nested tuple."""
    if isinstance(attr, Node):
        yield attr
    elif isinstance(attr, tuple):
        for item in attr:
            yield from nodes_in(item)


def map_nodes(attr: Any, change: Callable[[Node], Any]) -> Any:
    """`attr` with `change` applied to every dimension node inside it."""
    if isinstance(attr, Node):
        return change(attr)
    if isinstance(attr, tuple) and attr:
        return tuple(map_nodes(item, change) for item in attr)
    return attr


def postorder(roots: Iterable[Node], leaves: Container[Node] = ()) -> list[Node]:
    """Every node that `roots` reach, operands first; iterative, so that depth is no limit.

    Nothing is reached through the `leaves`.
    """
    seen: set[Node] = set()
    order: list[Node] = []
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            if node in leaves:
                order.append(node)
                continue
            stack.append((node, True))
            stack.extend((arg, False) for arg in reversed(node.args) if arg not in seen)
            stack.extend((dim, False) for dim in reversed(node.dims) if dim not in seen)
    return order
