"""What a step function returns: outputs, updates and a condition, in the orders that Theano has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracejit.gof.graph import is_same_graph
from tracejit.symbolic.convert import as_tensor_variable, constant, join
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.replacing import clone, map_variables
from tracejit.tensor.creation import alloc

_CONTENT = (
    "The return value of your scan lambda expression may only be made of lists, tuples, or "
    "dictionaries containing variables (or `until` objects for conditions). In particular if you "
    "need to use constant values, you can use `tensor.constant` to turn them into variables."
)
_ORDER = (
    "The return value of the lambda function has been restricted. you have to always return first "
    "the outputs (if any), afterwards the updates (if any) and at the end the condition"
)


class until:
    """Ends a loop after the step at which `condition`, a symbolic scalar, holds.

    >>> import tracejit, tracejit.tensor as T
    >>> def step(x):
    ...     return x * 2, until(x * 2 > 100)
    >>> powers, _ = tracejit.scan(step, outputs_info=T.constant(1.0), n_steps=1000)
    >>> tracejit.function([], powers)()
    array([  2.,   4.,   8.,  16.,  32.,  64., 128.], dtype=float32)
    """

    def __init__(self, condition: Any) -> None:
        self.condition = as_tensor_variable(condition)
        if self.condition.ndim:
            raise TypeError("the condition of until is a scalar", condition)


def get_updates_and_outputs(
    returned: Any,
) -> tuple[Variable | None, list[Variable], dict[Any, Any]]:
    """The condition (or None), the outputs and the updates that a step function has returned.

    Raises ValueError for what is none of the orders: outputs, updates, condition, each of which
    may be left out.
    """
    if not _allowed(returned):
        raise ValueError(_CONTENT)
    if _is_outputs(returned):
        return None, _listed(returned), {}
    if _is_updates(returned):
        return None, [], dict(returned)
    problem = ValueError(f"Scan cannot parse the return value of your step: {returned}")
    if isinstance(returned, until):
        return returned.condition, [], {}
    if not isinstance(returned, (list, tuple)) or not 2 <= len(returned) <= 3:
        raise problem
    first, *rest = returned
    if _is_updates(first) and not _is_outputs(first):
        if len(rest) == 1 and isinstance(rest[0], until):
            return rest[0].condition, [], dict(first)
        raise ValueError(_ORDER) if _is_outputs(rest[0]) else problem
    if not _is_outputs(first):
        raise problem
    outputs = _listed(first)
    if len(rest) == 1 and isinstance(rest[0], until):
        return rest[0].condition, outputs, {}
    if not _is_updates(rest[0]):
        raise problem
    if len(rest) == 1:
        return None, outputs, dict(rest[0])
    if not isinstance(rest[1], until):
        raise problem
    return rest[1].condition, outputs, dict(rest[0])


def _allowed(x: Any) -> bool:
    if isinstance(x, Mapping):
        return all(map(_allowed, x.items()))
    if isinstance(x, (list, tuple)):
        return all(map(_allowed, x))
    return isinstance(x, (Variable, until))


def _is_outputs(x: Any) -> bool:
    return isinstance(x, Variable) or (
        isinstance(x, (list, tuple)) and all(isinstance(v, Variable) for v in x)
    )


def _is_updates(x: Any) -> bool:
    return isinstance(x, Mapping) or (
        isinstance(x, (list, tuple))
        and all(isinstance(p, (list, tuple)) and len(p) == 2 for p in x)
    )


def _listed(x: Any) -> list[Variable]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


def equal_computations(xs: Any, ys: Any, in_xs: Any = None, in_ys: Any = None) -> bool:
    """Whether two lists of variables are computed alike, of inputs that stand for each other."""
    givens = dict(zip(in_xs or (), in_ys or (), strict=True))
    pairs = zip(xs, ys, strict=True)
    return len(xs) == len(ys) and all(is_same_graph(x, y, givens) for x, y in pairs)


def expand_empty(tensor_var: Any, size: Any) -> Any:
    """`tensor_var` with `size` more rows at its end, of zeros."""
    if isinstance(size, int) and size == 0:
        return tensor_var
    rest = [tensor_var.shape[k] for k in range(1, tensor_var.ndim)]
    more = alloc(constant(np.zeros((), tensor_var.dtype)), size, *rest)
    return join(0, tensor_var, more)


def infer_shape(outs: Any, inputs: Any, input_shapes: Any) -> list[Any]:
    """The shapes of `outs`, as tuples of scalars."""
    return [tuple(v.shape[k] for k in range(v.ndim)) for v in outs]


__all__ = [
    "clone",
    "equal_computations",
    "expand_empty",
    "get_updates_and_outputs",
    "infer_shape",
    "map_variables",
    "until",
]
