"""Symbolic sparse matrices, under the names of ``theano.sparse``: values are SciPy's.

A matrix is its data, indices, indptr and shape, and what is computed with it is compiled of these.
"""

from __future__ import annotations

from typing import Any

import tracejit.tensor  # noqa: F401 — which gives variables their operators
from tracejit.sparse import basic, operators, type  # noqa: F401
from tracejit.sparse.basic import *  # noqa: F403
from tracejit.sparse.type import (
    SparseConstant,
    SparseSharedVariable,
    SparseType,
    SparseVariable,
    sparse_constructor,
)

SparseTensorSharedVariable = SparseSharedVariable
for _letter, _dtype in (("b", "int8"), ("w", "int16"), ("i", "int32"), ("l", "int64"),
                        ("f", "float32"), ("d", "float64"), ("c", "complex64"),
                        ("z", "complex128")):  # fmt: skip
    for _format in ("csr", "csc"):
        globals()[f"{_format}_{_letter}matrix"] = SparseType(_format, _dtype)


def __getattr__(name: str) -> Any:
    """Says of what is missing what it was, and what to use."""
    from tracejit.theano.names import absent

    return absent("tracejit.sparse", name)


__all__ = [
    "SparseConstant",
    "SparseSharedVariable",
    "SparseTensorSharedVariable",
    "SparseType",
    "SparseVariable",
    "sparse_constructor",
]
__all__ += basic.__all__
__all__ += [f"{f}_{k}matrix" for f in ("csr", "csc") for k in "bwilfdcz"]
