"""Running a divided program: parts of its rows on a few threads of our own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from tracejit.config import config

#: Points of work below which a call is not divided: about a quarter of a millisecond.
LEAST_WORK = 1 << 18

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
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="tracejit")
    bounds = [rows * k // parts for k in range(parts + 1)]
    calls = [
        [a[low:high] if divided else a for a, divided in args] for low, high in pairwise(bounds)
    ]
    others = [_pool.submit(entry, *call) for call in calls[1:]]
    code = entry(*calls[0])
    return max(code, *(other.result() for other in others))
