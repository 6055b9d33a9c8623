"""The verifier: rules that every graph obeys between two passes."""

from __future__ import annotations

from tracejit.errors import InvalidGraphError
from tracejit.ir import ops
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, DTYPES, INT64


def verify(graph: Graph, after: str = "construction") -> None:
    """Raise InvalidGraphError, naming the pass, unless `graph` is well formed.

    Checked: dtypes are supported; dimensions are ints or weak int64 scalars; operands of an
    elementwise op have its shape or none; axes, attributes and result types fit the op; every
    input that is reached is declared; checks are boolean scalars.
    """
    declared = set(graph.inputs)
    names = {i.attr[0] for i in graph.inputs}
    for node in graph.nodes():
        problem = _problem(node)
        if node.op is ops.INPUT and node not in declared:
            problem = f"input {node.attr[0]} is not declared"
        if node.op is ops.DIM and node.attr[0] not in names:
            problem = f"dimension of unknown input {node.attr[0]}"
        if problem:
            raise InvalidGraphError(f"after {after}: {node!r}: {problem}")
    for check in graph.checks:
        if check.condition.dtype != BOOL or check.condition.ndim:
            raise InvalidGraphError(
                f"after {after}: check {check.condition!r} is no boolean scalar"
            )


def _problem(node: Node) -> str | None:
    op = node.op
    if node.dtype not in DTYPES:
        return f"dtype {node.dtype}"
    for d in node.shape:
        if isinstance(d, Node):
            if d.dtype != INT64 or d.ndim or not d.type.weak:
                return f"dimension {d!r} is no weak int64 scalar"
        elif d < 0:
            return f"negative dimension {d}"
    if isinstance(op, ops.Elementwise):
        if len(node.args) != op.nin:
            return f"{len(node.args)} operands, not {op.nin}"
        bad = [a for a in node.args if a.ndim and a.shape != node.shape]
        return f"operand {bad[0]!r} has another shape" if bad else None
    x = node.args[0] if node.args else node
    if isinstance(op, ops.Reduction):
        kept = tuple(d for k, d in enumerate(x.shape) if k not in node.attr)
        return None if kept == node.shape else "shape is not the operand's without the axes"
    if op is ops.VIEW:
        shape, index = node.attr
        axes = [axis for *_, axis in index if axis is not None]
        if len(index) != x.ndim or shape != node.shape or any(a >= len(shape) for a in axes):
            return "index map does not fit"
    if op is ops.GATHER and len(node.attr[1]) != x.ndim:
        return "one pick an axis is needed"
    if op is ops.CONCATENATE and len({a.dtype for a in node.args}) != 1:
        return "operands of several dtypes"
    if op is ops.MATMUL and (x.ndim < 2 or x.ndim != node.args[1].ndim):
        return "operands are no stacks of matrices of one rank"
    return None
