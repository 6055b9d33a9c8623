"""Sparse matrices as symbolic variables: each is its data, indices, indptr and shape."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.gof.type import Type
from tracejit.symbolic.convert import constant, patternbroadcast
from tracejit.symbolic.graph import Apply, Variable
from tracejit.symbolic.opcodes import opcode
from tracejit.symbolic.shared import TensorSharedVariable, shared_constructor
from tracejit.symbolic.type import TensorType, dtype_name
from tracejit.tensor.opview import OpView
from tracejit.tensor.opviews import VIEWS

FORMATS = ("csr", "csc")


def scipy_sparse() -> Any:
    """SciPy's module."""
    return importlib.import_module("scipy.sparse")


class SparseType(Type):
    """Sparse matrices of a `format` ("csr" or "csc") and a dtype.

    >>> SparseType("csr", "float64")
    Sparse[float64, csr]
    """

    ndim = 2
    broadcastable = (False, False)

    def __init__(self, format: str, dtype: Any) -> None:
        if format not in FORMATS:
            raise ValueError(f"unsupported format {format!r}: there are {', '.join(FORMATS)}")
        self.format, self.dtype = format, dtype_name(dtype)

    def filter(self, value: Any, strict: bool = False, allow_downcast: Any = None) -> Any:
        """A matrix of SciPy's of the format and dtype. TypeError for what cannot become one."""
        if isinstance(value, Variable):
            raise TypeError("Expected a sparse matrix, but found a Variable")
        sparse = scipy_sparse()
        if not sparse.issparse(value):
            if strict:
                raise TypeError(f"{value!r} is not sparse, or not the right dtype")
            value = np.asarray(value)
            if value.ndim != 2:
                raise TypeError(f"a sparse matrix has 2 axes, not {value.ndim}")
        have = np.dtype(value.dtype)
        if have != self.dtype and (strict or not (
            allow_downcast or np.can_cast(have, np.dtype(self.dtype), "safe")
        )):  # fmt: skip
            raise TypeError(f"{self} cannot store a matrix of dtype {have}")
        if sparse.issparse(value) and value.format != self.format and strict:
            raise TypeError(f"{self} is not of format {value.format}")
        make = getattr(sparse, f"{self.format}_matrix")
        return make(value, dtype=self.dtype)

    def parted(self, value: Any) -> list[np.ndarray]:
        """The arrays that a matrix is."""
        shape = np.array(value.shape, np.int64)
        return [value.data, value.indices.astype(np.int32), value.indptr.astype(np.int32), shape]

    def whole(self, parts: Sequence[Any]) -> Any:
        """The matrix that arrays are."""
        data, indices, indptr, shape = parts
        make = getattr(scipy_sparse(), f"{self.format}_matrix")
        return make((data, indices, indptr), shape=tuple(map(int, shape)))

    def leaves(self, name: str | None) -> list[Any]:
        """Parts of a variable that nothing computes."""
        kinds = (self.dtype, "int32", "int32", "int64")
        names = ("data", "indices", "indptr", "shape")
        return [
            TensorType(kind, (False,))(f"{name}.{part}" if name else None)
            for kind, part in zip(kinds, names, strict=True)
        ]

    def make_variable(self, name: str | None = None) -> SparseVariable:
        """A new variable."""
        return SparseVariable(self, name=name)

    def make_constant(self, value: Any, name: str | None = None) -> SparseConstant:
        """A constant."""
        return SparseConstant(self, self.filter(value), name)

    def variable(self, value: Any) -> Any:
        """A variable of this type. TypeError for one of another."""
        return self.filter_variable(value)

    def values_eq(self, a: Any, b: Any) -> bool:
        """Whether two matrices are equal."""
        return a.shape == b.shape and not abs(a - b).nnz

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SparseType) and (self.format, self.dtype) == (
            other.format, other.dtype
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.format, self.dtype))

    def __repr__(self) -> str:
        return f"Sparse[{self.dtype}, {self.format}]"


@opcode("csm")
def _csm(attr: SparseType, *parts: Any) -> Any:
    """attr: the type. A matrix stands in no graph but at its end: what reads it reads its parts."""
    return attr.whole(parts)


