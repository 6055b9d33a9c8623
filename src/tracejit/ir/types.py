"""The dtypes that a traced array may have."""

from __future__ import annotations

from typing import Any

import numpy as np

BOOL = np.dtype(np.bool_)
INT64 = np.dtype(np.int64)
UINT8 = np.dtype(np.uint8)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
COMPLEX128 = np.dtype(np.complex128)

#: Every dtype that a traced array may have, in NumPy's order of kinds.
DTYPES: tuple[np.dtype[Any], ...] = tuple(
    np.dtype(name)
    for name in (
        "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
        "float16 float32 float64 complex64 complex128"
    ).split()
)
_CANONICAL = {(d.kind, d.itemsize): d for d in DTYPES}


def canonical_dtype(dtype: Any) -> np.dtype[Any] | None:
    """The supported native dtype that `dtype` is, or None.

    C has two integers of 64 bits, which are two dtypes to NumPy: one is ``int64``; the other,
    mostly ``longlong``, is not supported.
    """
    dtype = np.dtype(dtype)
    if not dtype.isnative or dtype.kind not in "biufc":
        return None
    found = _CANONICAL.get((dtype.kind, dtype.itemsize))
    return found if found is not None and found.num == dtype.num else None


def same_values(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The supported dtype with the values of `dtype`, which may be the other integer of 64 bits.

    NumPy's own loops work in that one where they compare ``int64`` with ``uint64``.
    """
    return _CANONICAL.get((dtype.kind, dtype.itemsize), dtype)
