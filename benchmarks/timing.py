"""Timing: medians over repetitions that take turns, so that drift of the machine hits both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks.rows import Figure

Call = Callable[..., Any]


def wait_for_compiler() -> None:
    """Until what tracejit compiles in the background is there."""
    for thread in threading.enumerate():
        if thread.name == "tracejit compiler":
            thread.join()


def interleaved(
    calls: Sequence[Call], args: Sequence[Any], *, repeat: int, inner: int = 1
) -> list[float]:
    """Median seconds of one call of each of ``calls``, which take turns ``repeat`` times.

    ``inner`` calls make one repetition, for calls shorter than the clock can resolve.
    """
    times: list[list[float]] = [[] for _ in calls]
    rounds = range(inner)
    for _ in range(repeat):
        for call, record in zip(calls, times, strict=True):
            if inner == 1:
                start = time.perf_counter()
                result = call(*args)
                record.append(time.perf_counter() - start)
                del result  # outside the timed part, for both sides alike
            else:
                start = time.perf_counter()
                for _ in rounds:
                    call(*args)
                record.append((time.perf_counter() - start) / inner)
    return [median(record) for record in times]


def checked(compiled: Any, reference: Call, args: Sequence[Any], rtol: float = 1e-10) -> None:
    """Call both once, so that ``compiled`` is compiled, and require NumPy's dtype and values."""
    got, expected = compiled(*args), reference(*args)
    assert got.dtype == expected.dtype, (got.dtype, expected.dtype)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=1e-12)
    assert compiled.stats.traces == 1, compiled.stats.traces
    assert compiled.stats.compiles == 1, compiled.stats.compiles


def speed_up(
    compiled: Any,
    reference: Call,
    args: Sequence[Any],
    *,
    repeat: int,
) -> Figure:
    """How many times faster ``compiled`` is than ``reference`` on ``args``, after a check."""
    checked(compiled, reference, args)
    ours, numpys = interleaved([compiled, reference], args, repeat=repeat)
    stats = compiled.stats
    return Figure(
        numpys / ours,
        {
            "compiled_s": ours,
            "numpy_s": numpys,
            "loops": stats.loops,
            "temporaries": stats.temporaries,
        },
    )
