"""tracejit compiles NumPy programs: plain functions by a decorator, symbolic graphs as Theano did.

``function``  the decorator, and the compiler of symbolic variables
``tensor``    symbolic arrays; ``shared`` variables keep their values between calls
``config``    settings, for a while (``with tracejit.config(debug=1):``) or from the environment
"""

from __future__ import annotations

from typing import Any

from tracejit.config import config
from tracejit.errors import (
    AxisError,
    CompileError,
    DTypeError,
    ShapeError,
    TracejitError,
    UnsupportedError,
    UnsupportedWarning,
)
from tracejit.flags import change_flags
from tracejit.function import Function, function

__version__ = "0.1.0"

#: What the symbolic front end adds, imported when it is first asked for.
_SYMBOLIC = {
    "In": "io",
    "MissingInputError": "state",
    "Out": "io",
    "Param": "io",
    "SharedVariable": "sharedvalue",
    "SymbolicFunction": "symbolic",
    "UnusedInputError": "symbolic",
    "shared": "sharedvalue",
}
_MODULES = ("tensor",)


def __getattr__(name: str) -> Any:
    import importlib

    if name in _SYMBOLIC:
        value = getattr(importlib.import_module(f"tracejit.{_SYMBOLIC[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"tracejit.{name}")
    raise AttributeError(f"module 'tracejit' has no attribute {name!r}")


__all__ = [
    "AxisError",
    "CompileError",
    "DTypeError",
    "Function",
    "In",
    "MissingInputError",
    "Out",
    "Param",
    "ShapeError",
    "SharedVariable",
    "SymbolicFunction",
    "TracejitError",
    "UnsupportedError",
    "UnsupportedWarning",
    "UnusedInputError",
    "change_flags",
    "config",
    "function",
    "shared",
]
