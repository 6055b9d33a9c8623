"""From emitted source to a compiled entry: one Numba dispatcher with one exact signature."""

from __future__ import annotations

import contextlib
import linecache
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from llvmlite.binding import ffi
from numba.core import types
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.np.numpy_support import from_dtype

from tracejit.config import config
from tracejit.cpu.compiling.callwrapper import njit, python_callable
from tracejit.cpu.compiling.flatten import execute
from tracejit.cpu.environment import environment
from tracejit.errors import CompileError
from tracejit.lower import cache
from tracejit.native import locks
from tracejit.native.apart import apart

#: Entries that live in this process, by module name: equal programs are compiled once.
_entries: OrderedDict[str, Any] = OrderedDict()
_lock = locks.make(exclusive=True)
locks.register(global_compiler_lock._lock, exclusive=True)
locks.register(ffi.lib._lock._lock)
#: A dropped entry keeps about 1 MB of machine code; so many are kept for reuse.
_MOST = 512


def array_type(dtype: np.dtype[Any], ndim: int, layout: Any, readonly: bool = False) -> Any:
    """The Numba type of an array argument."""
    return types.Array(from_dtype(dtype), ndim, layout, readonly=readonly)


def scalar_type(dtype: np.dtype[Any]) -> Any:
    """The Numba type of a scalar argument."""
    return from_dtype(dtype)


def compile_entry(text: str, signature: tuple[Any, ...], late: int = 0) -> tuple[Any, bool]:
    """The compiled ``entry`` of source `text`, and whether it had to be compiled.

    It makes `late` arrays, in the cells that come last in its signature. Called with arguments of
    any other type, it gives the code for a miss, or None, and converts nothing.
    """
    text = f"# {', '.join(map(str, signature))}\n{text}"
    name = cache.program_name(text, environment())
    # Machine code from a cache has no text to show.
    shown = config.debug >= 5
    entry = None if shown else _entries.get(name)
    if entry is not None:
        with contextlib.suppress(KeyError):  # another thread needs the room
            _entries.move_to_end(name)
        return entry, False
    return apart(lambda: _compiled_entry(name, text, signature, late, shown))


def _compiled_entry(
    name: str, text: str, signature: tuple[Any, ...], late: int, shown: bool
) -> tuple[Any, bool]:
    if _lock._is_owned():  # a finaliser's
        raise CompileError("the compiler is in the midst of another program on this thread")
    with _lock:
        entry = None if shown else _entries.get(name)
        if entry is not None:  # another thread was faster
            _entries.move_to_end(name)
            return entry, False
        entry = _compile(name, text, signature, late, kept=not shown)
        _entries[name] = entry
        if len(_entries) > _MOST:
            old, _ = _entries.popitem(last=False)
            sys.modules.pop(old, None)
        return entry, True


def _compile(name: str, text: str, signature: tuple[Any, ...], late: int, kept: bool) -> Any:
    file = f"<{name}>"
    module = ModuleType(name)
    module.__file__ = file
    # Numba saves the module by name: it must be importable before its code runs.
    sys.modules[name] = module
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    execute(text, file, module.__dict__)
    try:
        dispatcher, found = _dispatch(module.entry, name, signature, text if kept else None)
    except Exception as error:
        sys.modules.pop(name, None)
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CompileError(f"Numba refused {file}: {reason[0]}") from error
    if config.debug >= 5:
        overload = next(iter(dispatcher.overloads.values()))
        print(overload.signature, file=sys.stderr)
        print(dispatcher.inspect_asm(overload.signature.args), file=sys.stderr)
    # A process that has compiled nothing is to start fast.
    return python_callable(dispatcher, effort=0 if found else 2, late=late)


def _load(dispatcher: Any, name: str) -> bool:
    """Whether machine code was found in the cache.

    Numba's own cache would first set up all that it can compile, and import what that needs,
    SciPy's linear algebra among it: a quarter of a second that running the code does not need.
    """
    content = cache.load(name)
    if content is None:
        return False
    target = dispatcher.targetctx
    try:
        with global_compiler_lock:
            rtsys.initialize(target)
            found = CompileResult._rebuild(target, *pickle.loads(content))
            if found.fndesc.modname != dispatcher.py_func.__module__:
                raise ValueError("the machine code is another program's")
            dispatcher.add_overload(found)
    except Exception:
        cache.forget(name)
        return False
    return True


def _save(dispatcher: Any, name: str, text: str) -> None:
    """Keep machine code for other processes, where it holds no addresses of this one."""
    (compiled,) = dispatcher.overloads.values()
    if not compiled.library.has_dynamic_globals:
        cache.save(name, dumps(compiled._reduce()), text)


def _dispatch(
    function: Callable[..., Any], name: str, signature: tuple[Any, ...], kept: str | None
) -> tuple[Any, bool]:
    """The dispatcher of a compiled function, and whether its machine code was in the cache.

    It is kept there with the source `kept`, unless that is None.
    """
    dispatcher = njit(function)
    found = kept is not None and _load(dispatcher, name)
    if not found:
        dispatcher.compile(signature)
        if kept is not None:
            _save(dispatcher, name, kept)
    return dispatcher, found
