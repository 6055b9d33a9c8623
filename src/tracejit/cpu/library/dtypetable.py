"""The tables of functions that NumPy keeps for its dtypes, which are part of its C interface.

They need neither the interpreter nor the array. As with the ufuncs' loops, a kernel names them by
symbols.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numba.core import types
from numba.np.numpy_support import from_dtype

from tracejit.native.abi import functions_of

__all__ = ["element_type", "registered"]


#: The places of sorts among each other; between these stands a heapsort.
_KINDS = {"quicksort": 0, "stable": 2}


def registered(name: str, char: str, kind: str = "") -> str:
    """The symbol, known to the linker, of a function of a dtype; of its sorts the one of a kind."""
    field = getattr(functions_of(char), name)
    address = field[_KINDS[kind]] if kind else field
    if not address:
        raise LookupError(f"NumPy has no {name} for {np.dtype(char)}")
    symbol = f"tracejit_{name}{kind}_{char.replace('?', 't')}"
    llvm.add_symbol(symbol, address)
    return symbol


def element_type(char: str) -> Any:
    """The type of a kernel's array elements of a dtype: float16 lies there as uint16."""
    return types.uint16 if char == "e" else from_dtype(np.dtype(char))
