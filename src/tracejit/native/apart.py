"""Work that nothing interrupts: a thread of its own does it, and who wants it done waits.

What a signal handler raises, as at Ctrl-C, comes between any two steps of the main thread. In the
midst of Numba's and LLVM's work it would leave locks taken and modules that two owners free. So it
only ends the wait; the work goes on to its end, and its result is there for who asks again.

Nothing of the user's runs in there: what the garbage collector would call waits, for it could want
a lock of the thread that waits. (Numba makes hundreds of thousands of objects that live on; to look
through them for garbage time and again would take a tenth of the time as well, or far more where
the process has many objects.)
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import gc
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from tracejit.config import COMPILER
from tracejit.native import locks

_T = TypeVar("_T")
F = TypeVar("F", bound=Callable[..., Any])


class _Here(threading.local):
    apart = False


_here = _Here()
_lock, _importing = locks.make(), locks.make()


class _Collector:
    """Garbage is not collected while there are `works`; whether it was before."""

    works: set[_Work] = set()  # noqa: RUF012
    collecting = False


class _Work:
    """A function to be called, and what came of it."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.context = contextvars.copy_context()
        self.result: Any = None
        self.error: BaseException | None = None
        #: Whether somebody does it, or it has been given up before that.
        self.taken = False
        #: Whether it was another process's.
        self.lost = False
        self.done = threading.Lock()
        self.done.acquire()

    def begin(self) -> None:
        """Collect no garbage until the `end`."""
        with _lock:
            _Collector.works.add(self)
            if len(_Collector.works) == 1:
                _Collector.collecting = gc.isenabled()
                gc.disable()

    def end(self) -> None:
        """Collect garbage again, if that was done before."""
        with _lock:
            _Collector.works.discard(self)
            if not _Collector.works and _Collector.collecting:
                _Collector.collecting = False
                gc.enable()

    def take(self) -> bool:
        """Whether nobody had it before."""
        with _lock:
            before, self.taken = self.taken, True
        return not before

    def given(self) -> Any:
        """What came of it, which the thread, as it ends, has no more."""
        error, result = self.error, self.result
        self.function, self.error, self.result = _nothing, None, None
        self.context = contextvars.Context()
        try:
            if error is not None:
                raise error
            return result
        finally:
            del error

    def run(self) -> None:
        """Do it, in a thread of its own."""
        if not self.take():
            return
        _here.apart = True
        try:
            self.result = self.context.run(self.function)
        except BaseException as error:
            self.error = error
        finally:
            self.done.release()
            self.end()


def apart(function: Callable[[], _T]) -> _T:
    """What ``function()`` gives or raises; what is raised here meanwhile ends the wait."""
    if _here.apart:
        return function()
    locks.prepare()
    work = _Work(function)
    try:
        work.begin()
        thread = threading.Thread(target=work.run, name=COMPILER)
        try:
            thread.start()
        except RuntimeError:  # the process ends, or has too many threads
            return function()
        work.done.acquire()
    finally:
        if work.take():
            work.end()
    if work.lost:
        return apart(function)
    result: _T = work.given()
    return result


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile, here either: what is made lives on."""
    work = _Work(_nothing)
    try:
        work.begin()
        yield
    finally:
        try:
            work.end()
        except BaseException:  # a signal handler's, which comes but once
            work.end()
            raise


def collecting_nothing(f: F) -> F:
    """`f`, under `uncollected`; a frame of ours is between, and none of Python's library."""

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        with uncollected():
            return f(*args, **kwargs)

    return cast(F, call)


def _nothing() -> None:
    """What is left of a function that was called."""


def imported(name: str) -> Any:
    """The module `name`. An import that is interrupted may leave the lock of all imports taken."""
    found = sys.modules.get(name)
    ready = found is not None and not getattr(found.__spec__, "_initializing", False)
    return found if ready else apart(lambda: _import(name))


def _import(name: str) -> Any:
    with _importing:  # a forked child would wait for a module that nobody imports any more
        return importlib.import_module(name)


def _lose() -> None:
    """In a forked child, which has none of the threads that work."""
    _here.apart = False
    for work in list(_Collector.works):
        work.taken = work.lost = True
        work.end()
        if work.done.locked():
            work.done.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lose)
