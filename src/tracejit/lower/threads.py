"""Running a divided program: parts of its rows on a few threads of our own."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from tracejit.config import config

#: Points of work below which a call is not divided: about a quarter of a millisecond.
LEAST_WORK = 1 << 18
#: Ranges begin at multiples of this many iterations, where there are many.
ALIGNED = 64

_pool: ThreadPoolExecutor | None = None


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
    parts = min(available(), rows // 2, work // (LEAST_WORK // 2))
    if parts < 2:
        return entry(*(a for a, _ in args))
    bounds = [rows * k // parts for k in range(parts + 1)]
    return _at_once(
        entry,
        [[a[low:high] if divided else a for a, divided in args] for low, high in pairwise(bounds)],
    )


def _at_once(entry: Callable[..., int], calls: list[list[Any]]) -> int:
    """The largest code of calls that run at once."""
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="tracejit")
    others = [_pool.submit(entry, *call) for call in calls[1:]]
    code = entry(*calls[0])
    return max(code, *(other.result() for other in others))


class Phased:
    """An entry that is called for ranges of its phases, once it has been compiled.

    `make` compiles it, in the background, at the second call with enough to do: a program that is
    called once would not repay it. Until it is there `serial` is called.
    """

    def __init__(self, serial: Callable[..., int], make: Callable[[], Callable[..., int]]) -> None:
        self.serial = serial
        self.make = make
        self.entry: Callable[..., int] | None = None
        self.making: threading.Thread | None = None
        self.large_calls = 0

    def __call__(self, phases: Sequence[tuple[int, int]], args: Sequence[Any]) -> int:
        """The code of a call; `phases` says for each how many rows may be divided, and its work."""
        threads = available()
        most = max((work for rows, work in phases if rows > 1), default=0)
        if threads < 2 or most < LEAST_WORK:
            return self.serial(*args)
        if self.entry is None:
            self.large_calls += 1
            if self.large_calls > 1:
                self._start()
            return self.serial(*args)
        for k, (rows, work) in enumerate(phases):
            parts = min(threads, rows // 2, work // (LEAST_WORK // 2))
            if parts < 2:
                code = self.entry(*args, k, 0, rows)
            else:
                # Loops over random numbers begin at multiples of what they make at a time.
                step = ALIGNED if rows >= parts * ALIGNED else 1
                bounds = [rows * j // parts // step * step for j in range(parts)] + [rows]
                code = _at_once(
                    self.entry, [[*args, k, low, high] for low, high in pairwise(bounds)]
                )
            if code:
                return code
        return 0

    def _start(self) -> None:
        if self.making is None:
            self.making = threading.Thread(target=self._make, name="tracejit compiler")
            self.making.start()

    def _make(self) -> None:
        try:
            self.entry = self.make()
        except Exception as error:  # the serial entry goes on
            warnings.warn(f"no entry for several threads: {error}", RuntimeWarning, stacklevel=1)
