"""The record of a structural op: all that the passes of the IR must know of it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

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
#: Derivatives of several values; None where they are zero.
Some = Sequence[Node | None]
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


class Walk(Protocol):
    """What the rules of branches and loops differentiate their regions by.

    With `checkpoint` a loop's values are kept at some of its steps, and computed again between;
    else at all.
    """

    checkpoint: bool

    def pulled(
        self, outputs: Sequence[Node], cotangents: Sequence[Node], targets: Sequence[Node]
    ) -> list[Node | None]:
        """The cotangents of `targets`, where `outputs` have the given ones."""

    def pushed(
        self, outputs: Sequence[Node], targets: Sequence[Node], points: Sequence[Node]
    ) -> list[Node | None]:
        """The derivatives of `outputs` where `targets` move along `points`."""

    def reached(self, outputs: Sequence[Node], targets: Sequence[Node]) -> set[Node]:
        """What on the way to `outputs` has a derivative with respect to one of `targets`."""

    def join(self, node: Node, other: Node) -> None:
        """Let `other`, which has the values of `node` that a derivative needs more of, be it."""

    def settled(self, nodes: Sequence[Node]) -> list[Node]:
        """`nodes` over what others have been joined to."""


#: The cotangents of the operands of a node with several results, from those of its results, and the
#: operands that matter.
Pulls = Callable[[Node, Some, Container[Node], Walk], Some]
#: The derivatives of its results, from those of its operands.
Pushes = Callable[[Node, Some, Walk], Some]
#: Nodes batched: `outputs` where some inputs are, by what they are a batch of.
Inside = Callable[[Sequence[Node], Batched, Dim], list[Node]]
#: A batched branch or loop.
Batches = Callable[[Node, Batched, Dim, Inside], Node]


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

    Of an op with several results there are in the place of `batch` and `pull`

    `batches`   a batched node, which is one in all its results
    `pulls`     the cotangents of its operands from those of its results
    `pushes`    the derivatives of its results from those of its operands
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
    batches: Batches | None = None
    pulls: Pulls | None = None
    pushes: Pushes | None = None


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
