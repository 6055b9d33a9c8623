"""Functions of sparse matrices, of their parts: programs compile them, and derive them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.errors import ShapeError
from tracejit.sparse.structure import ARRAY, Structure
from tracejit.sparse.type import (
    CSM,
    SparseConstant,
    SparseType,
    SparseVariable,
    compressed,
    scipy_sparse,
)
from tracejit.symbolic.convert import as_tensor_variable, constant, patternbroadcast
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.type import TensorType
from tracejit.tensor import assertions as _assertions  # noqa: F401 — which adds an op
from tracejit.tensor import basic as shapes
from tracejit.tensor import creation, elementwise, joining, scalarops, subtensor
from tracejit.tensor import extra_ops as extra

# Variables ---------------------------------------------------------------------------------------


def as_sparse_variable(x: Any, name: str | None = None) -> Any:
    """A matrix of SciPy's as a constant; a sparse variable itself. TypeError for others."""
    if isinstance(x, SparseVariable):
        return x
    if isinstance(x, Variable):
        raise TypeError("Variable type field must be a SparseType.", x, x.type)
    if not scipy_sparse().issparse(x):
        raise TypeError(f"Could not convert {type(x)} to SparseType")
    format = x.format if x.format in ("csr", "csc") else "csr"
    kind = SparseType(format, x.dtype)
    return SparseConstant(kind, kind.filter(x), name)


as_sparse = constant_of = as_sparse_variable


def as_sparse_or_tensor_variable(x: Any, name: str | None = None) -> Any:
    """`x` as a sparse variable if it is sparse, else as a tensor variable."""
    if _is_sparse(x):
        return as_sparse_variable(x, name)
    return as_tensor_variable(x, name)


def _is_sparse(x: Any) -> bool:
    return isinstance(x, SparseVariable) or scipy_sparse().issparse(x)


def matrix(format: str, name: str | None = None, dtype: Any = None) -> Any:
    """A symbolic sparse matrix of a format and of a dtype, ``config.floatX``."""
    return SparseType(format, "floatX" if dtype is None else dtype)(name)


def csr_matrix(name: str | None = None, dtype: Any = None) -> Any:
    """A symbolic sparse matrix by rows.

    >>> import scipy.sparse, tracejit
    >>> x = csr_matrix("x")
    >>> y = tracejit.tensor.dmatrix("y")
    >>> f = tracejit.function([x, y], dot(x, y))
    >>> f(scipy.sparse.csr_matrix([[1.0, 0.0], [0.0, 2.0]]), [[1.0, 1.0], [2.0, 3.0]])
    array([[1., 1.],
           [4., 6.]])
    """
    return matrix("csr", name, dtype)


def csc_matrix(name: str | None = None, dtype: Any = None) -> Any:
    """A symbolic sparse matrix by columns."""
    return matrix("csc", name, dtype)


# Parts -------------------------------------------------------------------------------------------


def csm_properties(csm: Any) -> tuple[Any, ...]:
    """The data, indices, indptr and shape of a sparse matrix."""
    return tuple(as_sparse_variable(csm).parts)


def csm_data(csm: Any) -> Any:
    """The elements."""
    return csm_properties(csm)[0]


def csm_indices(csm: Any) -> Any:
    """The columns (of csr) or rows (of csc) of the elements."""
    return csm_properties(csm)[1]


def csm_indptr(csm: Any) -> Any:
    """Where each row (of csr) or column (of csc) begins."""
    return csm_properties(csm)[2]


def csm_shape(csm: Any) -> Any:
    """The shape."""
    return csm_properties(csm)[3]


CSR, CSC = CSM("csr"), CSM("csc")


def _major(x: Any) -> Any:
    """The row (of csr) or column (of csc) of each element."""
    _, indices, indptr, _ = x.parts
    number = creation.arange(indices.shape[0])
    return extra.searchsorted(indptr, number, side="right") - 1


def places(x: Any) -> tuple[Any, Any]:
    """The row and the column of each element."""
    pair = _major(x), x.parts[1]
    return pair if x.format == "csr" else pair[::-1]


