"""What masks pick, as single calls that go through the mask a word at a time.

In the array IR, ``x[mask]`` reads `x` at the positions of the true elements, and ``x[mask] = y``
writes there. Positions that nobody else reads need not be found: elements are copied as the mask is
read, whole words of it at once where they are all true or all false. What is cheap to compute
everywhere (``x[mask] *= 2``) is computed everywhere, and chosen: that takes part in other loops.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracejit.ir import build, dims, ops
from tracejit.ir.graph import Graph, rebuild
from tracejit.ir.node import ArrayType, Node, make, postorder
from tracejit.ir.types import INT64
from tracejit.lower.placement import is_part, placement

#: What is computed everywhere to be chosen by a mask costs so much at most, in additions.
CHEAP = 3


def through_masks(graph: Graph, layouts: Mapping[str, str]) -> Graph:
    """`graph` with counts, compressions and placings where masks have been looked up by position.

    Guarantees: the same values. An array that is compressed has one axis, or is in C order.
    """
    nodes = graph.nodes()
    masks = {n.args[0] for n in nodes if n.op is ops.NONZERO}
    # Others, where a pass over them would do nothing else.
    read = {a for n in nodes if n.op not in (ops.CAST, ops.NONZERO) for a in n.args}
    inputs = {n for n in graph.inputs if n.dtype.kind == "b" and layouts[n.attr[0]] == "C"}
    masks |= inputs - read
    pairs = {n for n in nodes if _chooses_a_pair(n, inputs)}
    if not masks and not pairs:
        return graph

    def rule(node: Node, before: Node) -> Node:
        if before in pairs:
            mask, y, x = node.args
            number = y.args[0] if y.ndim else y
            return make(ops.PLACE, (mask, x, number), "again", x.type, node.origin)
        if before.op is ops.REDUCTIONS["sum"] and _counted(before) in masks:
            return make(ops.COUNT, (_mask(node),), None, node.type, node.origin)
        made = _RULES.get(node.op)
        return (made(node, layouts) or node) if made else node

    lowered = rebuild(graph, rule)
    return rebuild(lowered, lambda node, _: _with_parts(node, layouts))


def _chooses_a_pair(node: Node, masks: set[Node]) -> bool:
    """Whether a mask in memory puts one complex number into an array.

    Pairs are not chosen many at a time, and most masks are true seldom.
    """
    if node.op is not ops.WHERE or node.dtype.kind != "c":
        return False
    mask, y, x = node.args
    one = not y.ndim or (y.op is ops.VIEW and not y.args[0].ndim)
    return mask in masks and one and mask.ndim == x.ndim > 0


def _with_parts(node: Node, layouts: Mapping[str, str]) -> Node:
    """`node` with copies of those views among its operands that it cannot read where they lie."""
    placed = placement(node)
    if not placed.parts:
        return node
    args = tuple(
        make(ops.CAST, (a,), None, a.type, a.origin)
        if is_part(node, a) and not _lies_there(a, layouts, a in placed.strided(node))
        else a
        for a in node.args
    )
    return node if args == node.args else make(node.op, args, node.attr, node.type, node.origin)


def _lies_there(x: Node, layouts: Mapping[str, str], strided: bool) -> bool:
    """Whether a view is along one axis of an input, from a place that is known beforehand.

    It has no gaps, unless it may be `strided`.
    """
    [base] = x.args
    if base.op is not ops.INPUT or not base.ndim:
        return False
    layout = layouts[base.attr[0]]
    if x.op is ops.RESHAPE:
        return layout == "C"
    starts = [start for start, _, _ in x.attr[1] if isinstance(start, Node)]
    along = [(step, axis) for _, step, axis in x.attr[1] if axis is not None and step]
    if x.ndim != 1 or len(along) != 1 or any(map(_is_late, postorder(starts))):
        return False
    return strided or (layout == "C" and base.ndim == 1 and along[0][0] == 1)


def _is_late(node: Node) -> bool:
    return bool(node.ndim) or isinstance(node.op, ops.Reduction) or node.op is ops.COUNT


def _counted(node: Node) -> Node | None:
    """The mask whose true elements a sum counts."""
    [x] = node.args
    whole = x.op is ops.CAST and x.dtype == INT64 and len(node.attr) == x.ndim
    return x.args[0] if whole and x.args[0].dtype.kind == "b" else None


def _mask(node: Node) -> Node:
    return node.args[0].args[0]


def _found(node: Node) -> Node | None:
    """The mask in which a node of lowered positions looks them up, for its first axis."""
    if node.op is ops.VIEW and node.args[0].op in (ops.NONZERO, ops.POSITIONS):
        node = node.args[0]
    return node.args[0] if node.op in (ops.NONZERO, ops.POSITIONS) else None


def _is_column(node: Node, mask: Node, axis: int, ndim: int) -> bool:
    """Whether `node` is, along the first of `ndim` axes, where `mask` is true along `axis`."""
    if _found(node) is not mask or node.ndim != ndim:
        return False
    along: tuple[Any, ...] = (0, 1, 0)
    if mask.ndim == 1:
        return node.op is ops.POSITIONS or node.attr[1] == (along,)
    return node.op is ops.VIEW and node.attr[1] == (along, (axis, 0, None))


def _positions(node: Node, layouts: Mapping[str, str]) -> Node | None:
    """A view of positions in a mask of one axis, which need no second axis."""
    if node.args[0].op is not ops.NONZERO or node.args[0].args[0].ndim != 1:
        return None
    found = node.args[0]
    kind = ArrayType(INT64, found.shape[:1])
    positions = make(ops.POSITIONS, found.args, found.attr, kind, found.origin)
    return build.view(positions, node.shape, node.attr[1][:1])


def _picked(node: Node) -> tuple[Node, Node] | None:
    """The mask and the array of which a gather takes the elements where the mask is true."""
    if node.op is ops.COMPRESS:
        return node.args[0], node.args[1]
    if node.op is not ops.GATHER:
        return None
    x, *indices = node.args
    mask = _found(indices[0])
    if mask is None or x.shape[: mask.ndim] != mask.shape:
        return None
    for k, (kind, which) in enumerate(node.attr[1]):
        if k >= mask.ndim:
            if (kind, which) != ("axis", k - mask.ndim + 1):
                return None
        elif kind != "index" or not _is_column(indices[which], mask, k, node.ndim):
            return None
    return mask, x


def _compress(node: Node, layouts: Mapping[str, str]) -> Node | None:
    picked = _picked(node)
    if picked is None:
        return None
    x = picked[1]
    if x.op is ops.INPUT and x.ndim > 1 and layouts[x.attr[0]] != "C":
        return None
    return make(ops.COMPRESS, picked, node.shape, node.type, node.origin)


def _place(node: Node, layouts: Mapping[str, str]) -> Node | None:
    """What is written where a mask is true."""
    x, y, *positions = node.args
    mask = _found(positions[0])
    if node.attr[0] != "set" or mask is None or x.shape[: mask.ndim] != mask.shape:
        return None
    for k, position in enumerate(positions):
        if k < mask.ndim:
            if not _is_column(position, mask, k, y.ndim):
                return None
        elif not _is_whole_axis(position, x.shape[k], k - mask.ndim + 1):
            return None
    budget = [CHEAP]
    # Of rows, few are many elements; and their loops are short.
    everywhere = _everywhere(y, mask, x, budget) if mask.ndim == x.ndim else None
    if everywhere is not None:
        chosen = build.view(mask, x.shape, tuple((0, 1, k) for k in range(mask.ndim)))
        return make(ops.WHERE, (chosen, everywhere, x), None, x.type, node.origin)
    values, turn = _in_order(y)
    return make(ops.PLACE, (mask, x, values), turn, x.type, node.origin)


def _is_whole_axis(node: Node, length: dims.Dim, axis: int) -> bool:
    """Whether `node` is 0, 1, 2 … `length` along `axis`."""
    if node.op is not ops.VIEW or node.args[0].op is not ops.IOTA:
        return False
    return node.args[0].shape[0] == length and node.attr[1] == ((0, 1, axis),)


def _everywhere(y: Node, mask: Node, x: Node, budget: list[int]) -> Node | None:
    """An array of the shape of `x` that has the elements of `y`, in order, where `mask` is true.

    None where that is not to be had for the `budget`, which also bounds the depth.
    """
    if not y.ndim:
        return y
    picked = _picked(y)
    if picked is not None:
        return picked[1] if picked[0] is mask and picked[1].shape == x.shape else None
    if y.op is ops.VIEW:
        if any(axis == 0 for _, _, axis in y.attr[1]):
            return None
        shift = mask.ndim - 1
        index = tuple((s, d, axis if axis is None else axis + shift) for s, d, axis in y.attr[1])
        return build.view(y.args[0], x.shape, index)
    op = y.op
    if not isinstance(op, ops.Elementwise) or op.trap or op.called(a.dtype.kind for a in y.args):
        return None
    budget[0] -= op.cost
    if budget[0] < 0:
        return None
    operands = []
    for a in y.args:
        made = _everywhere(a, mask, x, budget)
        if made is None:
            return None
        operands.append(made)
    return make(op, tuple(operands), y.attr, ArrayType(y.dtype, x.shape), y.origin)


def _in_order(y: Node) -> tuple[Node, str | None]:
    """What `y` reads in order, from its beginning on, and whether again and again.

    That is `y` itself where it reads nothing in memory so.
    """
    if y.op is not ops.GATHER or y.ndim != y.args[0].ndim:
        return y, None
    x, places = y.args[0], y.args[1]
    whole = y.attr[1] == (("index", 0), *(("axis", k) for k in range(1, y.ndim)))
    if not whole or x.shape[1:] != y.shape[1:]:
        return y, None
    if places.op is ops.VIEW and places.attr[1] == ((0, 1, 0),):
        places = places.args[0]
    if places.op is ops.IOTA:
        return x, None
    again = places.op is ops.ELEMENTWISE["remainder"] and places.args[0].op is ops.IOTA
    again = again and y.ndim == 1 and _is_length(places.args[1], x.shape[0])
    return (x, "again") if again else (y, None)


def _is_length(node: Node, length: dims.Dim) -> bool:
    """Whether a scalar is the number `length`."""
    if node.op is ops.CONST:
        return bool(build.constant_value(node) == length)
    return node is length or (node.op is ops.CAST and node.args[0] is length)


_RULES = {
    ops.VIEW: _positions,
    ops.GATHER: _compress,
    ops.SCATTER: _place,
}
