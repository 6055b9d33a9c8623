"""Names that Theano's programs import from ``theano.compile``."""

from __future__ import annotations

from typing import Any

from tracejit.api import function
from tracejit.symbolic.debugmode import BadOptimization
from tracejit.symbolic.function import MODES, AliasedMemoryError, SymbolicFunction, UnusedInputError
from tracejit.symbolic.io import In, Out, Param, SymbolicInput, SymbolicOutput
from tracejit.symbolic.op import FromFunctionOp, as_op
from tracejit.symbolic.shared import SharedVariable, shared, shared_constructor

Function = SymbolicFunction


class Mode:
    """How a function is run: compiled, or with the `linker` "py" node by node in NumPy.

    Graphs are always optimised, so that `optimizer` may only name one of Theano's.
    """

    def __init__(self, linker: Any = None, optimizer: Any = "fast_run") -> None:
        if optimizer not in (None, "fast_run", "fast_compile", "merge", "None"):
            raise ValueError(f"no optimizer {optimizer!r}")
        if linker not in (None, "cvm", "vm", "c|py", "c", "py", "cvm_nogc", "vm_nogc"):
            raise ValueError(f"no linker {linker!r}")
        self.linker, self.optimizer = linker, optimizer
        self.name = "FAST_COMPILE" if linker == "py" else "FAST_RUN"

    def __repr__(self) -> str:
        return f"Mode(linker={self.linker!r}, optimizer={self.optimizer!r})"


def get_mode(mode: Any) -> Any:
    """The mode of a name; a `Mode` is itself. ValueError for a name that is none."""
    if isinstance(mode, Mode):
        return mode
    if mode not in (*MODES, "Mode", "DEBUG_MODE", None):
        raise ValueError(f"no mode {mode!r}; there are: {', '.join(MODES)}")
    return mode


def get_default_mode() -> Any:
    """The mode of functions that name none."""
    from tracejit.config import config

    return get_mode(config.mode)


__all__ = [
    "AliasedMemoryError",
    "BadOptimization",
    "FromFunctionOp",
    "Function",
    "In",
    "Mode",
    "Out",
    "Param",
    "SharedVariable",
    "SymbolicInput",
    "SymbolicOutput",
    "UnusedInputError",
    "as_op",
    "function",
    "get_default_mode",
    "get_mode",
    "shared",
    "shared_constructor",
]
