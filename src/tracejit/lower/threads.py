"""Running a divided program: parts of its rows on a few threads of our own."""

from __future__ import annotations

import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.lower.chunks import chunk_length

#: Additions below which a call is not divided: they take some 50 µs, and to divide it 15.
LEAST_WORK = 1 << 20
#: Ranges begin at multiples of this many iterations, where there are many.
ALIGNED = 64


class _Pool:
    """Threads that wait for calls of entries, which run without the interpreter's lock."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Any] = SimpleQueue()
        for k in range(os.cpu_count() or 1):
            threading.Thread(target=self._work, name=f"tracejit {k}", daemon=True).start()

    def _work(self) -> None:
        while True:
            entry, calls, answer = self.jobs.get()
            try:
                answer.put(_drain(entry, calls))
            except BaseException as error:
                answer.put(error)
            del entry, calls, answer

    def run(self, entry: Callable[..., int], calls: list[list[Any]], threads: int) -> int:
        """The largest code of calls, which this thread and others take one after another."""
        answer: SimpleQueue[Any] = SimpleQueue()
        left = deque(calls)
        for _ in range(threads - 1):
            self.jobs.put((entry, left, answer))
        code = _drain(entry, left)
        codes = [answer.get() for _ in range(threads - 1)]
        for each in codes:
            if isinstance(each, BaseException):
                raise each
        return max(code, *codes)


def _drain(entry: Callable[..., int], calls: deque[list[Any]]) -> int:
    code = 0
    while True:
        try:
            args = calls.popleft()
        except IndexError:
            return code
        code = max(code, entry(*args))


_pool: _Pool | None = None


def _forget_pool() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)  # the child has none of its threads


def available() -> int:
    """Threads that a call may use: the setting, or the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return min(config.threads or processors, processors)


def run(entry: Callable[..., int], rows: int, work: int, args: Sequence[Any]) -> int:
    """``entry`` over rows of `args`, pairs of an argument and whether it is divided; its code."""
    threads = available()
    parts = _parts(threads, rows, work)
    if parts < 2:
        return entry(*(a for a, _ in args))
    bounds = [rows * k // parts for k in range(parts + 1)]
    return _at_once(
        entry,
        [[a[low:high] if divided else a for a, divided in args] for low, high in pairwise(bounds)],
        threads,
    )


def _parts(threads: int, rows: int, work: int) -> int:
    """Into how many parts a call is divided; large ones into more than there are threads.

    So a thread that is held up leaves its share to the others.
    """
    most = threads if work < 16 * LEAST_WORK else 4 * threads
    return min(most, rows // 2, work // (LEAST_WORK // 2)) if threads > 1 else 1


def _at_once(entry: Callable[..., int], calls: list[list[Any]], threads: int) -> int:
    """The largest code of calls that run at once."""
    global _pool
    if _pool is None:
        _pool = _Pool()
    return _pool.run(entry, calls, min(threads, len(calls)))


class Phased:
    """An entry that is called for ranges of its phases, once it has been compiled.

    `make` compiles it, in the background, at the second call with enough to do: a program that is
    called once would not repay it. Until it is there `serial` is called. Beside the entry it gives
    the dtypes of what that needs between phases: scalars, and elements for the chunks of a phase.
    """

    def __init__(
        self,
        serial: Callable[..., int],
        make: Callable[[], tuple[Callable[..., int], list[tuple[np.dtype[Any], int | None]]]],
    ) -> None:
        self.serial = serial
        self.make = make
        self.entry: Callable[..., int] | None = None
        self.extras: list[tuple[np.dtype[Any], int | None]] = []
        self.making: threading.Thread | None = None
        self.large_calls = 0

    def __call__(self, phases: Sequence[tuple[int, int, int]], args: Sequence[Any]) -> int:
        """The code of a call.

        `phases` says for each how many rows may be divided, its work, and the points of a row where
        it is divided by chunks (else -1).
        """
        threads = available()
        most = max((work for rows, work, _ in phases if rows > 1), default=0)
        if threads < 2 or most < LEAST_WORK:
            return self.serial(*args)
        if self.entry is None:
            self.large_calls += 1
            if self.large_calls > 1:
                self._start()
            return self.serial(*args)
        counts = [
            rows if inner < 0 else -(-rows // chunk_length(inner)) for rows, _, inner in phases
        ]
        memory = [np.empty(() if k is None else counts[k], dtype) for dtype, k in self.extras]
        args = [*args, *memory]
        for k, (_, work, inner) in enumerate(phases):
            code = self._phase(k, counts[k], work, inner, args)
            if code:
                return code
        return 0

    def _phase(self, k: int, count: int, work: int, inner: int, args: list[Any]) -> int:
        """Run phase `k`, and combine what its chunks gave."""
        assert self.entry is not None
        threads = available()
        parts = _parts(threads, count, work)
        if parts < 2:
            code = self.entry(*args, k, 0, count)
        else:
            # Loops over random numbers begin at multiples of what they make at a time.
            step = ALIGNED if inner < 0 and count >= parts * ALIGNED else 1
            bounds = [count * j // parts // step * step for j in range(parts)] + [count]
            calls = [[*args, k, low, high] for low, high in pairwise(bounds)]
            code = _at_once(self.entry, calls, threads)
        return code or (self.entry(*args, ~k, 0, count) if inner >= 0 else 0)

    def _start(self) -> None:
        if self.making is None:
            self.making = threading.Thread(target=self._make, name="tracejit compiler")
            self.making.start()

    def _make(self) -> None:
        try:
            entry, self.extras = self.make()
            self.entry = entry
        except Exception as error:  # the serial entry goes on
            warnings.warn(f"no entry for several threads: {error}", RuntimeWarning, stacklevel=1)
