"""Calls of Python functions as nodes: one that calls, and one for each result.

What a call gives has the dtypes and ranks of its callee; its lengths are known when it has been
made. Equal calls are one node, and one that nobody reads is none: they are of functions whose
results depend on nothing but their arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.region import regions_of
from tracejit.ir.types import INT64
from tracejit.native.hostcalls import Callee

#: The bits of a length.
_BITS = 48


def call(
    callee: Callee, args: Sequence[Node], shapes: Sequence[Sequence[Dim | None]] = ()
) -> list[Node]:
    """The results of a call. It is required to give what `callee` says.

    And arrays of these lengths, where they are told.
    """
    count = sum(ndim for _, ndim in callee.results)
    origin = build.solver().origin()
    given = make(ops.HOST, tuple(args), callee, ArrayType(INT64, (1 + count,)), origin)
    place = build.view(given, (), ((0, 0, None),))
    fits = build.elementwise("greater_equal", place, build.constant(0, INT64))
    build.solver().require(fits, given, fits)
    places = iter(range(1, 1 + count))
    found = []
    for which, (dtype, ndim) in enumerate(callee.results):
        told = shapes[which] if shapes else [None] * ndim
        shape = tuple(_length(given, next(places), d) for d in told)
        result = _result(given, which, dtype, shape or (1,))
        found.append(result if ndim else build.view(result, (), ((0, 0, None),)))
    return found


def calls_host(nodes: Iterable[Node]) -> bool:
    """Whether there is a call among `nodes`, or in their regions."""
    return any(
        node.op is ops.HOST or any(calls_host(region.nodes()) for region in regions_of(node))
        for node in nodes
    )


def _length(given: Node, k: int, told: Dim | None) -> Dim:
    """A length that a call has given: the one that is told, which it is required to be."""
    element = build.view(given, (), ((k, 0, None),))
    length = make(ops.CAST, (element,), None, INT_SCALAR, element.origin)
    if told is None:
        build.solver().noted(length, _BITS, [length])
        return length
    same = build.elementwise("equal", length, dims.as_node(told))
    build.solver().require(same, given, same)
    return told


def _result(given: Node, which: int, dtype: np.dtype[Any], shape: tuple[Dim, ...]) -> Node:
    attr = (which, dtype, shape)
    differentiable = [a for a in given.args if a.dtype.kind in "fc"]
    args = (given, *differentiable)
    return make(ops.HOSTED, args, attr, ArrayType(dtype, shape), given.origin)
