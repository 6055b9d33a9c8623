"""Which results share memory, as NumPy's would: views of arguments, and of one another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from tracejit.ir import alias, build, dims, ops
from tracejit.ir.build import Index
from tracejit.ir.dims import Dim
from tracejit.ir.lengths import non_negative
from tracejit.ir.node import Node
from tracejit.trace.memory import Memory, follow
from tracejit.trace.tracer import Tracer


def shared(results: Sequence[Tracer]) -> tuple[dict[int, alias.View], list[Node]]:
    """The results that are views, by position, and arrays to be made for them beside the results.

    Results that could not tell, since no element is in two of them, have memory of their own.
    """
    groups: dict[int, list[int]] = {}
    for k, x in enumerate(results):
        if x.kind == "array" and x.memory is not None:
            x.memory.require_certain()
            groups.setdefault(id(x.memory), []).append(k)
    views: dict[int, alias.View] = {}
    bases: list[Node] = []
    for members in groups.values():
        memory = results[members[0]].memory
        assert memory is not None
        base: str | int
        if memory.outside:
            base = memory.outside
        elif _told_apart(memory, [results[k] for k in members]):
            continue
        else:
            # The first that is the whole array stands for all, else a further output.
            base = next((k for k in members if not results[k].path), len(results) + len(bases))
            if base == len(results) + len(bases):
                bases.append(memory.node)
        for k in members:
            if k != base:
                views[k] = alias.View(base, alias.links(memory.node, results[k].path))
    return views, bases


def _told_apart(memory: Memory, members: Sequence[Tracer]) -> bool:
    """Whether arrays of their own are as good as these views of an array that nobody else has."""
    if any(getattr(step, "distinct", False) for x in members for step in x.path):
        return False
    if len(members) == 1:
        return True
    start = build.input("base", memory.node.dtype, memory.node.shape)
    nodes = [follow(x.path, start) for x in members]
    return all(_disjoint(a, b, start) for a, b in itertools.combinations(nodes, 2))


def _disjoint(a: Node, b: Node, base: Node) -> bool:
    """Whether two views of `base` have no element in common, whatever the lengths."""
    parts = (ops.REAL, ops.IMAG)
    if a.op in parts and b.op in parts and a.op is not b.op:
        return True
    if not all(n.op is ops.VIEW and n.args[0] is base for n in (a, b)):
        return False
    return any(_apart(p, a.shape, q, b.shape) for p, q in zip(a.attr[1], b.attr[1], strict=True))


def _apart(p: Index, shape: tuple[Dim, ...], q: Index, other: tuple[Dim, ...]) -> bool:
    """Whether two entries of views name different places on their axis."""
    if _before(p, shape, q) or _before(q, other, p):
        return True
    distance, step = dims.sub(q[0], p[0]), abs(p[1])
    return isinstance(distance, int) and step == abs(q[1]) and step > 1 and distance % step != 0


def _before(p: Index, shape: tuple[Dim, ...], q: Index) -> bool:
    start, step, axis = p
    if step < 0 or q[1] < 0:
        return False
    end = dims.add(start, 1 if axis is None or not step else dims.mul(shape[axis], step))
    return non_negative(dims.sub(q[0], end))
