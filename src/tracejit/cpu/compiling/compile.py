"""From emitted source to a compiled entry, for one exact signature; what is compiled is kept."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from llvmlite.binding import ffi

from tracejit.config import config
from tracejit.cpu.environment import environment
from tracejit.cpu.source import CPUSource
from tracejit.errors import CompileError
from tracejit.lower import cache
from tracejit.lower.kernel.statements import Kernel
from tracejit.native import locks
from tracejit.native.apart import apart, imported
from tracejit.native.machinecode import Compiled, loaded
from tracejit.native.parameters import Signature

if TYPE_CHECKING:
    from tracejit.intrinsics.function import Built

#: Entries that live in this process, by module name: equal programs are compiled once.
_entries: OrderedDict[str, Any] = OrderedDict()
_lock = locks.make(exclusive=True)
locks.register(ffi.lib._lock._lock)
#: Functions that somebody holds, whose symbols are in use.
_alive: WeakValueDictionary[str, Compiled] = WeakValueDictionary()
_shown = itertools.count()
#: A dropped entry keeps about 1 MB of machine code; so many are kept for reuse.
_MOST = 512


def compile_entry(source: CPUSource, signature: Signature) -> tuple[Any, bool]:
    """The compiled entry of a source, and whether it had to be compiled.

    It makes the late arrays, in the cells that come last in its signature. Called with arguments of
    any other type, it gives the code for a miss, or None, and converts nothing.
    """
    text = f"# {', '.join(map(str, signature))}\n{source.text}"
    name = cache.program_name(text, environment())
    # Machine code from a cache has no text to show.
    shown = config.debug >= 5
    entry = None if shown else _entries.get(name)
    if entry is not None:
        with contextlib.suppress(KeyError):  # another thread needs the room
            _entries.move_to_end(name)
        return entry, False
    return apart(lambda: _compiled_entry(name, text, source, signature, shown))


def _compiled_entry(
    name: str, text: str, source: CPUSource, signature: Signature, shown: bool
) -> tuple[Any, bool]:
    if _lock._is_owned():  # a finaliser's
        raise CompileError("the compiler is in the midst of another program on this thread")
    with _lock:
        entry = None if shown else _entries.get(name)
        if entry is not None:  # another thread was faster
            _entries.move_to_end(name)
            return entry, False
        entry = _compile(name, text, source, signature, kept=not shown)
        _entries[name] = entry
        if len(_entries) > _MOST:
            _entries.popitem(last=False)
        return entry, True


def _compile(name: str, text: str, source: CPUSource, signature: Signature, kept: bool) -> Any:
    function = _alive.get(name) if kept else None
    if function is None:
        function = _load(name, signature) if kept else None
    found = function is not None
    if function is None:
        function = _build(name, source.kernel, signature)
        if kept and (content := function.dumped()) is not None:
            cache.save(name, content, text)
        if not kept:
            print(", ".join(map(str, signature)), file=sys.stderr)
            print(function.assembly(), file=sys.stderr)
    if kept:
        _alive[name] = function
    # A process that has compiled nothing is to start fast.
    return function.callable(effort=0 if found else 2, late=len(source.late))


def _load(name: str, signature: Signature) -> Compiled | None:
    """The function as a file of the cache has it; None where there is none that is right."""
    content = cache.load(name)
    if content is None:
        return None
    try:
        return loaded(name, content, signature)
    except Exception:
        cache.forget(name)
        return None


def _build(name: str, kernel: Kernel, signature: Signature) -> Built:
    try:
        built = imported("tracejit.cpu.compiling.build").built
        # Two of one name must not be alive at once: one that is shown may be beside another.
        return built(f"{name}.{next(_shown)}" if config.debug >= 5 else name, kernel, signature)
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CompileError(f"the compiler refused {name}: {reason[0]}") from error
