"""The interpreter: what every op means, in NumPy, node by node.

It is the oracle of the tests, and what runs when compilation is off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from tracejit.errors import FailedCheckError
from tracejit.ir import ops
from tracejit.ir.node import ArrayType, Node, postorder
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rules import RULES
from tracejit.native.hostcalls import frame

Values = dict[Node, Any]


def evaluate(roots: Iterable[Node], env: Mapping[str, Any]) -> list[Any]:
    """Values of `roots` with the graph's inputs taken from `env` by name.

    Weak nodes give Python numbers, the others arrays (0-d for scalars). Exceptions carry the node
    that raised as ``__tracejit_node__``.

    >>> from tracejit.ir import build
    >>> x = build.input("x", np.dtype(np.float64), (3,))
    >>> [y] = evaluate([build.elementwise("add", x, build.constant(1.0))], {"x": np.arange(3.0)})
    >>> y
    array([1., 2., 3.])
    """
    roots = list(roots)
    with np.errstate(all="ignore"), frame():
        values = _computed(postorder(roots), env)
    return [values[r] for r in roots]


def _computed(
    order: Sequence[Node], env: Mapping[str, Any], checks: Mapping[Node, str] = MappingProxyType({})
) -> Values:
    values: Values = {}
    for node in order:
        try:
            values[node] = _weaken(node, _evaluate(node, values, env))
        except Exception as error:
            if not hasattr(error, "__tracejit_node__"):  # a region knows more exactly
                error.__tracejit_node__ = node  # type: ignore[attr-defined]
            raise
        if node in checks and not values[node]:
            raise FailedCheckError(checks[node])
    return values


def _run(region: Region) -> Callable[..., list[Any]]:
    """`region` as a function of the values of its parameters."""
    order, names = region.nodes(), [p.attr[0] for p in region.params]
    checks = {c.condition: c.reason for c in region.checks}

    def run(*operands: Any) -> list[Any]:
        values = _computed(order, dict(zip(names, operands, strict=True)), checks)
        return [values[r] for r in region.results]

    return run


def _weaken(node: Node, value: Any) -> Any:
    if node.several is None:
        return _as_type(node.type, value)
    return tuple(map(_as_type, node.several, value))


def _as_type(type: ArrayType, value: Any) -> Any:
    if type.weak:
        return value.item() if isinstance(value, (np.generic, np.ndarray)) else value
    return np.asarray(value)


def _evaluate(node: Node, values: Values, env: Mapping[str, Any]) -> Any:
    op = node.op
    args = [*map(_run, regions_of(node)), *(values[a] for a in node.args)]
    if isinstance(op, ops.Elementwise):
        return elementwise(node, op, args)
    if isinstance(op, ops.Reduction):
        return _reduce(node, op, args[0])
    return RULES[op].evaluate(node, args, values, env)


def elementwise(node: Node, op: ops.Elementwise, args: list[Any]) -> Any:
    """The value of an elementwise node from those of its operands."""
    if op is ops.CAST:
        return np.asarray(args[0]).astype(node.dtype)
    if op is ops.WHERE:
        return np.where(*args)
    if op.plain:
        return op.function(*args)
    if op is ops.REAL:
        return np.real(args[0])
    if op is ops.IMAG:
        return np.imag(args[0])
    if node.type.weak:
        # Python's arithmetic on Python numbers; NumPy's 0-d result is the same number.
        args = [np.asarray(a, arg.dtype) for a, arg in zip(args, node.args, strict=True)]
    result = op.ufunc(*args)
    return result[op.output] if op.ufunc.nout > 1 else result


def _reduce(node: Node, op: ops.Reduction, x: np.ndarray) -> Any:
    axes = node.attr
    if op in ops.ARG_REDUCTIONS:
        function = np.argmax if op.name == "argmax" else np.argmin
        kept = [k for k in range(x.ndim) if k not in axes]
        length = math.prod(x.shape[k] for k in axes)
        rows = x.transpose(*kept, *axes).reshape([*(x.shape[k] for k in kept), length])
        return function(rows, axis=-1)
    ufunc = ops.ELEMENTWISE[op.combine].ufunc
    start = ops.identity(op.name, x.dtype)
    if op.combine.startswith("logical"):
        return ufunc.reduce(x, axis=axes).astype(x.dtype)
    if op.combine in ("add", "multiply"):
        return ufunc.reduce(x, axis=axes, initial=start, dtype=x.dtype)
    return ufunc.reduce(x, axis=axes, initial=start)
