"""What the tests of single passes share: nodes to build with, programs at a stage, and a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.ir import build, dims, interpret
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node
from tracejit.lower.buffers import assign_buffers
from tracejit.lower.collapse import collapse
from tracejit.lower.fusion import fuse
from tracejit.lower.interpret import evaluate
from tracejit.lower.program import Buffer, Program
from tracejit.lower.schedule import unplaced
from tracejit.lower.target import Costs
from tracejit.lower.text import to_text
from tracejit.lower.verify import verify

F64 = np.dtype(np.float64)
COSTS = Costs()
_RNG = np.random.default_rng(5)


def array(name: str, ndim: int, dtype: Any = F64) -> Node:
    return build.input(name, np.dtype(dtype), tuple(dims.dim(name, k) for k in range(ndim)))


def square(name: str) -> Node:
    n = dims.dim(name, 0)
    return build.input(name, F64, (n, n))


X, Y, M, N = array("x", 1), array("y", 1), array("m", 2), array("n", 2)
K, B, S = array("k", 1, np.int64), array("b", 1, bool), square("s")
ENV: dict[str, Any] = {
    "x": _RNG.standard_normal(13),
    "y": _RNG.standard_normal(4),
    "m": _RNG.standard_normal((9, 7)),
    "n": _RNG.standard_normal((9, 7)),
    "s": _RNG.standard_normal((5, 5)),
    "k": np.array([0, 3, 2, 3]),
    "b": _RNG.random(13) < 0.5,
}


def E(name: str, *args: object) -> Node:
    return build.elementwise(name, *(a if isinstance(a, Node) else build.constant(a) for a in args))


def along(v: Node, like: Node, *axes: int) -> Node:
    """`v`, whose axes are these of the shape of `like`."""
    return build.view(v, like.shape, tuple((0, 1, axis) for axis in axes))


def graph_of(*outputs: Node) -> Graph:
    """The graph of `outputs`, with the inputs above among which their lengths are."""
    nodes = Graph((), outputs).nodes()
    inputs = {n.attr[0]: n for n in nodes if n.op.name == "input"}
    lengths = {n.attr[0] for n in nodes if n.op.name == "dim"}
    inputs |= {i.attr[0]: i for i in (X, Y, M, S, K) if i.attr[0] in lengths - inputs.keys()}
    return Graph(tuple(inputs.values()), outputs)


def layouts_of(graph: Graph, **layouts: str) -> dict[str, str]:
    names = (i.attr[0] for i in graph.inputs)
    return {name: layouts.get(name, "C") for name in names}


def unplaced_program(*outputs: Node, **layouts: str) -> Program:
    """What is computed, in no loops yet."""
    graph = graph_of(*outputs)
    return unplaced(graph, layouts_of(graph, **layouts), COSTS)


def fused(*outputs: Node, **layouts: str) -> Program:
    """In loops, which are not collapsed, and in no memory yet."""
    program = unplaced_program(*outputs, **layouts)
    fuse(program, COSTS.largest_body)
    return program


def placed(*outputs: Node, **layouts: str) -> Program:
    """In loops, and in no memory yet: what the `placed` passes of a target get."""
    program = fused(*outputs, **layouts)
    collapse(program)
    return program


def stored(*outputs: Node, passes: Sequence[Callable[[Program], None]] = ()) -> Program:
    """In loops and in memory, after `passes` over the loops: what the `stored` passes get."""
    program = placed(*outputs)
    for change in passes:
        change(program)
    assign_buffers(program)
    return program


def with_memory(program: Program) -> Program:
    """`program` with whole arrays for all that has no memory yet."""
    for node in program.stored:
        axes, output = tuple(range(node.ndim)), node in program.outputs
        if node not in program.buffers and node not in program.windows:
            over = program.inplace.get(node)
            program.buffers[node] = program.buffers.get(over) or [  # type: ignore[arg-type]
                Buffer(node, node.shape, axes, program.memory[node], output=output)
            ]
        program.buffers.setdefault(node, [])
    return program


def values(program: Program, env: Mapping[str, Any] = ENV) -> list[Any]:
    """What the interpreter makes of a program."""
    found = evaluate(with_memory(program), env)
    assert found is not None
    return found


def check(program: Program, env: Mapping[str, Any] = ENV) -> str:
    """The text of `program`, which is well formed and computes what its graph means."""
    verify(program)
    text = to_text(program)
    want = interpret.evaluate(program.graph.outputs, env)
    for mine, right in zip(values(program, env), want, strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-12, atol=1e-13)
    return text


def same(graph: Graph, before: Graph, env: Mapping[str, Any] = ENV) -> None:
    """A graph that a pass has made has the values of the one before."""
    pairs = zip(graph.outputs, before.outputs, strict=True)
    with np.errstate(all="ignore"):
        for new, old in pairs:
            got, want = (interpret.evaluate([n], env)[0] for n in (new, old))
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
            assert (new.dtype, new.ndim) == (old.dtype, old.ndim)