def _lengths(x: Any) -> tuple[Any, Any]:
    return x.parts[3][0], x.parts[3][1]


def to_format(x: Any, format: str) -> Any:
    """The matrix in a format."""
    x = as_sparse_variable(x)
    if x.format == format:
        return x
    indices, indptr, order = Structure("other", x.format)(*x.parts[1:])
    return compressed(format, x.parts[0][order], indices, indptr, x.parts[3])


def cast(x: Any, dtype: Any) -> Any:
    """The matrix with another dtype."""
    x = as_sparse_variable(x)
    return x.with_data(x.parts[0].astype(dtype))


# Between sparse and dense ------------------------------------------------------------------------


def dense_from_sparse(x: Any) -> Any:
    """The matrix as an array."""
    x = as_sparse_variable(x)
    rows, columns = places(x)
    zeros = creation.zeros(_lengths(x), x.dtype)
    return subtensor.inc_subtensor(zeros[rows, columns], x.parts[0])


def csr_from_dense(x: Any) -> Any:
    """The elements of an array that are not 0, by rows."""
    x = as_tensor_variable(x)
    rows, columns = subtensor.nonzero(x)
    starts = extra.searchsorted(rows, creation.arange(x.shape[0] + 1))
    return CSR(x[rows, columns], columns, starts, x.shape)


def csc_from_dense(x: Any) -> Any:
    """The elements of an array that are not 0, by columns."""
    return transpose(csr_from_dense(as_tensor_variable(x).T))


class SparseFromDense:
    """``SparseFromDense("csr")(x)`` is the elements of an array that are not 0."""

    def __init__(self, format: str) -> None:
        self.format = format

    def __call__(self, x: Any) -> Any:
        return csr_from_dense(x) if self.format == "csr" else csc_from_dense(x)


def transpose(x: Any) -> Any:
    """The transposed matrix: of csr, csc."""
    x = as_sparse_variable(x)
    other = "csc" if x.format == "csr" else "csr"
    return compressed(other, *x.parts[:3], x.parts[3][::-1])


# Products ----------------------------------------------------------------------------------------


def _result(*operands: Any) -> str:
    return str(np.result_type(*(np.dtype(v.dtype) for v in operands)).name)


def structured_dot(x: Any, y: Any) -> Any:
    """The product of a sparse matrix and an array, or of an array and a sparse matrix.

    The product of two sparse matrices is sparse. The derivative by the sparse one is at its places.
    """
    if _is_sparse(x) and _is_sparse(y):
        return true_dot(x, y)
    if not _is_sparse(x):
        if not _is_sparse(y):
            raise TypeError("structured_dot requires at least one sparse argument")
        return structured_dot(transpose(y), as_tensor_variable(x).T).T
    x, y = as_sparse_variable(x), as_tensor_variable(y)
    if y.ndim not in (1, 2):
        raise TypeError(f"structured_dot takes a matrix or a vector, not {y.type}")
    y = _of_length(y, 0, x.parts[3][1])
    rows, columns = places(x)
    dtype = _result(x, y)
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
    if _is_sparse(x) and _is_sparse(y):
        return structured_dot(x, dense_from_sparse(y))
    if not (_is_sparse(x) or _is_sparse(y)):
        raise TypeError("dot of two arrays is T.dot")
    return structured_dot(x, y)


def true_dot(x: Any, y: Any, grad_preserves_dense: bool = True) -> Any:
    """The product as a sparse matrix, of the format of the first that is sparse."""
    if not (_is_sparse(x) or _is_sparse(y)):
        raise TypeError("true_dot requires at least one sparse argument")
    format = as_sparse_variable(x if _is_sparse(x) else y).format
    a, b = (to_format(v, "csr") if _is_sparse(v) else csr_from_dense(v) for v in (x, y))
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


# Elementwise -------------------------------------------------------------------------------------


def add(x: Any, y: Any) -> Any:
    """The sum: sparse where both are, else an array."""
    if _is_sparse(x) and _is_sparse(y):
        return add_s_s(x, y)
    if _is_sparse(y):
        x, y = y, x
    return add_s_d(x, y)


