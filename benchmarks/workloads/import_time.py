"""What ``import tracejit`` costs above ``import numpy``, each in new processes that take turns."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks.rows import Figure

REPEAT = 15


def seconds(module: str) -> float:
    """Seconds that importing ``module`` takes in a new process, without Python's own start."""
    program = (
        f"import time; start = time.perf_counter(); import {module}; "
        "print(time.perf_counter() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


def measure() -> Figure:
    times: dict[str, list[float]] = {"numpy": [], "tracejit": []}
    for module in times:
        seconds(module)  # writes the byte code and warms the file cache
    for _ in range(REPEAT):
        for module, record in times.items():
            record.append(seconds(module))
    ours, numpys = median(times["tracejit"]), median(times["numpy"])
    return Figure(1e3 * (ours - numpys), {"tracejit_s": ours, "numpy_s": numpys})
