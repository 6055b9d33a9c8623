"""Positions of extremes of rows, and complex extremes, by what the threads of a team can share.

An extreme is found first, and then the first place that has it: a row is gone through twice, by all
threads of a team, and not once by one. Of complex numbers the first place has the extreme: of equal
ones, and of those that are not numbers, the first counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir.graph import Graph, rebuild
from tracejit.ir.node import Node
from tracejit.ir.types import INT64

_MAX, _MIN = ops.REDUCTIONS["max"], ops.REDUCTIONS["min"]
_LARGEST = (_MAX, ops.REDUCTIONS["argmax"])


def extremes_by_places(graph: Graph, layouts: Mapping[str, str]) -> Graph:
    """`graph` with such extremes by others.

    Guarantees: the same values.
    """
    if not any(n.op in (*ops.ARG_REDUCTIONS, _MAX, _MIN) for n in graph.nodes()):
        return graph
    in_order = all(layout[:1] in ("", "C") for layout in layouts.values())
    return rebuild(graph, lambda node, _: _by_places(node, in_order))


def _by_places(node: Node, in_order: bool) -> Node:
    if node.op not in (*ops.ARG_REDUCTIONS, _MAX, _MIN):
        return node
    [x], axes = node.args, node.attr
    rows = x.ndim > 1 and axes == (x.ndim - 1,)
    largest = node.op in _LARGEST
    if node.op in ops.ARG_REDUCTIONS:
        return _place(x, largest) if rows else node
    if x.dtype.kind != "c" or not x.ndim:
        return node
    if rows:
        shape = x.shape[:-1]
        picks = (*(("axis", k) for k in range(x.ndim - 1)), ("index", 0))
        return build.gather(x, shape, picks, _place(x, largest))
    if len(axes) < x.ndim or not (x.ndim == 1 or in_order):
        return node
    flat = build.reshape(x, (build.size(x),))
    place = build.reduce("argmax" if largest else "argmin", flat, (0,))
    return build.gather(flat, (), (("index", 0),), place)


def _place(x: Node, largest: bool) -> Node:
    """The first place of an extreme of each row."""
    last, name = x.ndim - 1, "max" if largest else "min"

    def wide(row: Node) -> Node:
        return build.broadcast_to(build.expand_dims(row, (last,)), x.shape)

    def equal(part: Node) -> Node:
        return build.elementwise("equal", part, wide(build.reduce(name, part, (last,))))

    missing = build.elementwise("isnan", x) if x.dtype.kind in "fc" else None
    if x.dtype.kind == "c":
        assert missing is not None
        first, second = equal(build.real(x)), build.imag(x)
        other = build.constant(-np.inf if largest else np.inf, second.dtype)
        second = equal(build.where(first, second, other))
        numbers = build.elementwise("logical_and", first, second)
        some = wide(build.reduce("any", missing, (last,)))
        found = build.where(some, missing, numbers)
    else:
        found = equal(x)
        if missing is not None:
            found = build.elementwise("logical_or", found, missing)
    end = build.cast(dims.as_node(x.shape[last]), INT64)
    places = build.broadcast_to(build.iota(x.shape[last]), x.shape)
    return build.reduce("min", build.where(found, places, end), (last,))
