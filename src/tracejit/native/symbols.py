"""The names by which kernels call what has another address in each process.

Machine code that is kept on disk must not contain addresses. It names what it calls, and how that
is found is kept beside it, so that another process gives the same names to the linker.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from tracejit.native import abi, hostcalls, interrupts, lapack, newarray, team, ufuncs
from tracejit.native.llvm import address

#: A name, in which way its address is found, and what that must be told.
Symbol = tuple[str, str, tuple[Any, ...]]
#: The places of sorts among each other in NumPy's tables; between these stands a heapsort.
_SORTS = {"quicksort": 0, "stable": 2}


def _of_dtype(name: str, char: str, kind: str) -> int:
    """A function of a dtype, which needs neither the interpreter nor the array."""
    field = getattr(abi.functions_of(char), name)
    found: int | None = field[_SORTS[kind]] if kind else field
    if not found:
        raise LookupError(f"NumPy has no {name} for {np.dtype(char)}")
    return found


def _of_numba(name: str) -> int | None:
    """What Numba gives the linker as it starts."""
    from numba.core.registry import cpu_target
    from numba.core.runtime import rtsys

    rtsys.initialize(cpu_target.target_context)
    found: int | None = llvm.address_of_symbol(name)
    return found


_WAYS: dict[str, Callable[..., int | None]] = {
    "python": address,
    "pause": interrupts.pause,
    "team": team.runner,
    "new_array": newarray.new_array,
    "dtype": _of_dtype,
    "ufunc": ufuncs.part,
    "lapack": lapack.find,
    "host_call": hostcalls.host_call,
    "numba": _of_numba,
}
_given: dict[str, Symbol] = {}


def give(name: str, way: str, *told: Any) -> str:
    """Give `name` to the linker, and return it. LookupError where it is nowhere."""
    if name not in _given:
        found = _WAYS[way](*told)
        if found is None:
            raise LookupError(f"there is no {name} on this machine")
        llvm.add_symbol(name, found)
        _given[name] = (name, way, told)
    return name


def of_dtype(name: str, char: str, kind: str = "") -> str:
    """The name of a function of a dtype; of its sorts the one of a kind."""
    return give(f"tracejit_{name}{kind}_{char.replace('?', 't')}", "dtype", name, char, kind)


def needed(names: Iterable[str]) -> list[Symbol]:
    """How the linker of another process gets those of `names` that it does not have by itself."""
    return [
        _given.get(name, (name, "numba", (name,)))
        for name in sorted(names)
        if name in _given or not _is_libraries(name)
    ]


def _is_libraries(name: str) -> bool:
    """Whether every process has it from its start: a function of C or of Python."""
    return hasattr(ctypes.pythonapi, name)
