"""NumPy's and SciPy's compiled ufunc loops, found where they lie in this process."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import numpy as np

from tracejit.native import abi, locks

#: The dtypes that kernels have.
_KERNEL_TYPES = "?bhilqBHILQefdFD"


class Loop(NamedTuple):
    """A ufunc's loop; its three parts have names that begin with `symbol`."""

    symbol: str
    inputs: tuple[np.dtype[Any], ...]
    outputs: tuple[np.dtype[Any], ...]
    #: Its function, context and auxiliary data; 0 where it has none.
    parts: dict[str, int]
    # NumPy frees the loop's context and data with it.
    capsule: Any


_found: dict[tuple[str | None, ...], Loop] = {}
_lock = locks.make()


def _parse(dtypes: str) -> tuple[tuple[np.dtype[Any], ...], tuple[np.dtype[Any], ...]]:
    inputs, arrow, outputs = dtypes.partition("->")
    codes = inputs + outputs
    if not (arrow and inputs and outputs) or any(code not in _KERNEL_TYPES for code in codes):
        raise LookupError(f"{dtypes!r} does not name types that a kernel has")
    return tuple(map(np.dtype, inputs)), tuple(map(np.dtype, outputs))


def find(module: str, name: str, dtypes: str, core: str | None = None) -> Loop:
    """The loop of `module.name` for a type string; `core` is a generalised ufunc's signature.

    LookupError where there is none, or none that runs without the interpreter.
    """
    key = module, name, dtypes, core
    with _lock:
        if key not in _found:
            _found[key] = _look_up(*key)
        return _found[key]


def part(module: str, name: str, dtypes: str, core: str | None, which: str) -> int:
    """The address of a part of a loop."""
    return find(module, name, dtypes, core).parts[which]


def _look_up(module: str, name: str, dtypes: str, core: str | None) -> Loop:
    found: Any = getattr(importlib.import_module(module), name, None)
    if not isinstance(found, np.ufunc):
        raise LookupError(f"{module}.{name} is not a ufunc")
    ufunc: Any = found  # NumPy's annotations leave the interface out
    if ufunc.signature != core:
        raise LookupError(f"{module}.{name} has the signature {ufunc.signature}")
    inputs, outputs = _parse(dtypes)
    if (len(inputs), len(outputs)) != (ufunc.nin, ufunc.nout):
        raise LookupError(f"{module}.{name} does not have the operands of {dtypes!r}")
    wanted = inputs + outputs
    try:
        resolved, capsule = ufunc._resolve_dtypes_and_context(wanted, casting="no")
        ufunc._get_strided_loop(capsule)
    except TypeError as error:
        raise LookupError(f"{module}.{name} has no loop for {dtypes!r}: {error}") from error
    if resolved != wanted:
        raise LookupError(f"{module}.{name} has no loop for {dtypes!r}, only {resolved}")
    info = abi.call_info(capsule)
    if info.requires_pyapi:
        raise LookupError(f"the loop of {module}.{name} for {dtypes!r} needs the interpreter")
    label = dtypes.replace("->", "_").replace("?", "t")
    symbol = f"tracejit_{module.replace('.', '_')}_{name}_{label}{'_core' if core else ''}"
    parts = {"fn": info.strided_loop, "ctx": info.context, "aux": info.auxdata or 0}
    return Loop(symbol, inputs, outputs, parts, capsule)
