"""The verifier: rules that every graph obeys between two passes."""

from __future__ import annotations

from tracejit.errors import InvalidGraphError
from tracejit.ir import build, ops
from tracejit.ir.graph import Graph, body
from tracejit.ir.node import ArrayType, Node
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rules import RULES
from tracejit.ir.types import BOOL, DTYPES, INT64


def verify(graph: Graph, after: str = "construction") -> None:
    """Raise InvalidGraphError, naming the pass, unless `graph` is well formed.

    Checked: dtypes are supported; dimensions are ints or weak int64 scalars; operands of an
    elementwise op have its shape or none, and the dtypes of a loop of its ufunc; axes, attributes
    and result types fit the op; every input that is reached is declared; checks are boolean
    scalars. Lengths that a check makes equal are taken on trust. Regions are graphs of their own,
    and what a loop carries has one type at the start, as a parameter and as a result.
    """
    _verify(graph, after, set())


def _verify(graph: Graph, after: str, done: set[Region]) -> None:
    """The same; regions that are `done` are left out."""
    declared = set(graph.inputs)
    names = {(i.attr[0], i.attr[2]) for i in graph.inputs}
    trusting = any(c.condition.op.name == "equal" for c in graph.checks)
    for node in graph.nodes():
        problem = _several_problem(node) or _problem(node) or _type_problem(node, trusting)
        if node.op is ops.INPUT and node not in declared:
            problem = f"input {node.attr[0]} is not declared"
        if node.op is ops.DIM and (node.attr[0], node.attr[2]) not in names:
            problem = f"dimension of unknown input {node.attr[0]}"
        if problem:
            raise InvalidGraphError(f"after {after}: {node!r}: {problem}")
        for region in regions_of(node):
            if region not in done:
                done.add(region)
                _verify(body(region), after, done)
    for output in graph.outputs:
        if output.several is not None:
            raise InvalidGraphError(f"after {after}: output {output!r} has several values")
    for check in graph.checks:
        if check.condition.several is not None or check.condition.type != ArrayType(BOOL):
            problem = f"check {check.condition!r} is no boolean scalar"
            raise InvalidGraphError(f"after {after}: {problem}")


def _several_problem(node: Node) -> str | None:
    """Whether a node other than ``item`` has an operand of several values."""
    bad = [a for a in node.args if a.several is not None]
    return f"operand {bad[0]!r} has several values" if bad and node.op is not ops.ITEM else None


def _problem(node: Node) -> str | None:
    """What is wrong with the form of `node`: its operands, attributes and shape."""
    op = node.op
    for type in [node.type] if node.several is None else node.several:
        if problem := _form_problem(type):
            return problem
    if isinstance(op, ops.Elementwise):
        if len(node.args) != op.nin:
            return f"{len(node.args)} operands, not {op.nin}"
        bad = [a for a in node.args if a.ndim and a.shape != node.shape]
        return f"operand {bad[0]!r} has another shape" if bad else None
    if isinstance(op, ops.Reduction):
        x = node.args[0]
        if any(not 0 <= k < x.ndim for k in node.attr):
            return f"axes {node.attr} of an operand of {x.ndim} dimensions"
        kept = tuple(d for k, d in enumerate(x.shape) if k not in node.attr)
        return None if kept == node.shape else "shape is not the operand's without the axes"
    return None


def _form_problem(type: ArrayType) -> str | None:
    """What is wrong with a type by itself."""
    if type.dtype not in DTYPES:
        return f"dtype {type.dtype}"
    for d in type.shape:
        if isinstance(d, Node):
            if d.dtype != INT64 or d.ndim or not d.type.weak:
                return f"dimension {d!r} is no weak int64 scalar"
        elif d < 0:
            return f"negative dimension {d}"
    return None


def _type_problem(node: Node, trusting: bool) -> str | None:
    """What is wrong with the type of a node of good form."""
    op = node.op
    if isinstance(op, ops.Elementwise):
        return _loop_problem(node, op)
    if isinstance(op, ops.Reduction):
        dtype = INT64 if op in ops.ARG_REDUCTIONS else node.args[0].dtype
        return None if node.dtype == dtype else f"a reduction to {dtype} has dtype {node.dtype}"
    rule = RULES[op]
    found = rule.problem(node) if rule.problem is not None else None
    if found is None and not trusting and rule.lengths is not None:
        found = rule.lengths(node)
    return found


def _loop_problem(node: Node, op: ops.Elementwise) -> str | None:
    """Whether the ufunc of `op` has a loop of exactly these dtypes."""
    if op is ops.CAST:
        return None
    if op is ops.WHERE:
        condition, a, b = node.args
        good = condition.dtype == BOOL and a.dtype == b.dtype == node.dtype
        return None if good else "operands have other dtypes"
    if op.plain:
        return None
    if op in (ops.REAL, ops.IMAG):
        good = node.args[0].dtype.itemsize == 2 * node.dtype.itemsize
        return None if good else "result is no part of the operand"
    dtypes = tuple(a.dtype for a in node.args)
    try:
        loop = build.resolve(op.ufunc, dtypes)
    except TypeError as error:
        return str(error)
    if loop[: op.nin] != dtypes or loop[op.nin + op.output] != node.dtype:
        return f"the ufunc's loop is {' '.join(map(str, loop))}"
    return None
