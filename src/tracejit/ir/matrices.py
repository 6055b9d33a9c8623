"""Builders over stacks of matrices: the last two axes are rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.ir import build, dims, gufuncs, ops
from tracejit.ir.dims import Dim
from tracejit.ir.gufuncs import GUFUNCS
from tracejit.ir.node import Node, make


def turned(x: Node) -> Node:
    """The matrices transposed."""
    return build.transpose(x, [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2])


def conjugate(x: Node) -> Node:
    """The conjugate; itself where it is real."""
    return build.elementwise("conjugate", x) if x.dtype.kind == "c" else x


def adjoint(x: Node) -> Node:
    """The matrices transposed and conjugated."""
    return conjugate(turned(x))


def multiply(a: Node, b: Node, *more: Node) -> Node:
    """Products of matrices of one dtype, whose stacks broadcast."""
    result = _product(a, b)
    for c in more:
        result = _product(result, c)
    return result


def _product(a: Node, b: Node) -> Node:
    stack = build.broadcast_shapes([a.shape[:-2], b.shape[:-2]])
    a, b = (build.broadcast_to(x, (*stack, *x.shape[-2:])) for x in (a, b))
    return build.matmul(a, b)


def as_rows(x: Node) -> Node:
    """Vectors as rows, which are spread over the rows of matrices."""
    return build.expand_dims(x, (x.ndim - 1,))


def as_columns(x: Node) -> Node:
    """Vectors as columns."""
    return build.expand_dims(x, (x.ndim,))


def positions(x: Node) -> tuple[Node, Node]:
    """The row and the column of each element."""
    rows, columns = x.shape[-2:]
    shape = (rows, columns)
    row = build.view(build.iota(rows), shape, ((0, 1, 0),))
    return row, build.view(build.iota(columns), shape, ((0, 1, 1),))


def chosen(mask: Node, x: Node, other: Any = 0) -> Node:
    """`x` where a mask of one matrix holds, else a number."""
    mask = build.broadcast_to(mask, x.shape)
    return build.where(mask, x, build.constant(other, x.dtype))


def lower(x: Node, diagonal: bool = True) -> Node:
    """What is below the diagonal, or also on it."""
    row, column = positions(x)
    return chosen(build.elementwise("greater_equal" if diagonal else "greater", row, column), x)


def upper(x: Node, diagonal: bool = True) -> Node:
    """What is above the diagonal, or also on it."""
    row, column = positions(x)
    return chosen(build.elementwise("less_equal" if diagonal else "less", row, column), x)


def on_diagonal(x: Node) -> Node:
    """The diagonals, in matrices that are zero elsewhere."""
    return chosen(build.elementwise("equal", *positions(x)), x)


def diagonal(x: Node) -> Node:
    """The diagonals of square matrices, as vectors."""
    stack = x.ndim - 2
    index = (*((0, 1, k) for k in range(stack)), (0, 1, stack), (0, 1, stack))
    return build.view(x, x.shape[:-1], index)


def identity(n: Dim, dtype: np.dtype[Any]) -> Node:
    """The identity."""
    row, column = (build.view(build.iota(n), (n, n), ((0, 1, k),)) for k in (0, 1))
    return build.cast(build.elementwise("equal", row, column), dtype)


def reciprocal(x: Node) -> Node:
    """``1 / x``, and 0 where `x` is."""
    one, zero = (build.constant(n, x.dtype) for n in (1, 0))
    is_zero = build.elementwise("equal", x, zero)
    return build.where(
        is_zero, zero, build.elementwise("divide", one, build.where(is_zero, one, x))
    )


def first_columns(x: Node, count: Dim) -> Node:
    """The first columns."""
    index = tuple((0, 1, k) for k in range(x.ndim))
    return build.view(x, (*x.shape[:-1], count), index)


def first_rows(x: Node, count: Dim) -> Node:
    """The first rows."""
    index = tuple((0, 1, k) for k in range(x.ndim))
    return build.view(x, (*x.shape[:-2], count, x.shape[-1]), index)


def last_columns(x: Node, start: Dim) -> Node:
    """The columns from a place on."""
    index = (*((0, 1, k) for k in range(x.ndim - 1)), (start, 1, x.ndim - 1))
    return build.view(x, (*x.shape[:-1], dims.sub(x.shape[-1], start)), index)


def last_rows(x: Node, start: Dim) -> Node:
    """The rows from a place on."""
    return turned(last_columns(turned(x), start))


def gufunc(name: str, types: str, *args: Node, **lengths: Dim) -> list[Node]:
    """The results of a row, where "x" in its types is the dtype of the first operand."""
    char = args[0].dtype.char
    return gufuncs.call(GUFUNCS[name], types.replace("x", char), args, **lengths)[0]


def solve(a: Node, b: Node) -> Node:
    """The solution of ``a @ x = b`` for columns of `b`."""
    [x] = gufunc("solve", "xx->x", a, b)
    return x


def with_derivative(rule: str, value: Node, operands: Sequence[Node]) -> Node:
    """`value`, whose cotangent goes to the operands by the rule of a name."""
    return make(ops.STRUCTURAL["custom"], (value, *operands), rule, value.type, value.origin)


def with_form(value: Node, other: Node) -> Node:
    """`value`, which is differentiated by another form of it."""
    other = build.cast(other, value.dtype)
    return make(ops.STRUCTURAL["custom"], (value, other), ops.EXACT, value.type, value.origin)
