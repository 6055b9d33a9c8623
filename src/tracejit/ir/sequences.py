"""Builders of what goes along one axis: places in a sorted array, sums of products everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node
from tracejit.ir.types import FLOAT32, INT64, UINT8

#: What has the same order, and is compared as it lies in memory.
_COMPARED: dict[str, np.dtype[Any]] = {"e": FLOAT32, "?": UINT8}


def search(x: Node, values: Node, side: str) -> Node:
    """How many elements of `x`, sorted and of the dtype of `values`, come before each of these.

    On the `side` "right", equal ones do.
    """
    wider = _COMPARED.get(x.dtype.char, x.dtype)
    operands = (build.cast(x, wider), build.cast(values, wider))
    return build._make(ops.SEARCH, operands, side, ArrayType(INT64, values.shape))


def correlate(x: Node, weights: Node, left: Dim, count: Dim) -> Node:
    """``sum(x[k - left + i] * weights[i])``, over what there is of `x`, for `count` places ``k``.

    Both are vectors of one dtype.
    """
    type = ArrayType(x.dtype, (count,))
    return build._make(ops.CORRELATE, (x, weights), (left, count), type)


def summed(node: Node) -> Node:
    """A correlation as sums of its own."""
    x, weights = node.args
    left, count = node.attr
    shape = (count, weights.shape[0])
    rows = build.expand_dims(build.iota(count), (1,))
    at = build.elementwise("add", rows, build.iota(shape[1]))
    first, length = (build.cast(dims.as_node(d), INT64) for d in (left, x.shape[0]))
    at = build.elementwise("subtract", at, first)
    zero = build.constant(0, INT64)
    inside = build.elementwise(
        "logical_and",
        build.elementwise("greater_equal", at, zero),
        build.elementwise("less", at, length),
    )
    parts = build.gather(x, shape, (("index", 0),), build.where(inside, at, zero))
    products = build.elementwise("multiply", parts, weights)
    nothing = build.constant(products.dtype.type(0), products.dtype)
    total = build.reduce("sum", build.where(inside, products, nothing), (1,))
    return build.cast(total, node.dtype)
