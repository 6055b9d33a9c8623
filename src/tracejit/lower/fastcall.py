"""Machine code as a function of Python's, which hands it an array of its arguments."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

#: How the interpreter calls it: ``PyObject *f(PyObject *self, PyObject **arguments, ssize_t n)``.
_METH_FASTCALL = 0x80


class _Definition(ctypes.Structure):
    """Python's ``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_new: Any = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
)(("PyCFunction_NewEx", ctypes.pythonapi))  # fmt: skip


def fastcall(name: str, address: int, owner: Any) -> Callable[..., Any]:
    """The function whose machine code is at `address`; `owner`, its ``__self__``, keeps that alive.

    Its definition is never freed: Python reads it when the function goes, which may be later than
    anything that could keep it.
    """
    definition = _Definition(name.encode(), address, _METH_FASTCALL, None)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(definition))
    function: Callable[..., Any] = _new(ctypes.addressof(definition), owner, None)
    return function
