"""Sparse variables, their parts, and what is between them and arrays."""

from __future__ import annotations

from typing import Any

from tracejit.sparse.structure import Structure
from tracejit.sparse.type import (
    CSM,
    SparseConstant,
    SparseType,
    SparseVariable,
    compressed,
    scipy_sparse,
)
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Variable
from tracejit.tensor import creation, subtensor
from tracejit.tensor import extra_ops as extra


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


as_sparse = as_sparse_variable


def as_sparse_or_tensor_variable(x: Any, name: str | None = None) -> Any:
    """`x` as a sparse variable if it is sparse, else as a tensor variable."""
    if is_sparse(x):
        return as_sparse_variable(x, name)
    return as_tensor_variable(x, name)


def is_sparse(x: Any) -> bool:
    """Whether a variable or a value is sparse."""
    return isinstance(x, SparseVariable) or scipy_sparse().issparse(x)


def matrix(format: str, name: str | None = None, dtype: Any = None) -> Any:
    """A symbolic sparse matrix of a format and of a dtype, ``config.floatX``."""
    return SparseType(format, "floatX" if dtype is None else dtype)(name)


def csr_matrix(name: str | None = None, dtype: Any = None) -> Any:
    """A symbolic sparse matrix by rows.

    >>> import scipy.sparse, tracejit
    >>> x = csr_matrix("x")
    >>> y = tracejit.tensor.dmatrix("y")
    >>> f = tracejit.function([x, y], tracejit.sparse.dot(x, y))
    >>> f(scipy.sparse.csr_matrix([[1.0, 0.0], [0.0, 2.0]]), [[1.0, 1.0], [2.0, 3.0]])
    array([[1., 1.],
           [4., 6.]])
    """
    return matrix("csr", name, dtype)


def csc_matrix(name: str | None = None, dtype: Any = None) -> Any:
    """A symbolic sparse matrix by columns."""
    return matrix("csc", name, dtype)


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


def major(x: Any) -> Any:
    """The row (of csr) or column (of csc) of each element."""
    _, indices, indptr, _ = x.parts
    number = creation.arange(indices.shape[0])
    return extra.searchsorted(indptr, number, side="right") - 1


def places(x: Any) -> tuple[Any, Any]:
    """The row and the column of each element."""
    pair = major(x), x.parts[1]
    return pair if x.format == "csr" else pair[::-1]


def lengths(x: Any) -> tuple[Any, Any]:
    """How many rows and columns there are."""
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


def dense_from_sparse(x: Any) -> Any:
    """The matrix as an array."""
    x = as_sparse_variable(x)
    rows, columns = places(x)
    zeros = creation.zeros(lengths(x), x.dtype)
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
    data, indices, indptr, shape = x.parts
    return compressed(other, data, indices, indptr, shape[::-1])


__all__ = [
    "CSC",
    "CSR",
    "SparseFromDense",
    "as_sparse",
    "as_sparse_or_tensor_variable",
    "as_sparse_variable",
    "cast",
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
    "is_sparse",
    "lengths",
    "major",
    "matrix",
    "places",
    "to_format",
    "transpose",
]
