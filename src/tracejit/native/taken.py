"""Which objects of Python's an argument of a program may be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types
from numba.np.numpy_support import as_dtype

#: Flags of an array.
_C, _F, _ALIGNED, _WRITEABLE = 0x1, 0x2, 0x100, 0x400
#: Which flags tell a layout, and which of them are set: what is contiguous both ways is C.
_LAYOUTS = {"C": (_C, _C), "F": (_C | _F, _F), "A": (_C | _F, 0)}
#: Every type of number: NumPy's, and Python's with how each is read.
_NUMBERS: list[type] = [np.dtype(char).type for char in np.typecodes["All"] if char not in "SUV"]
PYTHONS: dict[type, int] = {int: 1, float: 2, complex: 3, bool: 4}
#: What is raised where there are more arguments or fewer.
OTHER_ARGUMENTS = "an entry takes other arguments"


def dtype_of(ty: Any) -> np.dtype[Any]:
    """The dtype of an argument, or of its elements."""
    found: np.dtype[Any] = as_dtype(ty.dtype if isinstance(ty, types.Array) else ty)
    return found


def classes(dtype: np.dtype[Any]) -> list[type]:
    """NumPy's type of scalars of this dtype: of C's two integers of 64 bits one is another."""
    return [cls for cls in _NUMBERS if np.dtype(cls).num == dtype.num]


def flags_of(ty: Any) -> tuple[int, int]:
    """Which flags of an array are looked at, and which of them it has."""
    mask, flags = _LAYOUTS[ty.layout]
    wanted = flags | _ALIGNED | (_WRITEABLE if ty.mutable else 0)
    return mask | _ALIGNED | _WRITEABLE, wanted
