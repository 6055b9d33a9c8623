"""Closing regions, and opening them again.

An open body is made of placeholders, for what each run of it is given, and of nodes around it. It
can be looked into, rewritten and joined with what is around it. Closed, it reaches parameters
alone. To change a region, open it, and close what has become of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tracejit.ir import dims, ops
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import ArrayType, Node, make, postorder
from tracejit.ir.region import (
    Check,
    Region,
    level,
    parameter,
    parameter_name,
    region,
    token,
)
from tracejit.ir.rewrite import length_over, replaced, with_operands

#: Where lengths are found: the position and the axis of a parameter.
Lengths = dict[Node, tuple[int, int]]

_numbers = itertools.count()


class Body(NamedTuple):
    """A region that is open: what it gives, and what must hold whenever it runs."""

    results: tuple[Node, ...]
    checks: tuple[Check, ...] = ()

    def roots(self) -> list[Node]:
        """Every node that must be computed."""
        return [*(c.condition for c in self.checks), *self.results]

    def replaced(
        self, table: Mapping[Node, Node], rule: Callable[[Node], Node] = lambda node: node
    ) -> Body:
        """The same with the nodes in `table` replaced, and `rule` applied to what reaches them."""
        return self.over(replaced(self.roots(), table, rule))

    def over(self, roots: Sequence[Node]) -> Body:
        """The same of what has become of the roots."""
        first = len(self.checks)
        checks = (replace(c, condition=r) for c, r in zip(self.checks, roots, strict=False))
        return Body(tuple(roots[first:]), tuple(checks))


def placeholder(type: ArrayType) -> Node:
    """What stands for a parameter while its region is open; no two are the same."""
    return make(ops.INPUT, (), (f"?{next(_numbers)}", type.shape, 0), type)


def opened(
    closed: Region, operands: Sequence[Node], rule: Callable[[Node], Node] = lambda node: node
) -> Body:
    """`closed` with its parameters replaced, and `rule` applied to what they reach."""
    table: dict[Node, Node] = {}
    for param, operand in zip(closed.params, operands, strict=True):
        name, _, number = param.attr
        table[param] = operand
        for axis, d in enumerate(operand.shape):
            table[dims.dim(name, axis, number)] = dims.as_node(d)
    return Body(closed.results, closed.checks).replaced(table, rule)


def close(
    bodies: Sequence[Body], params: Sequence[Node], around: Iterable[Node] = ()
) -> tuple[tuple[Region, ...], tuple[Node, ...]]:
    """The regions of `bodies` over the placeholders `params`, and what they capture.

    Captured are inputs that are no parameters, and the nodes `around`, whose operands are not
    looked at. A constant, or an array filled with one, is never captured. Captures are the last
    parameters, the same for all regions. A length is that of an axis of a parameter where there is
    such a one, else it is captured as a number.
    """
    roots = [node for body in bodies for node in body.roots()]
    outside = {n for n in around if n.several is None and not _is_constant(n)}
    outside |= _differentiated_by(roots, params)
    outside |= {a for n in outside for d in n.shape for a in _atoms(d)}
    known = _lengths(params, 0)
    order = postorder(roots, {*params, *outside, *known})
    captures = _captured(order, params, outside, known)
    depth = level(order)
    new: dict[Node, Node] = {}
    for d, (position, axis) in known.items():
        new[d] = dims.dim(parameter_name(position), axis, token(depth))
    given = [*params, *captures]
    # Numbers first: lengths are made of them.
    for position, node in sorted(enumerate(given), key=lambda each: each[1].ndim > 0):
        shape = tuple(length_over(d, new) if isinstance(d, Node) else d for d in node.shape)
        new[node] = parameter(position, ArrayType(node.dtype, shape, node.type.weak), depth)
    for node in order:
        if node not in new:
            new[node] = with_operands(node, new)
    inputs = [new[node] for node in given]
    closed = [body.over([new[root] for root in body.roots()]) for body in bodies]
    return tuple(region(inputs, b.results, b.checks) for b in closed), tuple(captures)


def _differentiated_by(roots: Sequence[Node], params: Sequence[Node]) -> set[Node]:
    """What derivatives are taken by, and is computed before: inside it would be another node."""
    order = postorder(roots)
    marks = {n for n in order if n.op is ops.MARKS["mark"]}
    if marks:
        inside = set(params)
        inside.update(n for n in order if any(a in inside for a in (*n.args, *n.dims)))
    return {n for n in marks if n not in inside}


def _captured(
    order: Sequence[Node], params: Sequence[Node], outside: Container[Node], known: Lengths
) -> list[Node]:
    """What bodies take from around them, arrays first; their lengths become `known`."""
    own = set(params)
    taken = [n for n in order if n in outside or n.op in (ops.INPUT, ops.DIM)]
    arrays = [n for n in taken if n not in own and n.type != INT_SCALAR]
    known |= {d: at for d, at in _lengths(arrays, len(params)).items() if d not in known}
    atoms = [a for node in (*params, *arrays) for d in node.shape for a in _atoms(d)]
    numbers = [n for n in (*taken, *atoms) if n.type == INT_SCALAR and n not in own]
    return [*arrays, *dict.fromkeys(n for n in numbers if n not in known)]


def _lengths(nodes: Sequence[Node], first: int) -> Lengths:
    """Where the lengths of `nodes` are found; the first of these has position `first`."""
    found: Lengths = {}
    for position, node in enumerate(nodes, first):
        for axis, d in enumerate(node.shape):
            if isinstance(d, Node) and d.op is not ops.POLY:
                found.setdefault(d, (position, axis))
    return found


def _atoms(d: Dim) -> tuple[Node, ...]:
    """What a length is a polynomial of."""
    if not isinstance(d, Node):
        return ()
    return d.args if d.op is ops.POLY else (d,)


def _is_constant(node: Node) -> bool:
    """Whether `node` is a constant, or an array filled with one."""
    return node.op is ops.CONST or (node.op is ops.VIEW and node.args[0].op is ops.CONST)