def add_s_s(x: Any, y: Any) -> Any:
    """The sum of two sparse matrices."""
    x = as_sparse_variable(x)
    y = to_format(y, x.format)
    indices, indptr, first, second = Structure("union", x.format)(*x.parts[1:], *y.parts[1:])
    dtype = _result(x, y)
    data = _gathered(x.parts[0].astype(dtype), first, indices)
    data = subtensor.inc_subtensor(data[second], y.parts[0].astype(dtype))
    return compressed(x.format, data, indices, indptr, x.parts[3])


def add_s_d(x: Any, y: Any) -> Any:
    """The sum of a sparse matrix and an array."""
    x, y = as_sparse_variable(x), as_tensor_variable(y)
    if y.ndim != 2 or any(y.broadcastable):
        return dense_from_sparse(x) + y
    for k, n in enumerate(_lengths(x)):
        y = _of_length(y, k, n)
    dtype = _result(x, y)
    rows, columns = places(x)
    return subtensor.inc_subtensor(y.astype(dtype)[rows, columns], x.parts[0].astype(dtype))


def sub(x: Any, y: Any) -> Any:
    """The difference."""
    return add(x, neg(y) if _is_sparse(y) else -as_tensor_variable(y))


def mul(x: Any, y: Any) -> Any:
    """The product element by element: sparse."""
    if _is_sparse(x) and _is_sparse(y):
        return mul_s_s(x, y)
    if _is_sparse(y):
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
    for k, n in enumerate(_lengths(x)):
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
    return _of_length(s, 0, _lengths(x)[axis])[places(x)[axis]]


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


# Reductions, parts -------------------------------------------------------------------------------


def sp_sum(x: Any, axis: int | None = None, sparse_grad: bool = False) -> Any:
    """The sum of all elements, of the columns (0) or of the rows (1)."""
    x = as_sparse_variable(x)
    if axis is None:
        return x.parts[0].sum()
    if axis not in (0, 1):
        raise ValueError("Illegal value for self.axis.")
    along = places(x)[1 - axis]
    zeros = creation.zeros([_lengths(x)[1 - axis]], x.dtype)
    return subtensor.inc_subtensor(zeros[along], x.parts[0])


def diag(x: Any) -> Any:
    """The diagonal, as a vector."""
    x = as_sparse_variable(x)
    rows, columns = places(x)
    n = elementwise.minimum(*_lengths(x))
    on = subtensor.nonzero(elementwise.eq(rows, columns))[0]
    zeros = creation.zeros([n], x.dtype)
    return subtensor.inc_subtensor(zeros[rows[on]], x.parts[0][on])


def square_diagonal(diagonal: Any) -> Any:
    """The matrix, by columns, with a vector on its diagonal."""
    d = as_tensor_variable(diagonal)
    n = d.shape[0]
    return CSC(d, creation.arange(n), creation.arange(n + 1), joining.stack([n, n]))


def ensure_sorted_indices(x: Any) -> Any:
    """The matrix with the elements of each row or column in order."""
    x = as_sparse_variable(x)
    indices, order = Structure("sorted", x.format)(*x.parts[1:])
    return compressed(x.format, x.parts[0][order], indices, *x.parts[2:])


def remove0(x: Any) -> Any:
    """The matrix without elements that are 0."""
    x = as_sparse_variable(x)
    data, indices, indptr, shape = x.parts
    kept = subtensor.nonzero(elementwise.neq(data, 0))[0]
    starts = extra.searchsorted(_major(x)[kept], creation.arange(indptr.shape[0]))
    return compressed(x.format, data[kept], indices[kept], starts.astype("int32"), shape)


def clean(x: Any) -> Any:
    """The matrix without elements that are 0, in order."""
    return ensure_sorted_indices(remove0(x))


def sp_ones_like(x: Any) -> Any:
    """Ones where a sparse matrix has elements."""
    x = as_sparse_variable(x)
    return x.with_data(creation.ones_like(x.parts[0]))


def sp_zeros_like(x: Any) -> Any:
    """A matrix without elements, of the shape of another."""
    x = as_sparse_variable(x)
    none = [v[:0] for v in x.parts[:2]]
    return compressed(x.format, *none, creation.zeros_like(x.parts[2]), x.parts[3])


