"""Compiled functions as C functions: ``f.low_level()``, for `scipy.LowLevelCallable`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.call.compiled import Compiled
from tracejit.call.fallback import device_of
from tracejit.call.slow import TracedPath, path_for
from tracejit.errors import UnsupportedError
from tracejit.ir import ops
from tracejit.native.lowlevel import FORMS, as_ctypes, function_of


class LowLevel:
    """A C function that computes what a Python function does.

    `address` is where it is, `signature` what it is in C, and `ctypes` calls it; it is there as
    long as the process. `callable` is SciPy's object for it.
    """

    def __init__(self, signature: str, address: int, path: TracedPath) -> None:
        self.signature, self.address = signature, address
        self.ctypes = as_ctypes(FORMS[signature], address)
        self._program = path.executable  # whose machine code it calls

    @property
    def callable(self) -> Any:
        """The `scipy.LowLevelCallable`."""
        from scipy import LowLevelCallable

        made = LowLevelCallable(self.ctypes, signature=self.signature.replace("npy_intp", _SIZE))
        return made

    def __repr__(self) -> str:
        return f"<{self.signature} at {self.address:#x}>"


#: What SciPy calls the integer that is as long as a pointer.
_SIZE = {8: "long", 4: "int"}[np.dtype(np.intp).itemsize]


def low_level(fn: Compiled, signature: str, size: int | None) -> LowLevel:
    """The C function of a compiled one; see `Function.low_level`."""
    form = FORMS.get(signature)
    if form is None:
        raise ValueError(f"signature must be one of {', '.join(map(repr, FORMS))}")
    code = fn.__wrapped__.__code__
    count = code.co_argcount - len(fn.__wrapped__.__defaults__ or ())
    if form.takes != "numbers" and count != 1:
        raise ValueError(f"{fn.__name__}() takes more than the one argument of {signature!r}")
    if form.takes == "window":
        if size is None or size < 2:
            raise ValueError("a window has a size, of at least 2: low_level(signature, size=9)")
        count = size
    whole: Any = type(fn)(_of_array(fn.__wrapped__, count, form.takes), fn.__name__, "error")
    whole.device = fn.device
    path = path_for(whole, (np.linspace(0.25, 0.75, count),), {})
    reason = _reason(fn, path)
    if reason:
        raise UnsupportedError(f"{fn.__name__}() is no C function: {reason}")
    executable: Any = path.executable
    program = executable.entry.__self__[0]
    return LowLevel(signature, function_of(form, program, count), path)


def _of_array(f: Any, count: int, takes: str) -> Any:
    """A function of an array that calls `f` with it, or with its elements.

    What Python would decide by its own numbers is decided by regions for elements.
    """

    def of_window(x: Any) -> Any:
        return np.multiply(f(x), 1.0)

    def of_elements(x: Any) -> Any:
        return np.multiply(f(*[x[k] for k in range(count)]), 1.0)

    return of_window if takes == "window" else of_elements


def _reason(fn: Compiled, path: TracedPath) -> str:
    """Why a program is more than a C function does; empty where it is not."""
    executable: Any = path.executable
    source = getattr(executable, "emitted", None)
    if device_of(fn) != "cpu" or source is None:
        return "it is compiled for the CPU alone, and not interpreted"
    if path.moves or path.states or len(path.graph.inputs) != 1:
        return "it reads, draws or changes what is outside of it; pass numbers as arguments"
    if len(path.graph.outputs) != 1 or len(source.buffers) != 1:
        return (
            "its result is one number that depends on what it is given, without arrays on the way"
        )
    [output] = path.graph.outputs
    if output.shape or output.dtype != np.float64 or output.op is ops.CONST:
        return "its result is one float64"
    if source.extras or source.ranged or source.shared or source.late:
        return "it makes arrays"
    return ""
