"""The interpreter: what every op means, in NumPy, node by node.

It is the oracle of the tests, and what runs when compilation is off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tracejit.ir import ops
from tracejit.ir.node import Node, postorder
from tracejit.ir.types import INT64

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
    values: Values = {}
    with np.errstate(all="ignore"):
        for node in postorder(roots):
            try:
                values[node] = _weaken(node, _evaluate(node, values, env))
            except Exception as error:
                error.__tracejit_node__ = node  # type: ignore[attr-defined]
                raise
    return [values[r] for r in roots]


def _weaken(node: Node, value: Any) -> Any:
    if node.type.weak:
        return value.item() if isinstance(value, (np.generic, np.ndarray)) else value
    return np.asarray(value)


def _evaluate(node: Node, values: Values, env: Mapping[str, Any]) -> Any:
    op = node.op
    args = [values[a] for a in node.args]
    if isinstance(op, ops.Elementwise):
        return _elementwise(node, op, args)
    if isinstance(op, ops.Reduction):
        return _reduce(node, op, args[0])
    return _STRUCTURAL[op](node, args, values, env)


def _elementwise(node: Node, op: ops.Elementwise, args: list[Any]) -> Any:
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


def _dim_value(d: int | Node, values: Values) -> int:
    return int(values[d]) if isinstance(d, Node) else d


def _shape(dims: tuple[Any, ...], values: Values) -> tuple[int, ...]:
    return tuple(_dim_value(d, values) for d in dims)


def _input(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    return env[node.attr[0]]


def _const(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    return np.frombuffer(node.attr, node.dtype)[0]


def _dim(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    name, axis, _ = node.attr
    return env[name].shape[axis]


def _poly(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    return sum(factor * math.prod(int(args[i]) for i in monomial) for monomial, factor in node.attr)


def _iota(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    length = _dim_value(node.attr, values)
    if length < 0:
        raise ValueError("negative dimensions are not allowed")
    return np.arange(length, dtype=INT64)


def _view(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    return _apply_view(
        np.asarray(args[0]),
        _shape(node.attr[0], values),
        [(_dim_value(start, values), step, axis) for start, step, axis in node.attr[1]],
    )


def _apply_view(
    x: Any, shape: tuple[int, ...], index: Iterable[tuple[int, int, int | None]]
) -> np.ndarray:
    """The affine view of `x` that a view node describes, without a copy."""
    if 0 in shape:
        return np.empty(shape, x.dtype)
    strides = [0] * len(shape)
    corner = []
    for (start, step, axis), stride in zip(index, x.strides, strict=True):
        corner.append(start)
        if axis is not None:
            strides[axis] += step * stride
    base = x[(*corner, ...)] if corner else x
    return np.lib.stride_tricks.as_strided(base, shape, strides, writeable=False)


def _reshape(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    return args[0].reshape(_shape(node.attr, values))


def _gather(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    shape, picks = node.attr
    grid = np.ogrid[tuple(slice(n) for n in _shape(shape, values))]
    index = tuple(args[1 + k] if kind == "index" else grid[k] for kind, k in picks)
    return args[0][index]


def _scatter(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    result, y = np.array(args[0]), args[1]
    index = tuple(np.broadcast_to(p, np.shape(y)) for p in args[2:])
    if node.attr[0] == "add":
        np.add.at(result, index, y)
    else:
        result[index] = y
    return result


def _nonzero(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    return np.argwhere(args[0])


def _compress(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    return args[1][args[0]]


def _place(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    mask, result, y = args[0], np.array(args[1]), args[2]
    where = np.argwhere(mask)
    y = np.resize(y, len(where)) if node.attr else y
    where = where[: len(y)]
    result[tuple(where.T)] = y[: len(where)]
    return result


def _concatenate(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    return np.concatenate(args, axis=node.attr[0])


def _scan(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    name, axis = node.attr
    return ops.ELEMENTWISE[name].ufunc.accumulate(args[0], axis=axis, dtype=node.dtype)


def _draw(node: Node, args: list[Any], values: Values) -> Any:
    from tracejit.rng import words

    name, shape = node.attr
    return words.draw(name, args[0], _shape(shape, values), *args[1:])


def _matmul(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    return np.matmul(*args)


def _middle(node: Node, args: list[Any], values: Values, env: Mapping[str, Any]) -> Any:
    x = np.sort(args[0], axis=-1)
    missing = np.isnan(x).sum(-1, keepdims=True)
    count = x.shape[-1] - missing * node.attr
    places = np.concatenate([np.maximum(count - 1, 0) // 2, count // 2], axis=-1)
    if not node.attr:
        places = np.where(missing, x.shape[-1] - 1, places)
    return np.take_along_axis(x, places, axis=-1)


_STRUCTURAL: dict[ops.Op, Callable[[Node, list[Any], Values, Mapping[str, Any]], Any]] = {
    ops.INPUT: _input,
    ops.CONST: _const,
    ops.DIM: _dim,
    ops.POLY: _poly,
    ops.IOTA: _iota,
    ops.VIEW: _view,
    ops.RESHAPE: _reshape,
    ops.GATHER: _gather,
    ops.STRUCTURAL["custom"]: lambda node, args, values, env: args[0],
    ops.SCATTER: _scatter,
    ops.NONZERO: _nonzero,
    ops.COUNT: lambda node, args, values, env: np.int64(np.count_nonzero(args[0])),
    ops.POSITIONS: lambda node, args, values, env: np.flatnonzero(args[0]),
    ops.COMPRESS: _compress,
    ops.PLACE: _place,
    ops.CONCATENATE: _concatenate,
    ops.SCAN: _scan,
    ops.DRAW: lambda node, args, values, env: _draw(node, args, values)[0],
    ops.ADVANCE: lambda node, args, values, env: _draw(
        node.args[0], [values[a] for a in node.args[0].args], values
    )[1],
    ops.SORT: lambda node, args, values, env: np.sort(args[0], kind=node.attr),
    ops.ARGSORT: lambda node, args, values, env: np.argsort(args[0], kind=node.attr),
    ops.MIDDLE: _middle,
    ops.MATMUL: _matmul,
}
