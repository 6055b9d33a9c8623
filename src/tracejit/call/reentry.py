"""Calls from a signal handler, a finaliser or the like, which come in the midst of a trace.

They are no part of the function that is being traced, and see nothing of its trace.
"""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from tracejit.capture.namespace import is_library_file
from tracejit.capture.outer import Namespace
from tracejit.errors import restore_refusal, take_refusal
from tracejit.ir import build
from tracejit.trace.origin import is_internal
from tracejit.trace.trace import Trace, current
from tracejit.trace.tracer import Tracer

_F = TypeVar("_F", bound=Callable[..., Any])

_begin: set[types.CodeType] = set()


def begins_trace(f: _F) -> _F:
    """Decorator of a function that runs traced copies."""
    _begin.add(f.__code__)
    return f


def inlining(operands: Iterable[Any]) -> Trace | None:
    """The trace that a call of `operands` is part of: a traced copy makes it, or it is traced."""
    trace = current()
    if trace is None or trace.capture is None:
        return None
    return trace if _by_copy() or any(map(_is_traced, operands)) else None


def _is_traced(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, Tracer) or (
        isinstance(value, (tuple, list)) and any(map(_is_traced, value))
    )


def _by_copy() -> bool:
    """Whether the innermost frame of the user's is a traced copy's, or there is none."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if isinstance(frame.f_globals, Namespace) or frame.f_code in _begin:
            return True
        file = frame.f_code.co_filename
        library = is_library_file(file) and not file.endswith("weakref.py")  # finalizers
        if not (library or is_internal(file)):
            return False
        frame = frame.f_back
    return False


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """The trace that runs on this thread, if any, is put aside."""
    refusal = take_refusal()
    try:
        with build.use_solver(build.IDLE):
            yield
    finally:
        take_refusal()
        restore_refusal(refusal)
