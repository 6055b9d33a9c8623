"""Reductions, parts and joins of sparse matrices; and all names of ``theano.sparse.basic``."""

from __future__ import annotations

from typing import Any

from tracejit.sparse import arithmetic, parts
from tracejit.sparse.arithmetic import *  # noqa: F403
from tracejit.sparse.arithmetic import result_dtype
from tracejit.sparse.parts import *  # noqa: F403
from tracejit.sparse.parts import (
    CSC,
    as_sparse_variable,
    dense_from_sparse,
    is_sparse,
    lengths,
    major,
    places,
)
from tracejit.sparse.structure import ARRAY, Structure
from tracejit.sparse.type import CSM, compressed
from tracejit.symbolic.convert import as_tensor_variable, patternbroadcast
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic as shapes
from tracejit.tensor import creation, elementwise, joining, subtensor
from tracejit.tensor import extra_ops as extra


def sp_sum(x: Any, axis: int | None = None, sparse_grad: bool = False) -> Any:
    """The sum of all elements, of the columns (0) or of the rows (1)."""
    x = as_sparse_variable(x)
    if axis is None:
        return x.parts[0].sum()
    if axis not in (0, 1):
        raise ValueError("Illegal value for self.axis.")
    along = places(x)[1 - axis]
    zeros = creation.zeros([lengths(x)[1 - axis]], x.dtype)
    return subtensor.inc_subtensor(zeros[along], x.parts[0])


def diag(x: Any) -> Any:
    """The diagonal, as a vector."""
    x = as_sparse_variable(x)
    rows, columns = places(x)
    n = elementwise.minimum(*lengths(x))
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
    starts = extra.searchsorted(major(x)[kept], creation.arange(indptr.shape[0]))
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
    return compressed(x.format, none[0], none[1], creation.zeros_like(x.parts[2]), x.parts[3])


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
    dtype = result_dtype(*made) if dtype is None else dtype
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
_is_sparse_variable = _is_sparse = is_sparse
_is_dense_variable = lambda x: isinstance(getattr(x, "type", None), TensorType)  # noqa: E731

__all__ = [
    "CSM",
    "clean",
    "diag",
    "enable_sparse",
    "ensure_sorted_indices",
    "getitem",
    "hstack",
    "remove0",
    "sp_ones_like",
    "sp_sum",
    "sp_zeros_like",
    "sparse_formats",
    "square_diagonal",
    "vstack",
]
__all__ += parts.__all__ + arithmetic.__all__
