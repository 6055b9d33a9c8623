"""Which elements an inlined expression reads: index vectors pushed from a node to its operands.

An index vector has an entry for every axis of the node it belongs to: ``(start, step, axis)``,
meaning ``start + step * (loop variable of domain axis)``, or a `Dynamic` entry for an index that
is itself loaded. ``FLAT`` stands for the whole vector where a loop covers all axes at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Sequence
from typing import NamedTuple

from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.inequalities import Ranges, never_negative
from tracejit.ir.node import Node


class Entry(NamedTuple):
    """``start + step * i[axis]``; just ``start`` where `axis` is None."""

    start: Dim
    step: int
    axis: int | None


class Dynamic(NamedTuple):
    """The value of `node` at `index`: one axis of a gather."""

    node: Node
    at: Index


class _Flat:
    def __repr__(self) -> str:
        return "FLAT"


FLAT = _Flat()
Index = tuple["Entry | Dynamic", ...] | _Flat
Point = tuple[Node, Index]
#: What is read (an input, a stored node, or the reshape of one), and where.
Access = Point


def identity(ndim: int) -> Index:
    """The index vector of the domain's own axes."""
    return tuple(Entry(0, 1, k) for k in range(ndim))


def apart(
    a: Entry | Dynamic | None, b: Entry | Dynamic | None, domain: Sequence[Dim], ranges: Ranges
) -> bool:
    """Whether two entries are different places at any two points of a domain.

    Of atoms of their starts it is known which `ranges` they have.
    """
    if not (isinstance(a, Entry) and isinstance(b, Entry)):
        return False
    distance = dims.sub(a.start, b.start)
    steps = [abs(e.step) for e in (a, b) if e.axis is not None]
    if steps and isinstance(distance, int) and distance % math.gcd(*steps):
        return True  # one by one between the others
    (low, high), (least, most) = (_span(e, domain) for e in (a, b))
    return any(
        never_negative(dims.sub(d, 1), ranges) for d in (dims.sub(least, high), dims.sub(low, most))
    )


def _span(entry: Entry, domain: Sequence[Dim]) -> tuple[Dim, Dim]:
    """The first and the last place that an entry names."""
    if entry.axis is None:
        return entry.start, entry.start
    far = dims.add(entry.start, dims.mul(entry.step, dims.sub(domain[entry.axis], 1)))
    return (entry.start, far) if entry.step > 0 else (far, entry.start)


def operands(node: Node, index: Index) -> list[Point]:
    """The points that `node` at `index` is computed from, where it is not read from memory."""
    if isinstance(node.op, ops.Elementwise):
        return _pointwise(node, index)
    of = _OPERANDS.get(node.op)
    return of(node, index) if of else []


def _pointwise(node: Node, index: Index) -> list[Point]:
    return [(a, index if a.ndim else ()) for a in node.args]


def view_index(node: Node, index: Index) -> Index:
    """The index vector into the operand of a view."""
    if isinstance(index, _Flat):
        assert not node.args[0].ndim
        return ()
    entries: list[Entry | Dynamic] = []
    for start, step, axis in node.attr[1]:
        if axis is None or step == 0:
            entries.append(Entry(start, 0, None))
            continue
        outer = index[axis]
        if isinstance(outer, Dynamic):
            if (start, step) != (0, 1):
                raise NotImplementedError("an affine view of a gathered axis")
            entries.append(outer)
        elif outer.axis is None:
            entries.append(Entry(dims.add(start, dims.mul(step, outer.start)), 0, None))
        else:
            entries.append(
                Entry(dims.add(start, dims.mul(step, outer.start)), step * outer.step, outer.axis)
            )
    return tuple(entries)


def gather_index(node: Node, index: Index) -> Index:
    """The index vector into the base of a gather."""
    assert not isinstance(index, _Flat)
    return tuple(
        Dynamic(node.args[1 + k], index) if kind == "index" else index[k]
        for kind, k in node.attr[1]
    )


def memory_of(node: Node, target: Node, stored: Container[Node]) -> Node:
    """The array that is read where `reads` names `node`: itself, or what it is a reshape of."""
    through = node.op is ops.RESHAPE and (node is target or node not in stored)
    return node.args[0] if through else node


def walk(value: Node, index: Index, stored: Container[Node]) -> list[Point]:
    """Every point that `value` at `index` reaches without passing through memory."""
    seen = {(value, index)}
    stack: list[Point] = [(value, index)]
    points: list[Point] = []
    first = True
    while stack:
        point = stack.pop()
        points.append(point)
        if first or point[0] not in stored:
            for child in operands(*point):
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
        first = False
    return points


def reads(value: Node, index: Index, stored: Container[Node]) -> list[Access]:
    """The memory that `value` at `index` reads: inputs and stored nodes with their index vectors.

    A reshape is read through the memory of its operand; a gather through its base. What lengths and
    places are made of comes last.
    """
    found: list[Access] = []
    lengths: list[Node] = []
    for position, (node, at) in enumerate(walk(value, index, stored)):
        if node in stored and position > 0:
            found.append((node, at))
            continue
        lengths += node.dims
        if (read := _READS.get(node.op)) is not None:
            found.append(read(node, at))
    return found + read_for(lengths, stored)


def read_for(roots: Iterable[Node], stored: Container[Node]) -> list[Access]:
    """The arrays in memory that `roots` are computed from, wherever these are read."""
    found: list[Access] = []
    stack, seen = list(roots), set(roots)
    while stack:
        node = stack.pop()
        if node.op is ops.INPUT or node in stored:
            found.append((node, FLAT if node.ndim else ()))
            continue
        more = [a for a in (*node.args, *node.dims) if a not in seen]
        seen.update(more)
        stack += more
    return found


#: What an inlined node is computed from at a point, and what it reads of memory itself.
_OPERANDS: dict[ops.Op, Callable[[Node, Index], list[Point]]] = {
    ops.POLY: _pointwise,
    ops.VIEW: lambda node, index: [(node.args[0], view_index(node, index))],
    ops.GATHER: lambda node, index: [(a, index) for a in node.args[1:]],
    ops.SEARCH: lambda node, index: [(node.args[1], index if node.ndim else ())],
}
_READS: dict[ops.Op, Callable[[Node, Index], Access]] = {
    ops.INPUT: lambda node, index: (node, index),
    ops.RESHAPE: lambda node, index: (node, index),
    ops.GATHER: lambda node, index: (node.args[0], gather_index(node, index)),
    ops.SEARCH: lambda node, index: (node.args[0], (Dynamic(node.args[1], index),)),
}
