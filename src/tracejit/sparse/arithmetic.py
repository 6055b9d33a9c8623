"""Products and elementwise functions of sparse matrices: programs compile them, and derive them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.errors import ShapeError
from tracejit.sparse.parts import (
    as_sparse_variable,
    csr_from_dense,
    dense_from_sparse,
    is_sparse,
    lengths,
    places,
    to_format,
    transpose,
)
from tracejit.sparse.structure import Structure
from tracejit.sparse.type import compressed
from tracejit.symbolic.convert import as_tensor_variable, constant, patternbroadcast
from tracejit.symbolic.infer import apply
from tracejit.tensor import assertions as _assertions  # noqa: F401 — which adds an op
from tracejit.tensor import creation, elementwise, joining, scalarops, subtensor


def result_dtype(*operands: Any) -> str:
    """The dtype of what is computed of operands."""
    return str(np.result_type(*(np.dtype(v.dtype) for v in operands)).name)


def structured_dot(x: Any, y: Any) -> Any:
    """The product of a sparse matrix and an array, or of an array and a sparse matrix.

    The product of two sparse matrices is sparse. The derivative by the sparse one is at its places.
    """
    if is_sparse(x) and is_sparse(y):
        return true_dot(x, y)
    if not is_sparse(x):
        if not is_sparse(y):
            raise TypeError("structured_dot requires at least one sparse argument")
        return structured_dot(transpose(y), as_tensor_variable(x).T).T
    x, y = as_sparse_variable(x), as_tensor_variable(y)
    if y.ndim not in (1, 2):
        raise TypeError(f"structured_dot takes a matrix or a vector, not {y.type}")
    y = _of_length(y, 0, x.parts[3][1])
    rows, columns = places(x)
    dtype = result_dtype(x, y)
    data = x.parts[0].astype(dtype)
    rest = [y.shape[k] for k in range(1, y.ndim)]
    zeros = creation.zeros([x.parts[3][0], *rest], dtype)
    terms = data * y[columns] if y.ndim == 1 else data.dimshuffle(0, "x") * y[columns]
    return subtensor.inc_subtensor(zeros[rows], terms)


def _of_length(v: Any, axis: int, length: Any) -> Any:
    """`v`, which must have a length along an axis, unless it broadcasts: else ShapeError."""
    if v.broadcastable[axis]:
        return v
    same = elementwise.eq(v.shape[axis], length)
    text = f"the lengths of axis {axis} of an array and of a sparse matrix differ"
    return apply("assert", [v, same], (ShapeError, text))[0]


def dot(x: Any, y: Any) -> Any:
    """The product, as an array, where one operand or both are sparse."""
    if is_sparse(x) and is_sparse(y):
        return structured_dot(x, dense_from_sparse(y))
    if not (is_sparse(x) or is_sparse(y)):
        raise TypeError("dot of two arrays is T.dot")
    return structured_dot(x, y)


def true_dot(x: Any, y: Any, grad_preserves_dense: bool = True) -> Any:
    """The product as a sparse matrix, of the format of the first that is sparse."""
    if not (is_sparse(x) or is_sparse(y)):
        raise TypeError("true_dot requires at least one sparse argument")
    format = as_sparse_variable(x if is_sparse(x) else y).format
    a, b = (to_format(v, "csr") if is_sparse(v) else csr_from_dense(v) for v in (x, y))
    found = Structure("product")(*a.parts[1:], *b.parts[1:])
    indices, indptr, first, second, at = found
    data = a.parts[0][first] * b.parts[0][second]
    shape = joining.stack([a.parts[3][0], b.parts[3][1]])
    shape = patternbroadcast(shape, (False,))
    made = compressed("csr", _gathered(data, at, indices), indices, indptr, shape)
    return to_format(made, format)


def _gathered(data: Any, at: Any, like: Any) -> Any:
    """Elements added up at places of a vector as long as `like`."""
    zeros = creation.zeros([like.shape[0]], data.dtype)
    return subtensor.inc_subtensor(zeros[at], data)


def sampling_dot(x: Any, y: Any, p: Any) -> Any:
    """``dot(x, y.T)`` at the places of a sparse matrix `p`, times its elements."""
    x, y, p = as_tensor_variable(x), as_tensor_variable(y), as_sparse_variable(p)
    rows, columns = places(p)
    return p.with_data(p.parts[0] * (x[rows] * y[columns]).sum(axis=1))


def add(x: Any, y: Any) -> Any:
    """The sum: sparse where both are, else an array."""
    if is_sparse(x) and is_sparse(y):
        return add_s_s(x, y)
    if is_sparse(y):
        x, y = y, x
    return add_s_d(x, y)


def add_s_s(x: Any, y: Any) -> Any:
    """The sum of two sparse matrices."""
    x = as_sparse_variable(x)
    y = to_format(y, x.format)
    indices, indptr, first, second = Structure("union", x.format)(*x.parts[1:], *y.parts[1:])
    dtype = result_dtype(x, y)
    data = _gathered(x.parts[0].astype(dtype), first, indices)
    data = subtensor.inc_subtensor(data[second], y.parts[0].astype(dtype))
    return compressed(x.format, data, indices, indptr, x.parts[3])


def add_s_d(x: Any, y: Any) -> Any:
    """The sum of a sparse matrix and an array."""
    x, y = as_sparse_variable(x), as_tensor_variable(y)
    if y.ndim != 2 or any(y.broadcastable):
        return dense_from_sparse(x) + y
    for k, n in enumerate(lengths(x)):
        y = _of_length(y, k, n)
    dtype = result_dtype(x, y)
    rows, columns = places(x)
    return subtensor.inc_subtensor(y.astype(dtype)[rows, columns], x.parts[0].astype(dtype))


def sub(x: Any, y: Any) -> Any:
    """The difference."""
    return add(x, neg(y) if is_sparse(y) else -as_tensor_variable(y))


def mul(x: Any, y: Any) -> Any:
    """The product element by element: sparse."""
    if is_sparse(x) and is_sparse(y):
        return mul_s_s(x, y)
    if is_sparse(y):
        x, y = y, x
    y = as_tensor_variable(y)
    if not y.ndim:
        x = as_sparse_variable(x)
        return x.with_data(x.parts[0] * y)
    return mul_s_v(x, y) if y.ndim == 1 else mul_s_d(x, y)


def mul_s_s(x: Any, y: Any) -> Any:
    """The product of two sparse matrices element by element."""
    x = as_sparse_variable(x)
    y = to_format(y, x.format)
    found = Structure("intersection", x.format)(*x.parts[1:], *y.parts[1:])
    indices, indptr, use_x, at_x, use_y, at_y = found
    a, b = (
        _gathered(v.parts[0][use], at, indices)
        for v, use, at in ((x, use_x, at_x), (y, use_y, at_y))
    )
    return compressed(x.format, a * b, indices, indptr, x.parts[3])


def mul_s_d(x: Any, y: Any) -> Any:
    """A sparse matrix times an array, element by element."""
    x, y = as_sparse_variable(x), as_tensor_variable(y)
    for k, n in enumerate(lengths(x)):
        y = _of_length(y, k, n)
    rows, columns = places(x)
    own = [constant(0) if b else k for k, b in zip((rows, columns), y.broadcastable, strict=True)]
    return x.with_data(x.parts[0] * y[own[0], own[1]])


def mul_s_v(x: Any, y: Any) -> Any:
    """A sparse matrix, each column of which is multiplied by an element of a vector."""
    return col_scale(x, y)


def col_scale(x: Any, s: Any) -> Any:
    """A sparse matrix, each column of which is multiplied by an element of a vector."""
    x = as_sparse_variable(x)
    return x.with_data(x.parts[0] * _along(x, s, 1))


def _along(x: Any, s: Any, axis: int) -> Any:
    """For each element of `x` the one of a vector along its rows (0) or columns (1)."""
    s = as_tensor_variable(s)
    if s.ndim != 1:
        raise TypeError(f"a vector scales the rows or columns of a matrix, not {s.type}")
    return _of_length(s, 0, lengths(x)[axis])[places(x)[axis]]


def row_scale(x: Any, s: Any) -> Any:
    """A sparse matrix, each row of which is multiplied by an element of a vector."""
    x = as_sparse_variable(x)
    return x.with_data(x.parts[0] * _along(x, s, 0))


def structured_add_s_v(x: Any, y: Any) -> Any:
    """A sparse matrix, to whose elements those of a vector are added, by columns."""
    x = as_sparse_variable(x)
    return x.with_data(x.parts[0] + _along(x, y, 1))


def structured_monoid(tensor_op: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a function's name: it is applied to the elements that are there."""

    def wrapper(f: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            x = as_sparse_variable(args[0])
            return x.with_data(tensor_op(x.parts[0], *args[1:]))

        call.__name__ = call.__qualname__ = f.__name__
        call.__doc__ = f"``{f.__name__}`` of the elements that are there."
        return call

    return wrapper


def _of_elements(name: str, function: str) -> Callable[..., Any]:
    def f() -> None: ...

    f.__name__ = name
    return structured_monoid(lambda *args: scalarops.function_named(function)(*args))(f)


#: Functions that keep zeros, by Theano's names.
ELEMENTWISE = (
    "sin", "tan", "arcsin", "arctan", "sinh", "arcsinh", "tanh", "arctanh", "rint", "sgn", "ceil",
    "floor", "log1p", "expm1", "deg2rad", "rad2deg", "trunc", "sqr", "sqrt", "conjugate", "conj",
    "neg", "abs_",
)  # fmt: skip
for _name in ELEMENTWISE:
    _function = {"rint": "round_half_to_even", "conjugate": "conj"}.get(_name, _name)
    globals()[_name] = _of_elements(_name, _function)
STRUCTURED = ("sigmoid", "exp", "log", "pow", "minimum", "maximum", "add")
for _name in STRUCTURED:
    globals()[f"structured_{_name}"] = _of_elements(f"structured_{_name}", _name)


def neg(x: Any) -> Any:
    """The negative."""
    x = as_sparse_variable(x)
    return x.with_data(-x.parts[0])


__all__ = [
    "add",
    "add_s_d",
    "add_s_s",
    "col_scale",
    "dot",
    "mul",
    "mul_s_d",
    "mul_s_s",
    "mul_s_v",
    "neg",
    "result_dtype",
    "row_scale",
    "sampling_dot",
    "structured_add_s_v",
    "structured_dot",
    "structured_monoid",
    "sub",
    "true_dot",
]
__all__ += [name for name in ELEMENTWISE if name != "neg"]
__all__ += [f"structured_{name}" for name in STRUCTURED]
