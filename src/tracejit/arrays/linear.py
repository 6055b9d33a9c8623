"""Products of vectors and matrices."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tracejit.arrays.common import axis_index, call, dtype_argument, shown, strong
from tracejit.arrays.shaping import moveaxis
from tracejit.arrays.ufuncs import GENERALISED
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, value

SIGNATURES = {
    "matmul": "(n?,k),(k,m?)->(n?,m?)",
    "vecdot": "(n),(n)->()",
    "matvec": "(m,n),(n)->(m)",
    "vecmat": "(n),(n,m)->(m)",
}


def _common(a: Any, b: Any, dtype: Any = None) -> tuple[Node, Node]:
    x, y = strong(a), strong(b)
    wanted = np.result_type(x.dtype, y.dtype) if dtype is None else dtype
    target = dtype_argument(wanted)
    return build.cast(x, target), build.cast(y, target)


def _mismatch(name: str, operand: int, core: int, size: Dim, other: Dim) -> ShapeError:
    known, expected = (build.solver().value(d) for d in (size, other))
    return ShapeError(
        f"{name}: Input operand {operand} has a mismatch in its core dimension {core}, with "
        f"gufunc signature {SIGNATURES[name]} (size {known} is different from {expected})"
    )


def _need_axes(name: str, *ranks: tuple[Node, int]) -> None:
    for k, (x, rank) in enumerate(ranks):
        if x.ndim < rank:
            raise ShapeError(
                f"{name}: Input operand {k} does not have enough dimensions (has {x.ndim}, gufunc "
                f"core with signature {SIGNATURES[name]} requires {rank})"
            )


def product(x: Node, y: Node) -> Node:
    """Matrix product of stacks of matrices, which broadcast; the inner lengths agree."""
    stack = build.broadcast_shapes([x.shape[:-2], y.shape[:-2]])
    x = build.broadcast_to(x, (*stack, *x.shape[-2:]))
    y = build.broadcast_to(y, (*stack, *y.shape[-2:]))
    return build.matmul(x, y)


def matmul(a: Any, b: Any, *, dtype: Any = None, axes: Any = None, **other: Any) -> Tracer:
    """``np.matmul``."""
    _plain("matmul", axes, other)
    x, y = _common(a, b, dtype)
    _need_axes("matmul", (x, 1), (y, 1))
    inner = y.shape[0] if y.ndim == 1 else y.shape[-2]
    if not build.solver().equal(x.shape[-1], inner):
        raise _mismatch("matmul", 1, 0, inner, x.shape[-1])
    row, column = x.ndim == 1, y.ndim == 1
    if row:
        x = build.expand_dims(x, (0,))
    if column:
        y = build.expand_dims(y, (1,))
    result = product(x, y)
    gone = ([result.ndim - 2] if row else []) + ([result.ndim - 1] if column else [])
    return value(build.squeeze(result, gone))


def _plain(name: str, axes: Any, other: dict[str, Any]) -> None:
    if axes is not None or any(v is not None and v is not False for v in other.values()):
        raise NotTraceable(f"np.{name} with axes is not compiled")


def _conjugated(x: Node) -> Node:
    return call("conjugate", x) if x.dtype.kind == "c" else x


def vecdot(
    a: Any, b: Any, *, axis: Any = -1, dtype: Any = None, axes: Any = None, **other: Any
) -> Tracer:
    """``np.vecdot``: the first operand is conjugated."""
    _plain("vecdot", axes, other)
    x, y = _common(a, b, dtype)
    _need_axes("vecdot", (x, 1), (y, 1))
    x, y = (moveaxis(Tracer(n), axis, -1).node for n in (x, y))
    if not build.solver().equal(x.shape[-1], y.shape[-1]):
        raise _mismatch("vecdot", 1, 0, y.shape[-1], x.shape[-1])
    left = build.expand_dims(_conjugated(x), (x.ndim - 1,))
    result = product(left, build.expand_dims(y, (y.ndim,)))
    return value(build.squeeze(result, (result.ndim - 2, result.ndim - 1)))


def matvec(a: Any, b: Any, *, dtype: Any = None, axes: Any = None, **other: Any) -> Tracer:
    """``np.matvec``."""
    _plain("matvec", axes, other)
    x, y = _common(a, b, dtype)
    _need_axes("matvec", (x, 2), (y, 1))
    if not build.solver().equal(x.shape[-1], y.shape[-1]):
        raise _mismatch("matvec", 1, 0, y.shape[-1], x.shape[-1])
    result = product(x, build.expand_dims(y, (y.ndim,)))
    return value(build.squeeze(result, (result.ndim - 1,)))


def vecmat(a: Any, b: Any, *, dtype: Any = None, axes: Any = None, **other: Any) -> Tracer:
    """``np.vecmat``: the vector is conjugated."""
    _plain("vecmat", axes, other)
    x, y = _common(a, b, dtype)
    _need_axes("vecmat", (x, 1), (y, 2))
    if not build.solver().equal(x.shape[-1], y.shape[-2]):
        raise _mismatch("vecmat", 1, 0, y.shape[-2], x.shape[-1])
    result = product(build.expand_dims(_conjugated(x), (x.ndim - 1,)), y)
    return value(build.squeeze(result, (result.ndim - 2,)))


for _function in (matmul, vecdot, matvec, vecmat):
    # matvec and vecmat are newer than the oldest NumPy supported.
    if hasattr(np, _function.__name__):
        GENERALISED[getattr(np, _function.__name__)] = _function


def _aligned(x: Node, y: Node, i: int, j: int) -> None:
    if not build.solver().equal(x.shape[i], y.shape[j]):
        left, right = (build.solver().value(d) for d in (x.shape[i], y.shape[j]))
        raise ShapeError(
            f"shapes {_tight(x)} and {_tight(y)} not aligned: {left} (dim {i}) != {right} (dim {j})"
        )


def _tight(x: Node) -> str:
    return shown(x.shape).replace(" ", "")


def _times(x: Node, y: Node) -> Node:
    """The product with a number; that of a vector or a matrix is BLAS's `axpy`.

    It is added to zeros, and where the number is 0 nothing is: no signs of zeros, and no NaN.
    """
    result = call("multiply", x, y)
    if not 0 < result.ndim <= 2 or result.dtype.char not in "fdFD" or build.size(result) == 1:
        return result
    if build.solver().is_differentiated(result):
        return result  # it has a derivative where the number is 0
    zero = build.constant(0, result.dtype)
    number = x if y.ndim else y
    return build.where(call("equal", number, zero), zero, call("add", result, zero))


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Tracer:
    """``np.dot``: the last axis of `a` with the last but one of `b`."""
    x, y = _common(a, b)
    if not x.ndim or not y.ndim:
        return value(_times(x, y))
    j = max(y.ndim - 2, 0)
    _aligned(x, y, x.ndim - 1, j)
    return _contracted(x, y, (x.ndim - 1,), (j,))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Tracer:
    """``np.inner``: the last axes of both."""
    x, y = _common(a, b)
    if not x.ndim or not y.ndim:
        return value(_times(x, y))
    _aligned(x, y, x.ndim - 1, y.ndim - 1)
    return _contracted(x, y, (x.ndim - 1,), (y.ndim - 1,))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Tracer:
    """``np.outer`` of the raveled operands."""
    x, y = (build.reshape(n, (build.size(n),)) for n in (strong(a), strong(b)))
    return value(call("multiply", build.expand_dims(x, (1,)), build.expand_dims(y, (0,))))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Tracer:
    """``np.vdot``: both raveled, the first conjugated."""
    x, y = (build.reshape(n, (build.size(n),)) for n in _common(a, b))
    if not build.solver().equal(x.shape[0], y.shape[0]):
        raise ShapeError(
            "cannot reshape array of size {} into shape ({},)".format(
                *(build.solver().value(d) for d in (y.shape[0], x.shape[0]))
            )
        )
    return _contracted(_conjugated(x), y, (0,), (0,))


def _contracted(x: Node, y: Node, left: tuple[int, ...], right: tuple[int, ...]) -> Tracer:
    return value(contract(x, y, left, right))


def contract(x: Node, y: Node, left: tuple[int, ...], right: tuple[int, ...]) -> Node:
    """The sum over the axes `left` of `x` against `right` of `y`: one matrix product."""
    rows = [k for k in range(x.ndim) if k not in left]
    columns = [k for k in range(y.ndim) if k not in right]
    inner = dims.product(x.shape[k] for k in left)
    height = [x.shape[k] for k in rows]
    width = [y.shape[k] for k in columns]
    a = build.transpose(x, (*rows, *left))
    b = build.transpose(y, (*right, *columns))
    a = build.reshape(a, (dims.product(height), inner))
    b = build.reshape(b, (inner, dims.product(width)))
    return build.reshape(build.matmul(a, b), (*height, *width))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Tracer:
    """``np.tensordot``: an array, also 0-d."""
    x, y = _common(a, b)
    if isinstance(axes, (tuple, list)):
        first, second = axes
        left = list(first) if isinstance(first, (tuple, list)) else [first]
        right = list(second) if isinstance(second, (tuple, list)) else [second]
    else:
        n = operator.index(axes)
        left, right = list(range(-n, 0)), list(range(n))
    if len(left) != len(right):
        raise ShapeError("shape-mismatch for sum")
    i = tuple(axis_index(k, x.ndim) for k in left)
    j = tuple(axis_index(k, y.ndim) for k in right)
    if not all(build.solver().equal(x.shape[p], y.shape[q]) for p, q in zip(i, j, strict=True)):
        raise ShapeError("shape-mismatch for sum")
    return Tracer(contract(x, y, i, j))


@implements(np.kron)
def kron(a: Any, b: Any) -> Tracer:
    """``np.kron``."""
    x, y = strong(a), strong(b)
    ndim = max(x.ndim, y.ndim)
    x = build.expand_dims(x, range(ndim - x.ndim))
    y = build.expand_dims(y, range(ndim - y.ndim))
    shape = tuple(dims.mul(p, q) for p, q in zip(x.shape, y.shape, strict=True))
    left = build.expand_dims(x, range(1, 2 * ndim, 2))
    right = build.expand_dims(y, range(0, 2 * ndim, 2))
    return value(build.reshape(call("multiply", left, right), shape))
