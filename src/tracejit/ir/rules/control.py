"""Several values at once, branches and loops.

A region is to `evaluate` a function of its parameters' values; it comes before the operands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.ir import dims, ops
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import ArrayType, Node
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rewrite import replaced
from tracejit.ir.roles import Roles, roles
from tracejit.ir.rules.record import (
    Cotangents,
    Env,
    NoDerivativeError,
    Rule,
    Values,
    shape_of,
)
from tracejit.ir.types import BOOL

#: A region, to the interpreter.
Run = Callable[..., list[Any]]


# Values -------------------------------------------------------------------------------------------


def _tuple(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return args


def _item(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return args[0][node.attr]


def _cond(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    then, otherwise, predicate, *captures = args
    return then(*captures) if predicate else otherwise(*captures)


def _while(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    condition: Run = args[0]
    step: Run = args[1]
    [count] = node.attr[1]
    carried, captures = args[2 : 2 + count], args[2 + count :]
    while condition(*carried, *captures)[0]:
        carried = step(*carried, *captures)
    return carried


def _scan(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    step: Run = args[0]
    count, length = node.attr[1]
    carried, steps, rest = args[1 : 1 + count], args[1 + count], args[2 + count :]
    sequences, captures = rest[:length], rest[length:]
    assert node.several is not None
    stacks = [np.empty(shape_of(t.shape, values), t.dtype) for t in node.several[count:]]
    for k in range(steps):
        results = step(*carried, k, *(s[k] for s in sequences), *captures)
        carried = results[:count]
        for stack, value in zip(stacks, results[count:], strict=True):
            stack[k] = value
    return [*carried, *stacks]


# Faults -------------------------------------------------------------------------------------------


def _tuple_problem(node: Node) -> str | None:
    types = tuple(a.type for a in node.args)
    return None if node.several == types else "types are not those of the operands"


def _item_problem(node: Node) -> str | None:
    several = node.args[0].several
    if several is None or not 0 <= node.attr < len(several):
        return f"no item {node.attr} of the operand"
    return None if node.type == several[node.attr] else "type is not that of the item"


def _problem(node: Node) -> str | None:
    """The faults of a loop or branch, but for lengths."""
    if len(regions_of(node)) != len(node.op.regions):
        return f"{len(regions_of(node))} regions, not {len(node.op.regions)}"
    parts = roles(node)
    for name, region in zip(node.op.regions, regions_of(node), strict=True):
        params = [p.type for p in region.params]
        if len(params) != len(parts.given):
            return f"{name} has {len(params)} parameters, not {len(parts.given)}"
        for k, (param, given) in enumerate(zip(params, parts.given, strict=True)):
            if not _alike(param, given):
                return f"parameter {k} of {name} has another type than its operand"
    assert node.several is not None
    for k, (found, made) in enumerate(zip(node.several, _made(node, parts), strict=False)):
        if not _alike(found, made):
            return f"result {k} has another type than its region's"
    counts = {len(r.results) for r in _giving(node)}
    return _role_problem(node, parts) or (
        None if counts == {len(node.several)} else "regions have another number of results"
    )


def _role_problem(node: Node, parts: Roles) -> str | None:
    """What is wrong with the values that the op itself looks at, or carries."""
    regions = regions_of(node)
    if node.op is ops.COND:
        [predicate], (then, otherwise) = parts.control, regions
        if predicate.type != ArrayType(BOOL):
            return "the predicate is no boolean scalar"
        pairs = zip(then.results, otherwise.results, strict=False)
        if not all(_alike(a.type, b.type) for a, b in pairs):
            return "the branches give several types"
    if node.op is ops.WHILE and [r.type for r in regions[0].results] != [ArrayType(BOOL)]:
        return "the condition is no boolean scalar"
    if node.op is ops.SCAN:
        if parts.control[0].type != INT_SCALAR:
            return "the number of steps is no weak int64 scalar"
        if any(not s.ndim for s in parts.sequences):
            return "a sequence has no axis"
    step = regions[-1]
    for k in range(len(parts.carried)):
        if step.results[k : k + 1] and step.results[k].type != step.params[k].type:
            return f"carried value {k} has another type after a step"
    return None


def _alike(a: ArrayType, b: ArrayType) -> bool:
    return a.dtype == b.dtype and a.ndim == b.ndim and a.weak == b.weak


def _giving(node: Node) -> Sequence[Region]:
    """The regions that give the results of `node`."""
    return regions_of(node)[1:] if node.op is ops.WHILE else regions_of(node)


def _made(node: Node, parts: Roles) -> Iterator[ArrayType]:
    """The types of the results, by the region that gives them, over its parameters."""
    for k, result in enumerate(_giving(node)[0].results):
        stacked = node.op is ops.SCAN and k >= len(parts.carried)
        if stacked:
            yield ArrayType(result.dtype, (dims.from_node(parts.control[0]), *result.shape))
        else:
            yield result.type


def _lengths_problem(node: Node) -> str | None:
    """What is wrong with lengths, said in terms of what is around."""
    parts = roles(node)
    for name, region in zip(node.op.regions, regions_of(node), strict=True):
        known = _known(region, node, parts)
        for k, (param, given) in enumerate(zip(region.params, parts.given, strict=True)):
            if _shape(param.shape, known) != given.shape:
                return f"parameter {k} of {name} has another shape than its operand"
    assert node.several is not None
    if tuple(t.shape for t in node.several) != node.attr[2]:
        return "shapes are not those of its type"
    for region in _giving(node):
        known = _known(region, node, parts)
        for k, result in enumerate(region.results):
            shape = node.several[k].shape
            if node.op is ops.SCAN and k >= len(parts.carried):
                if shape[0] != dims.from_node(parts.control[0]):
                    return f"result {k} is not of one element a step"
                shape = shape[1:]
            if _shape(result.shape, known) != shape:
                return f"result {k} has another shape than its region's"
    for s in parts.sequences:
        if s.shape[0] != dims.from_node(parts.control[0]):
            return "a sequence is not of one element a step"
    return None


def _known(region: Region, node: Node, parts: Roles) -> dict[Node, Node]:
    """What the lengths in a region are outside: those of operands, and captured numbers."""
    known: dict[Node, Node] = {}
    operands = [*[None] * (len(parts.given) - len(parts.captures)), *parts.captures]
    for param, given, operand in zip(region.params, parts.given, operands, strict=True):
        name, _, token = param.attr
        for axis, d in enumerate(given.shape):
            known[dims.dim(name, axis, token)] = dims.as_node(d)
        if operand is not None and operand.type == INT_SCALAR:
            known[param] = operand
    return known


def _shape(shape: Sequence[Dim], known: Mapping[Node, Node]) -> tuple[Dim, ...]:
    nodes = replaced([dims.as_node(d) for d in shape], known)
    return tuple(map(dims.from_node, nodes))


# Text ---------------------------------------------------------------------------------------------


def _static(names: Any, node: Node) -> str:
    words = ("carried", "sequences")
    return ", ".join(f"{word} {n}" for word, n in zip(words, node.attr[1], strict=False))


# Derivatives --------------------------------------------------------------------------------------


def _item_pull(node: Node, g: Node) -> Cotangents:
    raise NoDerivativeError(
        f"{node.args[0].op.name} has no derivative", "take it out of what is differentiated"
    )


RULES = {
    ops.TUPLE: Rule(evaluate=_tuple, problem=_tuple_problem),
    ops.ITEM: Rule(evaluate=_item, problem=_item_problem, pull=_item_pull),
    **{
        op: Rule(evaluate=value, problem=_problem, lengths=_lengths_problem, static=_static)
        for op, value in ((ops.COND, _cond), (ops.WHILE, _while), (ops.SCAN, _scan))
    },
}
