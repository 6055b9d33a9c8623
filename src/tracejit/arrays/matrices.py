"""``np.linalg`` beyond its loops: powers, ranks, condition numbers, products, tensors."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.arrays.common import axis_index, is_empty, same
from tracejit.arrays.gufuncs import called
from tracejit.arrays.linalg import Dtypes, inv, solve, stacked, svd
from tracejit.arrays.norms import norm
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build, dims
from tracejit.ir.matrices import identity
from tracejit.ir.types import INT64
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, as_array, number, value

#: NumPy's functions, over traced values.
numpy: Any = np


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: Any) -> Tracer:
    """``np.linalg.matrix_power``."""
    x = stacked(a)
    try:
        exponent = operator.index(n)
    except TypeError as error:
        raise TypeError("exponent must be an integer") from error
    if exponent == 0:
        one = identity(x.node.shape[-1], x.node.dtype)
        return Tracer(build.broadcast_to(one, x.node.shape))
    if exponent < 0:
        x, exponent = inv(x), -exponent
    if exponent == 1:
        return x
    if exponent == 3:
        return numpy.matmul(numpy.matmul(x, x), x)
    power, product = x, None
    while True:
        exponent, bit = divmod(exponent, 2)
        if bit:
            product = power if product is None else numpy.matmul(product, power)
        if not exponent:
            assert product is not None
            return product
        power = numpy.matmul(power, power)


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: Any = False, *, rtol: Any = None) -> Tracer:
    """``np.linalg.matrix_rank``."""
    if rtol is not None and tol is not None:
        raise ValueError("`tol` and `rtol` can't be both set.")
    x = as_array(A)
    if x.node.ndim < 2:
        some = build.cast(numpy.any(x != 0).node, INT64)
        return Tracer(build.weak(some), "number")
    s = svd(x, compute_uv=False, hermitian=hermitian)
    if tol is None:
        if rtol is None:
            length = dims.maximum(*x.node.shape[-2:])
            rtol = number(length) * np.finfo(s.node.dtype).eps
        else:
            rtol = as_array(rtol)[..., None]
        tol = numpy.max(s, axis=-1, keepdims=True, initial=0) * rtol
    else:
        tol = as_array(tol)[..., None]
    result: Tracer = numpy.count_nonzero(s > tol, axis=-1)
    return result


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Tracer:
    """``np.linalg.cond``."""
    a = as_array(x)
    if a.node.ndim >= 2 and is_empty(a.node.shape[-2:]) and is_empty(a.node.shape):
        raise np.linalg.LinAlgError("cond is not defined on empty arrays")
    if p is None or p in (2, -2):
        s = svd(a, compute_uv=False)
        result = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    else:
        of = Dtypes(stacked(a).node)
        [inverse], _ = called("inv_or_nan", of.types("x->x"), (of.taken(a.node),))
        both = norm(a, p, axis=(-2, -1)) * norm(value(inverse), p, axis=(-2, -1))
        result = both.astype(of.real)
    unknown = numpy.isnan(result) & ~numpy.any(numpy.isnan(a), axis=(-2, -1))
    chosen = numpy.where(unknown, np.inf, result).astype(result.node.dtype)
    return value(chosen.node)


# Products -----------------------------------------------------------------------------------------


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """``np.linalg.multi_dot``: in NumPy's order, for the lengths at hand."""
    count = len(arrays)
    if count < 2:
        raise ValueError("Expecting at least two arrays.")
    if count == 2:
        return numpy.dot(arrays[0], arrays[1])
    factors = [as_array(a) for a in arrays]
    first, last = (factors[k].node.ndim == 1 for k in (0, -1))
    if first:
        factors[0] = factors[0][None, :]
    if last:
        factors[-1] = factors[-1][:, None]
    for a in factors:
        if a.node.ndim != 2:
            raise np.linalg.LinAlgError(
                f"{a.node.ndim}-dimensional array given. Array must be two-dimensional"
            )
    result = _in_order(factors, _order(factors), 0, count - 1)
    if first and last:
        return result[0, 0]
    return result.ravel() if first or last else result


