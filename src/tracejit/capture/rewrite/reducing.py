"""Builtins that make one value of many, also ``max`` and ``min`` of several traced scalars."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.ir import dims
from tracejit.ir.dims import INT_SCALAR
from tracejit.trace import branches, counted
from tracejit.trace.mixed import Mixed, chosen
from tracejit.trace.tracer import Tracer, wrap


def _extreme(python: Any, beyond: Callable[[Any, Any], Any], *args: Any, **kwargs: Any) -> Any:
    """``max`` or ``min``; of traced scalars the first that nothing is beyond, as Python's."""
    traced = any(isinstance(a, (Tracer, Mixed)) for a in args)
    if len(args) < 2 or kwargs or not traced or not all(map(_is_scalar, args)):
        return python(*args, **kwargs)
    best = args[0]
    for other in args[1:]:
        lengths = [v.node for v in _plain(best, other) if v.node.type == INT_SCALAR]
        if len(lengths) == 2:
            extreme = dims.maximum if python is max else dims.minimum
            best = counted.wrap_length(extreme(*map(dims.from_node, lengths)))
            continue
        test = beyond(other, best)
        if isinstance(test, (Tracer, Mixed)):
            best = chosen(branches.predicate(test), other, best)
        elif test:
            best = other
    return best


def _plain(*values: Any) -> list[Tracer]:
    """Those that are of one class for certain."""
    return [wrap(v) for v in values if not isinstance(v, Mixed)]


def _is_scalar(value: Any) -> bool:
    if isinstance(value, Tracer):
        return value.kind != "array"
    return isinstance(value, (int, float, np.generic, Mixed))


def is_row(value: Any) -> bool:
    """Whether a value is an array whose elements a builtin goes over."""
    return isinstance(value, Tracer) and value.kind == "array" and value.node.ndim == 1


#: The builtins that loops can be.
REDUCTIONS: dict[Any, Callable[..., Any]] = {
    any: any,
    all: all,
    sum: sum,
    max: functools.partial(_extreme, max, operator.gt),
    min: functools.partial(_extreme, min, operator.lt),
}
