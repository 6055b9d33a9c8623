"""Integers of Python's that loops carry, or lists hold: they stay far from 64 bits."""

from __future__ import annotations

from tracejit.ir import build, dims
from tracejit.ir.dims import INT_SCALAR
from tracejit.ir.node import Node
from tracejit.ir.region import Check
from tracejit.ir.scalars import given
from tracejit.trace.bits import bits_of
from tracejit.trace.trace import condition
from tracejit.trace.tracer import Tracer

#: What a number that grows may be at most.
LARGEST = 1 << 60


def small(value: Tracer, unless: Node | None = None) -> Tracer:
    """A value; a number of Python's far from 64 bits, which is tested where it is not known.

    It is not tested where `unless` holds.
    """
    if value.node.type != INT_SCALAR or bits_of(dims.from_node(value.node)) < LARGEST.bit_length():
        return value
    holds = is_small(value.node)
    if unless is not None:
        holds = build.elementwise("logical_or", unless, holds)
    build.solver().require(holds, holds, holds)
    node = given(value.node, holds)
    build.solver().noted(node, LARGEST.bit_length() - 1)
    return Tracer(node, value.kind)


def bound(number: Node) -> Check:
    """That a number of Python's is far from 64 bits after a step."""
    reason = "an integer of Python's stays within 60 bits"
    return Check(is_small(number), reason, build.solver().origin())


def is_small(number: Node) -> Node:
    """Whether a number is far from 64 bits."""
    limits = (condition("less", number, LARGEST), condition("greater", number, -LARGEST))
    return build.elementwise("logical_and", *limits)
