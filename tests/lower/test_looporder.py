"""The order of loops: that of memory, with accumulators in mind."""

from __future__ import annotations

import pytest
from stages import M, N, S

from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.looporder import loop_order
from tracejit.lower.program import Kind

T = build.transpose(M, (1, 0))
V = build.input("v", M.dtype, (M.shape[1],))


def order(
    kind: Kind, value: Node, reduced: tuple[int, ...] = (), axis: int = 0, **memory: str
) -> tuple[int, ...]:
    reads = access.reads(value, access.identity(value.ndim), ())
    orders = {node: memory.get(node.attr[0], "C") for node, _ in reads}
    return loop_order(kind, value.shape, reduced, reads, orders, axis)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (order(Kind.MAP, M), (0, 1)),
        (order(Kind.MAP, M, m="F"), (1, 0)),
        (order(Kind.MAP, T), (1, 0)),
        (order(Kind.MAP, T, m="F"), (0, 1)),
        # One of each: C's order.
        (order(Kind.MAP, build.elementwise("add", S, build.transpose(S, (1, 0)))), (0, 1)),
        # To go through a matrix the wrong way costs more than a vector.
        (
            order(
                Kind.MAP,
                build.elementwise("add", M, build.view(V, M.shape, ((0, 1, 1),))),
                m="F",
            ),
            (1, 0),
        ),
        (order(Kind.REDUCE, M, (1,)), (0, 1)),
        (order(Kind.REDUCE, M, (0,)), (0, 1)),  # a sweep
        (order(Kind.REDUCE, M, (0,), m="F"), (1, 0)),
        (order(Kind.REDUCE, M, (1,), m="F"), (1, 0)),  # a sweep
        (order(Kind.REDUCE, M, (0, 1), m="F"), (1, 0)),
        (order(Kind.ARG, M, (0,)), (1, 0)),
        (order(Kind.ARG, M, (0,), m="F"), (1, 0)),
        (order(Kind.SCAN, M, (), 1, m="F"), (0, 1)),
        (order(Kind.SCAN, M, (), 0), (0, 1)),
    ],
)
def test_orders(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert found == expected


def test_without_memory_it_is_that_of_c() -> None:
    reads = access.reads(T, access.identity(2), ())
    assert loop_order(Kind.MAP, T.shape, (), reads, None, 0) == (0, 1)
    assert N.shape != M.shape
