"""LAPACK's routines, as SciPy offers them to compiled code."""

from __future__ import annotations

import ctypes
import functools
import importlib
from typing import Any

#: Where SciPy has them, which is imported by whoever calls its functions.
_MODULE = "scipy.linalg.cython_lapack"


@functools.cache
def find(name: str) -> int:
    """The address of a routine. LookupError where SciPy has none, or one of other integers."""
    try:
        capsule: Any = importlib.import_module(_MODULE).__pyx_capi__[name]
    except (ImportError, AttributeError, KeyError) as error:
        raise LookupError(f"SciPy has no LAPACK routine {name}") from error
    named = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
        ("PyCapsule_GetName", ctypes.pythonapi)
    )
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    signature: bytes = named(capsule)
    if not signature.startswith(b"void (") or b" int *" not in signature.replace(b"(", b" "):
        raise LookupError(f"SciPy's LAPACK routine {name} takes other integers")
    return int(pointer(capsule, signature))


def call(name: str, *addresses: int) -> None:
    """Call a routine, all of whose arguments are addresses."""
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(addresses))
    kind(find(name))(*addresses)
