"""Convolutions of numbers that no vectors are for become products; those of floats stay."""

from __future__ import annotations

import numpy as np

from tracejit.cpu.passes.convolutions import convolutions_of_others
from tracejit.ir import build, ops
from tracejit.ir.convolutions import convolve
from tracejit.ir.graph import Graph
from tracejit.ir.interpret import evaluate


def test_integers_alone_become_products() -> None:
    outputs, values, inputs = [], {}, []
    rng = np.random.default_rng(1)
    for char in "lfd":
        shapes = (1, 2, 3, 1, 5, 6), (1, 4, 3, 1, 2, 3)
        pair = []
        for name, shape in zip(("x", "w"), shapes, strict=True):
            values[f"{name}{char}"] = rng.integers(-3, 4, shape).astype(char)
            pair.append(build.input(f"{name}{char}", np.dtype(char), shape))
        inputs += pair
        outputs.append(convolve(*pair, (1, 2, 2), (1, 2, 1), (1, 1, 2)))
    graph = Graph(tuple(inputs), tuple(outputs))
    found = convolutions_of_others(graph, {})
    assert [o.op is ops.CONVOLUTION for o in found.outputs] == [False, True, True]
    pairs = zip(evaluate(graph.outputs, values), evaluate(found.outputs, values), strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)
    rest = Graph(graph.inputs[2:], graph.outputs[1:])
    assert convolutions_of_others(rest, {}) is rest
