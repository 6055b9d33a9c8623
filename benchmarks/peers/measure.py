"""One framework on one expression: a process that takes its turn whenever it is told to.

It prints a line of JSON when it is ready: the time of the "first" call and the "error" of the
result, or what it was "skipped" for. Then it answers each line it reads with the seconds of a call.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers.expressions import BY_NAME, Expression
from benchmarks.peers.frameworks import FRAMEWORKS, Unable, numbers
from benchmarks.timing import wait_for_compiler

#: Seconds that a turn takes, at least.
TURN = 0.02


def ready(e: Expression, size: int, dtype: str, name: str) -> tuple[dict[str, Any], Any]:
    """What to say first, and the call."""
    arrays = e.inputs(size, np.dtype(dtype))
    try:
        call = FRAMEWORKS[name]().bind(e, arrays)
        start = time.perf_counter()
        result = call()
        said = {"first": time.perf_counter() - start}
    except (ImportError, Unable) as error:
        return {"skipped": str(error)}, None
    except Exception as error:  # a peer's failure is a line of the report
        first = (str(error).splitlines() or [""])[0]
        return {"skipped": f"{type(error).__name__}: {first[:80]}"}, None
    if e.name != "price":
        said["error"] = distance(numbers(result), numbers(e.formula(np, *arrays)))
    return said, call


def distance(got: list[np.ndarray], want: list[np.ndarray]) -> float:
    """The largest error, in parts of the largest number of each result."""
    if len(got) == 1 and len(want) > 1:  # counts in one array
        got = list(got[0])
    scale = [np.abs(np.asarray(w, complex)).max() or 1.0 for w in want]
    return float(max(
        np.abs(np.asarray(g, complex) - w).max() / s
        for g, w, s in zip(got, want, scale, strict=True)
    ))  # fmt: skip


def seconds(call: Callable[[], Any], calls: int) -> float:
    """The time of a call."""
    call()  # its data is in the caches again, its threads are awake
    rounds = range(calls)
    start = time.perf_counter()
    for _ in rounds:
        call()
    return (time.perf_counter() - start) / calls


def main(expression: str, size: str, dtype: str, name: str) -> None:
    said, call = ready(BY_NAME[expression], int(size), dtype, name)
    print(json.dumps(said), flush=True)
    if call is None:
        return
    call(), call()
    wait_for_compiler()
    calls = max(1, int(TURN / max(seconds(call, 1), 1e-7)))
    gc.disable()
    for _ in sys.stdin:
        print(seconds(call, calls), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
