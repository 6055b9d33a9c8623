"""The locks of this process: none is in another thread's hands where it forks.

A thread that holds a lock does not exist in a forked child, which would wait for it for ever. So
all of them are taken before a fork, and let go on both sides. `busy` says whether this very thread
is at work under one that is for one work at a time: what a signal handler or a finaliser calls
then must do without.
"""

from __future__ import annotations

import functools
import os
import threading
import time
import weakref
from typing import Any

#: Seconds that a fork waits for what other threads do under locks.
PATIENCE = 20.0

_locks: set[weakref.ref[Any]] = set()
_exclusive: list[Any] = []


def make(exclusive: bool = False) -> Any:
    """A re-entrant lock, `exclusive` if it is for one work at a time (see `busy`)."""
    return register(threading.RLock(), exclusive)


def register(lock: Any, exclusive: bool = False) -> Any:
    """`lock`, a re-entrant one, which is taken before a fork as long as it lives."""
    _locks.add(weakref.ref(lock, _locks.discard))
    if exclusive:
        _exclusive.append(lock)
    return lock


def busy() -> bool:
    """Whether this thread is in the middle of a work that it cannot begin again."""
    return any(lock._is_owned() for lock in _exclusive)


class _Forking(threading.local):
    def __init__(self) -> None:
        self.held: list[Any] = []


_forking = _Forking()


def _registered() -> list[Any]:
    return [lock for ref in list(_locks) if (lock := ref()) is not None]


def _take() -> None:
    """Take all locks, in no order: wait for one, and where another is taken, wait for that one.

    What is waited for may register more of them. After `PATIENCE`, take those that are free.
    """
    held, first = _forking.held, list[Any]()
    deadline = time.monotonic() + PATIENCE
    while True:
        left = max(0.0, deadline - time.monotonic())
        wanted = [*first, *(lock for lock in _registered() if lock not in first)]
        late = None
        for k, lock in enumerate(wanted):
            held.append(lock)  # first: a signal may come as soon as it is taken
            if lock.acquire(timeout=0.0 if k else left):
                continue
            held.pop()
            if left:
                late = lock
                break
        if late is None and (not left or len(wanted) == len(_registered())):
            return
        _release()
        first = [] if late is None else [late]


def _release() -> None:
    held = _forking.held
    while held:
        lock = held.pop()
        if lock._is_owned():  # else what took it was interrupted
            lock.release()


def _renew() -> None:
    """In the child: what could not be taken is nobody's."""
    held = {id(lock) for lock in _forking.held if lock._is_owned()}
    for lock in _registered():
        if id(lock) not in held:
            lock._at_fork_reinit()
    _release()


@functools.cache
def prepare() -> None:
    """Have forks take the locks, from now on: before there is work that one must wait for.

    Numba imports modules that take locks of their own before a fork. What is registered last comes
    first there: they are imported here, or a fork that waits for Numba's import would have what
    that needs, and not while a fork waits, for they would let go what they have not taken.
    """
    import concurrent.futures.thread  # noqa: F401
    import logging  # noqa: F401

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_take, after_in_parent=_release, after_in_child=_renew)
