"""Sums of products of filters with all windows of arrays: convolutions, their filters not turned.

Images are arrays of groups, a batch, channels and three axes of places, filters of groups, filters,
channels and three axes; what is found has groups, the batch, filters and three axes of places:

    ``out[g, n, o, p] = sum(x[g, n, c, p * step + k * spread] * w[g, o, c, k])``, over ``c``, ``k``
"""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node
from tracejit.ir.rules.record import zeros
from tracejit.ir.types import INT64

#: Axes of places.
AXES = (3, 4, 5)
#: Filters that are gone through together.
FILTERS = 4


def convolve(
    x: Node, w: Node, places: Sequence[Dim], steps: Sequence[int], spreads: Sequence[int],
    by: str = "places",
) -> Node:  # fmt: skip
    """Images with filters, at so many `places`: all windows must lie inside the images.

    `by` says what there is more of along the last axis: "places", or elements of a "filter".
    """
    shape = (*x.shape[:2], w.shape[1], *places)
    attr = (shape, tuple(steps), tuple(spreads), by)
    return build._make(ops.CONVOLUTION, (x, w), attr, ArrayType(x.dtype, shape))


def swapped(x: Node) -> Node:
    """With the second and the third axis in each other's place."""
    return build.transpose(x, (0, 2, 1, 3, 4, 5))


def spaced(x: Node, lengths: Sequence[Dim], starts: Sequence[Dim], steps: Sequence[int]) -> Node:
    """`x` in zeros, along the axes of places from `starts` on at every so many of them."""
    frame = zeros((*x.shape[:3], *lengths), x.dtype)
    positions = []
    for axis, d in enumerate(x.shape):
        at = build.iota(d)
        if axis in AXES:
            step, start = steps[axis - 3], starts[axis - 3]
            at = build.elementwise("multiply", at, build.constant(step, INT64))
            at = build.elementwise("add", at, build.cast(dims.as_node(start), INT64))
        positions.append(build.view(at, x.shape, ((0, 1, axis),)))
    return build.scatter(frame, x, positions, [False] * x.ndim, "set")


def units(node: Node) -> Dim:
    """In how many parts it can be computed: an image with a few filters each."""
    groups, batch, count = node.shape[:3]
    blocks = dims.floordiv(dims.add(count, FILTERS - 1), FILTERS)
    return dims.mul(groups, dims.mul(batch, blocks))


def work(node: Node) -> Dim:
    """What it has to do, in additions: so many products are one instruction."""
    products = dims.mul(dims.product(node.shape), dims.product(node.args[1].shape[2:]))
    return dims.floordiv(products, FILTERS)


def through_products(node: Node) -> Node:
    """The same by a product of matrices: of all windows, one after the other, and the filters."""
    x, w = node.args
    shape, steps, spreads, _ = node.attr
    groups, batch, count, *places = shape
    channels, *lengths = w.shape[2:]
    whole = (groups, batch, *places, channels, *lengths)
    index = []
    for k in range(3):
        at = build.constant(0, INT64)
        for axis, factor in ((2 + k, steps[k]), (6 + k, spreads[k])):
            line = build.view(build.iota(whole[axis]), whole, ((0, 1, axis),))
            moved = build.elementwise("multiply", line, build.constant(factor, INT64))
            at = build.elementwise("add", moved, at)
        index.append(at)
    picks = (("axis", 0), ("axis", 1), ("axis", 5), ("index", 0), ("index", 1), ("index", 2))
    windows = build.gather(x, whole, picks, *index)
    rows = dims.mul(batch, dims.product(tuple(places)))
    inner = dims.product((channels, *lengths))
    left = build.reshape(windows, (groups, rows, inner))
    right = build.transpose(build.reshape(w, (groups, count, inner)), (0, 2, 1))
    found = build.reshape(build.matmul(left, right), (groups, batch, *places, count))
    return build.transpose(found, (0, 1, 5, 2, 3, 4))
