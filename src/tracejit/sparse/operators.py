"""Operators and methods of sparse variables."""

from __future__ import annotations

from tracejit.sparse import basic
from tracejit.sparse.type import SparseVariable

_METHODS = {
    "__add__": basic.add,
    "__radd__": lambda self, other: basic.add(other, self),
    "__sub__": basic.sub,
    "__rsub__": lambda self, other: basic.sub(other, self),
    "__mul__": basic.mul,
    "__rmul__": lambda self, other: basic.mul(other, self),
    "__neg__": basic.neg,
    "__dot__": basic.structured_dot,
    "__rdot__": lambda self, other: basic.structured_dot(other, self),
    "__matmul__": basic.structured_dot,
    "__rmatmul__": lambda self, other: basic.structured_dot(other, self),
    "__getitem__": basic.getitem,
    "dot": basic.structured_dot,
    "toarray": basic.dense_from_sparse,
    "todense": basic.dense_from_sparse,
    "transpose": basic.transpose,
    "sum": basic.sp_sum,
    "astype": basic.cast,
    "zeros_like": basic.sp_zeros_like,
    "ones_like": basic.sp_ones_like,
    "tocsr": lambda self: basic.to_format(self, "csr"),
    "tocsc": lambda self: basic.to_format(self, "csc"),
}
_PROPERTIES = {
    "T": basic.transpose,
    "shape": basic.csm_shape,
    "indices": basic.csm_indices,
    "indptr": basic.csm_indptr,
    "size": lambda self: basic.csm_data(self).shape[0],
}


for _name, _function in _METHODS.items():
    setattr(SparseVariable, _name, _function)
for _name, _function in _PROPERTIES.items():
    setattr(SparseVariable, _name, property(_function))
setattr(SparseVariable, "__array_priority__", 1000)  # noqa: B010 — before NumPy's arrays
setattr(SparseVariable, "__array_ufunc__", None)  # noqa: B010
