"""Several values at once, branches and loops.

=======  ==========================================  ==============================================
op       operands, in this order                     results
=======  ==========================================  ==============================================
cond     a bool, captures                            of one region, which gets the captures
while    carried, captures                           carried, when the first region says no; both
                                                     regions get the operands
scan     carried, number of steps, sequences,        carried after the last step, then stacks of
         captures                                    what each step leaves; a step gets its number
                                                     and an element of each sequence
=======  ==========================================  ==============================================

A region is to `evaluate` a function of its parameters' values; it comes before the operands.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tracejit.ir import dims, ops
from tracejit.ir.control import items
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import ArrayType, Node
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rewrite import replaced
from tracejit.ir.rules.control_batch import cond_batch, scan_batch, tuple_batch
from tracejit.ir.rules.control_pull import cond_pull, scan_pull, tuple_pull, while_pull
from tracejit.ir.rules.control_push import cond_push, scan_push, tuple_push, while_push
from tracejit.ir.rules.record import (
    Batched,
    Env,
    Evaluate,
    Inside,
    Roles,
    Rule,
    Some,
    Values,
    Walk,
    shape_of,
)
from tracejit.ir.types import BOOL

#: A region, to the interpreter.
Run = Callable[..., list[Any]]


# Roles --------------------------------------------------------------------------------------------


def _types(nodes: tuple[Node, ...]) -> tuple[ArrayType, ...]:
    return tuple(node.type for node in nodes)


def _cond_roles(node: Node) -> Roles:
    captures = node.args[1:]
    return Roles((), node.args[:1], (), captures, _types(captures))


def _while_roles(node: Node) -> Roles:
    [count] = node.attr[1]
    return Roles(node.args[:count], (), (), node.args[count:], _types(node.args), tests=1)


def _scan_roles(node: Node) -> Roles:
    count, length = node.attr[1]
    carried, steps, rest = node.args[:count], node.args[count], node.args[count + 1 :]
    sequences, captures = rest[:length], rest[length:]
    elements = tuple(ArrayType(s.dtype, s.shape[1:]) for s in sequences)
    given = (*_types(carried), INT_SCALAR, *elements, *_types(captures))
    return Roles(carried, (steps,), sequences, captures, given, steps=dims.from_node(steps))


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


def _problem(node: Node, parts: Roles) -> str | None:
    """The faults of any branch or loop, but for lengths."""
    regions = regions_of(node)
    if len(regions) != len(node.op.regions):
        return f"{len(regions)} regions, not {len(node.op.regions)}"
    for name, region in zip(node.op.regions, regions, strict=True):
        params = [p.type for p in region.params]
        if len(params) != len(parts.given):
            return f"{name} has {len(params)} parameters, not {len(parts.given)}"
        for k, (param, given) in enumerate(zip(params, parts.given, strict=True)):
            if not _alike(param, given):
                return f"parameter {k} of {name} has another type than its operand"
    if any(not s.ndim for s in parts.sequences):
        return "a sequence has no axis"
    assert node.several is not None
    for name, region in list(zip(node.op.regions, regions, strict=True))[parts.tests :]:
        if len(region.results) != len(node.several):
            return "regions have another number of results"
        for k, result in enumerate(region.results):
            if k < len(parts.carried) and result.type != region.params[k].type:
                return f"carried value {k} has another type after a step"
            if not _alike(node.several[k], _stacked(result.type, k, parts)):
                return f"result {k} is not of the type that {name} gives"
    return None


def _alike(a: ArrayType, b: ArrayType) -> bool:
    return a.dtype == b.dtype and a.ndim == b.ndim and a.weak == b.weak


def _stacked(type: ArrayType, k: int, parts: Roles) -> ArrayType:
    """The type of a result, from what a region gives in its place."""
    if parts.steps is None or k < len(parts.carried):
        return type
    return ArrayType(type.dtype, (parts.steps, *type.shape))


def _cond_problem(node: Node, parts: Roles) -> str | None:
    good = parts.control[0].type == ArrayType(BOOL)
    return None if good else "the predicate is no boolean scalar"


def _while_problem(node: Node, parts: Roles) -> str | None:
    good = [r.type for r in regions_of(node)[0].results] == [ArrayType(BOOL)]
    return None if good else "the condition is no boolean scalar"


def _scan_problem(node: Node, parts: Roles) -> str | None:
    good = parts.control[0].type == INT_SCALAR
    return None if good else "the number of steps is no weak int64 scalar"


def _lengths_problem(node: Node, parts: Roles) -> str | None:
    """What is wrong with lengths, said in terms of what is around."""
    assert node.several is not None
    for position, (name, region) in enumerate(zip(node.op.regions, regions_of(node), strict=True)):
        known = lengths_outside(region, parts)
        for k, (param, given) in enumerate(zip(region.params, parts.given, strict=True)):
            if _shape(param.shape, known) != given.shape:
                return f"parameter {k} of {name} has another shape than its operand"
        for k, result in enumerate(region.results if position >= parts.tests else ()):
            type = ArrayType(result.dtype, _shape(result.shape, known))
            if _stacked(type, k, parts).shape != node.several[k].shape:
                return f"result {k} is not of the shape that {name} gives"
    if tuple(t.shape for t in node.several) != node.attr[2]:
        return "shapes are not those of its type"
    if any(s.shape[0] != parts.steps for s in parts.sequences):
        return "a sequence is not of one element a step"
    return None


def lengths_outside(region: Region, parts: Roles) -> dict[Node, Node]:
    """What the lengths in a region are outside: those of operands, and captured numbers."""
    known: dict[Node, Node] = {}
    for param, given in zip(region.params, parts.given, strict=True):
        name, _, token = param.attr
        for axis, d in enumerate(given.shape):
            known[dims.dim(name, axis, token)] = dims.as_node(d)
    captured = region.params[len(parts.given) - len(parts.captures) :]
    known |= zip(captured, parts.captures, strict=True)
    return known


def _shape(shape: Sequence[Dim], known: Mapping[Node, Node]) -> tuple[Dim, ...]:
    nodes = replaced([dims.as_node(d) for d in shape], known)
    return tuple(map(dims.from_node, nodes))


# Text ---------------------------------------------------------------------------------------------


def _static(names: Any, node: Node) -> str:
    words = ("carried", "sequences")
    text = ", ".join(f"{word} {n}" for word, n in zip(words, node.attr[1], strict=False))
    return f"({text})" if text else ""


def _item_batch(node: Node, new: Batched, count: Dim) -> Node:
    return items(new[node.args[0]])[node.attr]


class Derivative(NamedTuple):
    """The rules of an op with regions, backwards, forwards and for many values; see `Rule`.

    Each has the roles of the node's operands, too.
    """

    pull: Callable[[Node, Roles, Some, Container[Node], Walk], Some] | None = None
    push: Callable[[Node, Roles, Some, Walk], Some] | None = None
    batch: Callable[[Node, Roles, Batched, Dim, Inside], Node] | None = None


def record(
    evaluate: Evaluate,
    roles: Callable[[Node], Roles],
    problem: Callable[[Node, Roles], str | None],
    derivative: Derivative | None = None,
) -> Rule:
    """The record of an op with regions; `problem` is what is wrong with its own operands."""
    pull, push, batch = derivative or (None, None, None)
    return Rule(
        evaluate=evaluate,
        problem=lambda node: _problem(node, roles(node)) or problem(node, roles(node)),
        lengths=lambda node: _lengths_problem(node, roles(node)),
        static=_static,
        roles=roles,
        pulls=pull and (lambda node, gs, active, walk: pull(node, roles(node), gs, active, walk)),
        pushes=push and (lambda node, points, walk: push(node, roles(node), points, walk)),
        batches=batch and (lambda node, new, n, inside: batch(node, roles(node), new, n, inside)),
    )


RULES = {
    ops.TUPLE: Rule(
        evaluate=_tuple,
        problem=_tuple_problem,
        pulls=tuple_pull,
        pushes=tuple_push,
        batches=tuple_batch,
    ),
    ops.ITEM: Rule(evaluate=_item, problem=_item_problem, batch=_item_batch),
    ops.COND: record(
        _cond, _cond_roles, _cond_problem, Derivative(cond_pull, cond_push, cond_batch)
    ),
    ops.WHILE: record(_while, _while_roles, _while_problem, Derivative(while_pull, while_push)),
    ops.SCAN: record(
        _scan, _scan_roles, _scan_problem, Derivative(scan_pull, scan_push, scan_batch)
    ),
}