class SparseVariable(Variable):
    """A symbolic sparse matrix. `sparse.operators` gives it operators."""

    def __init__(
        self, type: SparseType, owner: Any = None, index: int | None = None, name: Any = None,
        parts: Sequence[Any] | None = None,
    ) -> None:  # fmt: skip
        if parts is None and owner is not None:
            parts = owner.inputs
        super().__init__(type, owner, index, name)
        self.parts = list(type.leaves(name) if parts is None else parts)

    @property
    def dtype(self) -> str:
        """The name of the dtype."""
        return str(self.type.dtype)

    @property
    def format(self) -> str:
        """ "csr" or "csc"."""
        return str(self.type.format)

    ndim = 2
    broadcastable = (False, False)

    def with_data(self, data: Any) -> SparseVariable:
        """A matrix with elements at the same places."""
        return compressed(self.format, data, *self.parts[1:])


class SparseConstant(SparseVariable):
    """A sparse matrix with a fixed value."""

    def __init__(self, type: SparseType, data: Any, name: Any = None) -> None:
        self.data = data
        made = [patternbroadcast(constant(p), (False,)) for p in type.parted(data)]
        super().__init__(type, name=name, parts=made)

    def clone(self) -> SparseConstant:
        """Constants never change: itself."""
        return self


class SparseSharedVariable(SparseVariable):
    """A sparse matrix whose value stays between calls: its parts are shared variables."""

    default_update: Any = None

    def __init__(self, type: SparseType, value: Any, name: str | None = None) -> None:
        parts = [
            TensorSharedVariable(TensorType(p.dtype, (False,)), p, f"{name}.{n}" if name else None)
            for p, n in zip(type.parted(value), ("data", "indices", "indptr", "shape"), strict=True)
        ]
        super().__init__(type, name=name, parts=parts)

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The matrix; a copy, unless `borrow`."""
        return self.type.whole([p.get_value(borrow=borrow) for p in self.parts])

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Let the variable have another matrix."""
        value = self.type.filter(new_value)
        for p, part in zip(self.parts, self.type.parted(value), strict=True):
            p.set_value(part, borrow=borrow)

    def clone(self) -> SparseSharedVariable:
        """The variable itself: there is one state."""
        return self


def compressed(format: str, data: Any, indices: Any, indptr: Any, shape: Any) -> SparseVariable:
    """The matrix of a format of these parts, which are symbolic vectors."""
    kind = SparseType(format, data.dtype)
    node = Apply("csm", [data, indices, indptr, shape], kind)
    made = SparseVariable(kind, node, 0)
    node.outputs = (made,)
    return made


class CSM(OpView):
    """What makes a sparse matrix of its parts: ``CSM("csr")(data, indices, indptr, shape)``."""

    def seen(self, node: Apply) -> None:
        """Take the format."""
        self.format = node.attr.format

    def made(self, format: str, kmap: Any = None) -> None:
        """Take the format."""
        self.format = format

    def built(self, data: Any, indices: Any, indptr: Any, shape: Any) -> SparseVariable:
        """The matrix."""
        from tracejit.symbolic.convert import as_tensor_variable, cast

        parts = [as_tensor_variable(p) for p in (data, indices, indptr, shape)]
        kinds = (parts[0].dtype, "int32", "int32", "int64")
        if any(p.ndim != 1 for p in parts):
            raise TypeError("the data, indices, indptr and shape of a sparse matrix are vectors")
        made = [cast(p, k) for p, k in zip(parts, kinds, strict=True)]
        return compressed(self.format, *(patternbroadcast(p, (False,)) for p in made))


VIEWS["csm"] = CSM


@shared_constructor
def sparse_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: Any = None,
    borrow: bool = False, format: str | None = None,
) -> SparseSharedVariable:  # fmt: skip
    """A shared variable of a sparse matrix."""
    if not scipy_sparse().issparse(value) or value.format not in FORMATS:
        raise TypeError("Expected a sparse matrix in the sparse shared variable constructor.")
    kind = SparseType(format or value.format, value.dtype)
    return SparseSharedVariable(kind, kind.filter(value if borrow else value.copy()), name)


__all__ = [
    "CSM",
    "SparseConstant",
    "SparseSharedVariable",
    "SparseType",
    "SparseVariable",
    "compressed",
    "sparse_constructor",
]
