"""What the operands of loops and branches are for."""

from __future__ import annotations

from typing import NamedTuple

from tracejit.ir import ops
from tracejit.ir.dims import INT_SCALAR
from tracejit.ir.node import ArrayType, Node


class Roles(NamedTuple):
    """The operands of a loop or branch, in their order but for `control`.

    `carried`    where a loop's values start: they have the first parameters and the first results
    `control`    a branch's predicate, or a scan's number of steps; of a ``while`` none
    `sequences`  what a scan reads an element of at each step
    `captures`   what a region takes from around it
    `given`      the types of the parameters, in terms of what is around
    """

    carried: tuple[Node, ...]
    control: tuple[Node, ...]
    sequences: tuple[Node, ...]
    captures: tuple[Node, ...]
    given: tuple[ArrayType, ...]


def roles(node: Node) -> Roles:
    """The operands of `node`, which has regions, by what they are for."""
    args, counts = node.args, node.attr[1]
    if node.op is ops.COND:
        return Roles((), args[:1], (), args[1:], _types(args[1:]))
    if node.op is ops.WHILE:
        [count] = counts
        return Roles(args[:count], (), (), args[count:], _types(args))
    carried, length = counts
    first = carried + 1
    sequences, captures = args[first : first + length], args[first + length :]
    elements = tuple(ArrayType(s.dtype, s.shape[1:]) for s in sequences)
    given = (*_types(args[:carried]), INT_SCALAR, *elements, *_types(captures))
    return Roles(args[:carried], args[carried:first], sequences, captures, given)


def _types(nodes: tuple[Node, ...]) -> tuple[ArrayType, ...]:
    return tuple(node.type for node in nodes)