def getitem(x: Any, key: Any) -> Any:
    """A part of a matrix: a number for two integers, a vector for two lists, else sparse."""
    x = as_sparse_variable(x)
    key = (*key, slice(None)) if isinstance(key, tuple) and len(key) == 1 else key
    key = key if isinstance(key, tuple) else (key, slice(None))
    if len(key) > 2:
        raise IndexError("a sparse matrix has 2 axes")
    if any(isinstance(k, type(None)) for k in key):
        raise IndexError("a sparse matrix has 2 axes, and gets no others")
    if not any(isinstance(k, slice) for k in key):
        return _picked(x, *key)
    arrays: list[Any] = []
    options: list[Any] = []
    for k in key:
        if isinstance(k, slice):
            parts = (k.start, k.stop, k.step)
            if any(isinstance(p, Variable) for p in parts):
                raise NotImplementedError("the slices of a sparse matrix have constant ends")
            options.append(parts)
            continue
        v = as_tensor_variable(k)
        if v.ndim > 1:
            raise IndexError("a sparse matrix is indexed by integers, slices and lists of integers")
        arrays.append(patternbroadcast(v, (False,)) if v.ndim else shapes.shape_padleft(v))
        options.append(ARRAY)
    found = Structure("part", x.format, tuple(options))(*arrays, *x.parts[1:])
    indices, indptr, chosen, shape = found
    return compressed(x.format, x.parts[0][chosen], indices, indptr, shape.astype("int64"))


def _picked(x: Any, i: Any, j: Any) -> Any:
    """The elements at pairs of positions."""
    return dense_from_sparse(x)[i, j]


def _stack(how: str, blocks: Any, format: str | None, dtype: Any) -> Any:
    made = [as_sparse_variable(b) for b in blocks]
    format = "csc" if format is None else format
    formats = tuple(b.format for b in made)
    vectors = [p for b in made for p in b.parts[1:]]
    indices, indptr, chosen, shape = Structure("stacked", how, format, formats)(*vectors)
    dtype = _result(*made) if dtype is None else dtype
    data = joining.concatenate([b.parts[0].astype(dtype) for b in made])
    return compressed(format, data[chosen], indices, indptr, shape.astype("int64"))


def hstack(blocks: Any, format: str | None = None, dtype: Any = None) -> Any:
    """Matrices beside each other."""
    return _stack("hstack", blocks, format, dtype)


def vstack(blocks: Any, format: str | None = None, dtype: Any = None) -> Any:
    """Matrices below each other."""
    return _stack("vstack", blocks, format, dtype)


enable_sparse = True
sparse_formats = ["csc", "csr"]
_is_sparse_variable = _is_sparse
_is_dense_variable = lambda x: isinstance(getattr(x, "type", None), TensorType)  # noqa: E731

__all__ = [
    "CSC",
    "CSM",
    "CSR",
    "SparseFromDense",
    "add",
    "add_s_d",
    "add_s_s",
    "as_sparse",
    "as_sparse_or_tensor_variable",
    "as_sparse_variable",
    "cast",
    "clean",
    "col_scale",
    "csc_from_dense",
    "csc_matrix",
    "csm_data",
    "csm_indices",
    "csm_indptr",
    "csm_properties",
    "csm_shape",
    "csr_from_dense",
    "csr_matrix",
    "dense_from_sparse",
    "diag",
    "dot",
    "enable_sparse",
    "ensure_sorted_indices",
    "getitem",
    "hstack",
    "matrix",
    "mul",
    "mul_s_d",
    "mul_s_s",
    "mul_s_v",
    "neg",
    "remove0",
    "row_scale",
    "sampling_dot",
    "sp_ones_like",
    "sp_sum",
    "sp_zeros_like",
    "sparse_formats",
    "square_diagonal",
    "structured_add_s_v",
    "structured_dot",
    "structured_monoid",
    "sub",
    "to_format",
    "transpose",
    "true_dot",
    "vstack",
]
__all__ += [name for name in ELEMENTWISE if name != "neg"]
__all__ += [f"structured_{name}" for name in STRUCTURED]
