"""A pass from outside: a target that has one more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from unittest import mock

import numpy as np
import pytest
from plugged import compiled_source

import tracejit
from tracejit.cpu.target import CPU
from tracejit.ir import build, dims, ops
from tracejit.ir.graph import Graph, rebuild
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import ArrayType, Node, make
from tracejit.lower import registry
from tracejit.theano import flags


def doubles_as_sums(graph: Graph, layouts: Mapping[str, str]) -> Graph:
    """``x + x`` in place of ``x * 2.0``.

    Needs: nothing. Guarantees: the same bits, as both are rounded from one number.
    """

    def rule(node: Node, before: Node) -> Node:
        if node.op is not ops.ELEMENTWISE["multiply"] or node.dtype.kind != "f":
            return node
        x, by = node.args
        if by.op is not ops.CONST or build.constant_value(by) != 2:
            return node
        return make(ops.ELEMENTWISE["add"], (x, x), None, node.type, node.origin)

    return rebuild(graph, rule)


class Plugged(CPU):
    """The CPU with one more pass."""

    passes = CPU.passes._replace(graph=(*CPU.passes.graph, doubles_as_sums))


@pytest.fixture
def plugin() -> Iterator[None]:
    with (
        mock.patch.object(flags, "_FLAGS", dict(flags._FLAGS)),
        mock.patch.dict(registry._makers),
        mock.patch.dict(registry._targets),
    ):
        registry.register("plugged", Plugged)
        with tracejit.change_flags(device="plugged"):
            yield


X = np.array([1.0, -0.0, 5e-324, np.inf, np.nan, 1e308])


def parts(x):
    return x * 2 + x * 3


def test_it_alone() -> None:
    n = dims.dim("x", 0)
    x = make(ops.INPUT, (), ("x", (n,), None), ArrayType(np.dtype(np.float64), (n,)))
    two, three = (build.constant(v, np.float64) for v in (2.0, 3.0))
    outputs = tuple(build.elementwise("multiply", x, each) for each in (two, three))
    graph = doubles_as_sums(Graph((x,), outputs), {"x": "C"})
    assert [node.op.name for node in graph.outputs] == ["add", "multiply"]
    with np.errstate(all="ignore"):
        pairs = [evaluate(nodes, {"x": X}) for nodes in (outputs, graph.outputs)]
    for before, after in zip(*pairs, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_is_run(plugin: None, dtype: type) -> None:
    with np.errstate(all="ignore"):
        assert compiled_source(parts, X.astype(dtype)).count(" * ") == 1


def test_others_do_without_it() -> None:
    with np.errstate(all="ignore"):
        assert compiled_source(parts, X).count(" * ") == 2
    with pytest.raises(ValueError, match="not 'plugged'"):
        tracejit.config.device = "plugged"
