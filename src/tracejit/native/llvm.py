"""LLVM's text as machine code in this process, and machine code as functions of Python's.

What is `compiled` lives until the process ends: Python reads the definition of a function when that
goes, and threads may run machine code, later than anything that could keep it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from tracejit.native.apart import apart

#: How the interpreter calls a function: ``PyObject *f(PyObject *self, PyObject **arguments,
#: ssize_t n)``, and with the names of the last ones after that.
_FASTCALL, _KEYWORDS = 0x80, 0x02


class _Definition(ctypes.Structure):
    """Python's ``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_object, _address = ctypes.py_object, ctypes.c_void_p
_new_function: Any = ctypes.PYFUNCTYPE(_object, _address, _object, _address)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)
_new_method: Any = ctypes.PYFUNCTYPE(_object, _object, _address)(
    ("PyDescr_NewMethod", ctypes.pythonapi)
)


def keep(*things: Any) -> None:
    """Never free these objects."""
    for thing in things:
        ctypes.pythonapi.Py_IncRef(_object(thing))


def _definition(name: str, address: int, flags: int) -> int:
    # A signature is for `inspect`.
    signature = f"{name}($self, /, *args{', **kwargs' * bool(flags & _KEYWORDS)})\n--\n\n"
    definition = _Definition(name.encode(), address, flags, signature.encode())
    keep(definition)
    return ctypes.addressof(definition)


def function(name: str, address: int, owner: Any) -> Callable[..., Any]:
    """The function whose machine code is at `address`; `owner`, its ``__self__``, keeps that."""
    made: Callable[..., Any] = _new_function(_definition(name, address, _FASTCALL), owner, None)
    return made


def method(name: str, address: int, cls: type) -> Callable[..., Any]:
    """A method of `cls`, which takes keyword arguments too."""
    made: Callable[..., Any] = _new_method(cls, _definition(name, address, _FASTCALL | _KEYWORDS))
    return made


def compiled(text: str, effort: int = 2) -> Callable[[str], int]:
    """What gives the addresses of the functions of a module, by their names.

    `effort` is LLVM's level of optimisation.
    """
    return apart(lambda: _compiled(text, effort))


def _compiled(text: str, effort: int) -> Callable[[str], int]:
    made = engine(text, effort)
    made.finalize_object()
    keep(made)
    found: Callable[[str], int] = made.get_function_address
    return found


def engine(text: str, effort: int = 0) -> Any:
    """What links the module of a text, for this machine, and frees its code when it goes."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(text)
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=effort)
    return llvm.create_mcjit_compiler(module, machine)


def callback(function: Any) -> int:
    """The address of a callback of `ctypes`, for as long as the process lives."""
    keep(function)
    address = ctypes.cast(function, _address).value
    assert address is not None
    return address


def pointer(address: int | None) -> str:
    """An address in LLVM's text."""
    return f"inttoptr (i64 {address} to ptr)"


def address(name: str) -> int:
    """Where a function of Python's C interface is."""
    found = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert found is not None
    return found


def python(name: str) -> str:
    """A function of Python's C interface in LLVM's text."""
    return pointer(address(name))
