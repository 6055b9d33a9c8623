"""The tables of functions that NumPy keeps for its dtypes, which are part of its C interface.

They need neither the interpreter nor the array. As with the ufuncs' loops, a kernel names them by
symbols.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numba.core import types
from numba.np.numpy_support import from_dtype

__all__ = ["ARGMAX", "ARGMIN", "FIRST_ARGSORT", "FIRST_SORT", "element_type", "registered"]

#: Where `_PyDataType_GetArrFuncs` stands in NumPy's C interface, and functions in what it gives:
#: 21 casts come first there (``PyArray_ArrFuncs`` of ``ndarraytypes.h``).
_GET_FUNCTIONS = 365
ARGMAX, FIRST_SORT, FIRST_ARGSORT, ARGMIN = 26, 33, 36, 46


@functools.cache
def _functions(char: str) -> Any:
    """The table of functions of a dtype, as an array of addresses."""
    capsule = importlib.import_module("numpy._core._multiarray_umath")._ARRAY_API
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    interface = ctypes.cast(pointer(capsule, None), ctypes.POINTER(ctypes.c_void_p))
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(interface[_GET_FUNCTIONS])
    return ctypes.cast(get(np.dtype(char)), ctypes.POINTER(ctypes.c_void_p))


def registered(name: str, char: str, place: int) -> str:
    """The symbol, known to the linker, of a function of a dtype at a place of its table."""
    symbol = f"tracejit_{name}_{char.replace('?', 't')}"
    address = _functions(char)[place]
    if not address:
        raise LookupError(f"NumPy has no {name} for {np.dtype(char)}")
    llvm.add_symbol(symbol, address)
    return symbol


def element_type(char: str) -> Any:
    """The type of a kernel's array elements of a dtype: float16 lies there as uint16."""
    return types.uint16 if char == "e" else from_dtype(np.dtype(char))
