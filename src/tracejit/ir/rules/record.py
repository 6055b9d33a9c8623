"""The record of a structural op: all that the passes of the IR must know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.derivatives import Missing
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node

Values = Mapping[Node, Any]
Env = Mapping[str, Any]
#: The value of a node from those of its operands, of its dimensions, and of the inputs by name.
Evaluate = Callable[[Node, list[Any], Values, Env], Any]
#: What is wrong with a node, or None.
Problem = Callable[[Node], str | None]
#: Nodes by what they are a batch of.
Batched = Mapping[Node, Node]
#: A batched node from the node, the batched ones among its operands, and the count.
Batch = Callable[[Node, Batched, Dim], Node]
#: The cotangent of each operand, or None, from the node and its own.
Cotangents = Sequence[Node | Missing | None]
Pull = Callable[[Node, Node], Cotangents]
#: A piece of a node's text, by the printer's names.
Text = Callable[[Any, Node], str]


class Roles(NamedTuple):
    """What the operands of a branch or loop are for; they have this order, but for `control`.

    `carried`    where a loop's values start: they have the first parameters and the first results
    `control`    what the op itself looks at: a predicate, a number of steps
    `sequences`  what it reads an element of at each step
    `captures`   what its regions take from around them: the last operands, and parameters
    `given`      the types of the parameters, those of the last operands, in terms of what is around
    `tests`      how many regions, the first ones, only decide; the others give the results
    `steps`      results that are not carried are stacks of this length, if there is one
    """

    carried: tuple[Node, ...]
    control: tuple[Node, ...]
    sequences: tuple[Node, ...]
    captures: tuple[Node, ...]
    given: tuple[ArrayType, ...]
    tests: int = 0
    steps: Dim | None = None


class NoDerivativeError(NotTraceable):
    """An op through which a gradient is asked for, and that has no derivative."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an op means and how it is treated.

    `evaluate`  its value, in NumPy: the meaning of the op
    `problem`   what is wrong with the form and the types of a node
    `lengths`   the same of lengths, which a check of the graph may make equal
    `inline`    the text that stands for a node which has no line of its own
    `static`    the text of its attributes; "" hides them
    `batch`     a batched node; None where the result for one value is no array of the same shape
    `pull`      the cotangents of its operands; None where it has no derivative
    `masked`    whether `pull` holds for masks of cotangents too
    `roles`     what its operands are for, if it has regions
    """

    evaluate: Evaluate
    problem: Problem | None = None
    lengths: Problem | None = None
    inline: Text | None = None
    static: Text | None = None
    batch: Batch | None = None
    pull: Pull | None = None
    masked: bool = False
    roles: Callable[[Node], Roles] | None = None


def length_of(d: Dim, values: Values) -> int:
    """The value of a dimension."""
    return int(values[d]) if isinstance(d, Node) else d


def shape_of(dims: tuple[Any, ...], values: Values) -> tuple[int, ...]:
    """The values of dimensions."""
    return tuple(length_of(d, values) for d in dims)


def batched_or_spread(node: Node, new: Batched, count: Dim) -> Node:
    """`node` batched, spread over the new axis where it is the same for all."""
    if node in new:
        return new[node]
    index = tuple((0, 1, k + 1) for k in range(node.ndim))
    return build.view(node, (count, *node.shape), index)


def zeros(shape: tuple[Dim, ...], dtype: np.dtype[Any]) -> Node:
    """An array of zeros."""
    return build.full(shape, build.constant(0, dtype))


def several_dtypes(node: Node) -> str | None:
    """The problem of a node whose operands and result differ in dtype."""
    same = all(a.dtype == node.dtype for a in node.args)
    return None if same else "operands and result have several dtypes"


def other_dtype(node: Node) -> str | None:
    """The problem of a node whose first operand and result differ in dtype."""
    same = node.args[0].dtype == node.dtype
    return None if same else "operands and result have several dtypes"
