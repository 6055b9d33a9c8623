"""One expression at one size: every framework that is there, in turns, in one process."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peers.expressions import BY_NAME, Expression
from benchmarks.peers.frameworks import FRAMEWORKS, Unable, numbers

#: Seconds that a turn takes, at least, and turns.
TURN, TURNS = 0.02, 9


def measure(e: Expression, size: int, dtype: str, wanted: list[str]) -> dict[str, Any]:
    """By framework: "seconds" a call and "first" of the first call, or "skipped" and why."""
    arrays = e.inputs(size, np.dtype(dtype))
    found: dict[str, dict[str, Any]] = {}
    calls: dict[str, Callable[[], Any]] = {}
    reference = None if e.name == "price" else numbers(e.formula(np, *arrays))
    for name in wanted:
        try:
            call = FRAMEWORKS[name]().bind(e, arrays)
            start = time.perf_counter()
            result = call()
            found[name] = {"first": time.perf_counter() - start}
        except (ImportError, Unable) as error:
            found[name] = {"skipped": str(error)}
            continue
        except Exception as error:  # a peer's failure is a line of the report
            found[name] = {"skipped": f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"}
            continue
        if reference is not None:
            found[name]["error"] = _distance(numbers(result), reference)
        del result
        calls[name] = call
    loops = {}
    for name, call in calls.items():
        call(), call()  # compiled for several threads in the background, where it is
        time.sleep(0.5 if name == "tracejit" else 0)
        start = time.perf_counter()
        call()
        loops[name] = max(1, int(TURN / max(time.perf_counter() - start, 1e-7)))
    times: dict[str, list[float]] = {name: [] for name in calls}
    gc.disable()
    for _ in range(TURNS):
        for name, call in calls.items():
            call()  # its data is in the caches again, its threads are awake
            rounds = range(loops[name])
            start = time.perf_counter()
            for _ in rounds:
                call()
            times[name].append((time.perf_counter() - start) / loops[name])
    for name, each in times.items():
        found[name]["seconds"] = median(each)
    return found


def _distance(got: list[np.ndarray], want: list[np.ndarray]) -> float:
    """The largest error, in parts of the largest number of each result."""
    if len(got) == 1 and len(want) > 1:  # counts in one array
        got = list(got[0])
    scale = [np.abs(np.asarray(w, complex)).max() or 1.0 for w in want]
    return float(max(
        np.abs(np.asarray(g, complex) - w).max() / s
        for g, w, s in zip(got, want, scale, strict=True)
    ))  # fmt: skip


if __name__ == "__main__":
    name, size, dtype, *wanted = sys.argv[1:]
    print(json.dumps(measure(BY_NAME[name], int(size), dtype, wanted or list(FRAMEWORKS))))
