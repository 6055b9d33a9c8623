"""``ifelse``: one of two values, of which only that one is computed."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.stacks import last_rows
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import node_of, opcode
from tracejit.symbolic.replay import Side
from tracejit.tensor.opviews import VIEWS, OpView
from tracejit.trace.branches import if_true
from tracejit.trace.effects import NOTHING
from tracejit.trace.trace import current
from tracejit.trace.tracer import Tracer


@opcode(
    "ifelse",
    types=lambda count, inputs: [v.type for v in inputs[1 : 1 + count]],
    sides=lambda count: (range(1, 1 + count), range(1 + count, 1 + 2 * count)),
)
def _ifelse(count: int, test: Any, then: Side, otherwise: Side) -> Any:
    """attr: how many values a side has."""
    trace = current()
    if trace is None:
        return tuple(then() if np.asarray(test).any() else otherwise())
    decided = Tracer(node_of(test), "scalar")
    first, second = (functools.partial(_values, side) for side in (then, otherwise))
    held = [v for side in (then, otherwise) for v in side.around() if isinstance(v, Tracer)]
    try:
        return if_true(trace, decided, first, second, NOTHING, held)
    except NotTraceable as refusal:
        if not trace.is_known(decided.node):
            raise
        refusal.forget()  # they may be of several shapes: which is taken, the arguments tell
        return first() if trace.truth(decided.node) else second()


def _values(side: Side) -> tuple[Tracer, ...]:
    """What a side computes, as values of its types."""
    pairs = zip(side(), side.variables, strict=True)
    nodes = last_rows([build.cast(node_of(x), v.type.numpy_dtype) for x, v in pairs])
    return tuple(Tracer(n, "array" if n.ndim else "scalar") for n in nodes)


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: str | None = None) -> Any:
    """`then_branch` where the scalar `condition` is not 0, else `else_branch`.

    What only the other one needs is not computed. Each may be a list or a tuple of values; so is
    the result then. `T.switch` chooses element by element, and computes both.

    Raises TypeError where the types of the two differ, ValueError where there are more of one.

    >>> import tracejit, tracejit.tensor as T
    >>> a, b = T.dscalars("a", "b")
    >>> x, y = T.dmatrices("x", "y")
    >>> smaller = tracejit.function([a, b, x, y], ifelse(T.lt(a, b), T.mean(x), T.mean(y)))
    >>> smaller(0, 1, np.zeros((2, 2)), np.ones((2, 2)))
    array(0.)
    """
    kind = next((type(v) for v in (then_branch, else_branch) if isinstance(v, (list, tuple))), None)
    sides = [
        [_variable(v) for v in (side if isinstance(side, (list, tuple)) else [side])]
        for side in (then_branch, else_branch)
    ]
    test = as_tensor_variable(condition)
    if test.ndim:
        raise TypeError(f"the condition of ifelse is a scalar, not {test.type}")
    if len(sides[0]) != len(sides[1]):
        raise ValueError(
            "The number of values on the `then` branch should have the same number of variables as "
            f"the `else` branch : (variables on `then` {len(sides[0])}, variables on `else` "
            f"{len(sides[1])})"
        )
    for a, b in zip(*sides, strict=True):
        if a.type != b.type:
            raise TypeError(
                f"The two branches should have identical types, but they are {a.type} and {b.type} "
                "respectively. This error could be raised if for example you provided a one "
                "element list on the `then` branch but a tensor on the `else` branch."
            )
    found = apply("ifelse", [test, *sides[0], *sides[1]], len(sides[0]))
    for v in found:
        v.name = name
    return found[0] if kind is None else kind(found)


def _variable(x: Any) -> Any:
    return x if isinstance(x, Variable) else as_tensor_variable(x)


class IfElse(OpView):
    """The op of what `ifelse` gives: ``isinstance(variable.owner.op, IfElse)``."""

    def __str__(self) -> str:
        return "if"


VIEWS["ifelse"] = IfElse

__all__ = ["IfElse", "ifelse"]