def _order(factors: Sequence[Tracer]) -> dict[tuple[int, int], int]:
    """Between which factors a product is divided: the least multiplications (Cormen)."""
    count = len(factors)
    lengths = [number(d) for d in (factors[0].node.shape[0], *(a.node.shape[1] for a in factors))]
    if count == 3:
        a, b, c, d = lengths
        left_first = a * c * (b + d) < b * d * (a + c)
        return {(0, 2): 1 if left_first else 0, (0, 1): 0, (1, 2): 1}
    costs: dict[tuple[int, int], Any] = {(k, k): 0 for k in range(count)}
    found = {}
    for distance in range(1, count):
        for i in range(count - distance):
            j = i + distance
            best = None
            for k in range(i, j):
                outer = lengths[i] * lengths[k + 1] * lengths[j + 1]
                cost = costs[i, k] + costs[k + 1, j] + outer
                if best is None or cost < best:
                    best, found[i, j] = cost, k
            costs[i, j] = best
    return found


def _in_order(
    factors: Sequence[Tracer], order: dict[tuple[int, int], int], i: int, j: int
) -> Tracer:
    if i == j:
        return factors[i]
    k = order[i, j]
    result: Tracer = numpy.dot(_in_order(factors, order, i, k), _in_order(factors, order, k + 1, j))
    return result


@implements(np.linalg.outer)
def outer(x1: Any, x2: Any, /) -> Any:
    """``np.linalg.outer``."""
    a, b = as_array(x1), as_array(x2)
    if a.node.ndim != 1 or b.node.ndim != 1:
        raise ValueError("Input arrays must be one-dimensional")
    return numpy.outer(a, b)


@implements(np.linalg.cross)
def cross(x1: Any, x2: Any, /, *, axis: Any = -1) -> Any:
    """``np.linalg.cross``."""
    parts = []
    for x in map(as_array, (x1, x2)):
        k = axis_index(axis, x.node.ndim)
        if not same(x.node.shape[k], 3):
            raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors")
        last = numpy.moveaxis(x, k, -1)
        parts.append([last[..., i] for i in range(3)])
    a, b = parts
    turns = ((1, 2), (2, 0), (0, 1))
    return numpy.stack([a[i] * b[j] - a[j] * b[i] for i, j in turns], axis=axis)


@implements(np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Any:
    """``np.linalg.matmul``."""
    return numpy.matmul(x1, x2)


@implements(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: Any = -1) -> Any:
    """``np.linalg.vecdot``."""
    return numpy.vecdot(x1, x2, axis=axis)


@implements(np.linalg.tensordot)
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """``np.linalg.tensordot``."""
    return numpy.tensordot(x1, x2, axes=axes)


@implements(np.linalg.trace)
def trace(x: Any, /, *, offset: Any = 0, dtype: Any = None) -> Any:
    """``np.linalg.trace``."""
    return numpy.trace(x, offset, axis1=-2, axis2=-1, dtype=dtype)


# Tensors ------------------------------------------------------------------------------------------


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: Any = 2) -> Tracer:
    """``np.linalg.tensorinv``."""
    x = as_array(a).node
    if not ind > 0:
        raise ValueError("Invalid ind argument.")
    shape = (*x.shape[ind:], *x.shape[:ind])
    rows, columns = (dims.product(part) for part in (x.shape[ind:], x.shape[:ind]))
    if not same(rows, columns):
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    square = build.reshape(x, (rows, rows))
    return value(build.reshape(inv(value(square)).node, shape))


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Tracer:
    """``np.linalg.tensorsolve``."""
    x, y = as_array(a).node, as_array(b).node
    if axes is not None:
        order = list(range(x.ndim))
        for k in axes:
            order.remove(k)
            order.insert(x.ndim, k)
        x = build.transpose(x, order)
    if x.ndim == y.ndim:
        raise NotTraceable("np.linalg.tensorsolve of as many axes is not compiled")
    shape = x.shape[-(x.ndim - y.ndim) :]
    length = dims.product(shape)
    if not same(build.size(x), dims.mul(length, length)):
        raise np.linalg.LinAlgError("Input arrays must satisfy a requirement on their lengths")
    if not same(length, build.size(y)):
        raise ShapeError("a mismatch in core dimensions")
    square = build.reshape(x, (length, length))
    found = solve(value(square), value(build.reshape(y, (length,))))
    return value(build.reshape(found.node, shape))
