"""What programs do with boolean masks, against NumPy: the worst ratio over the table of cases.

Left out is where NumPy takes less than half a microsecond, which is that of an empty mask: it is
what a call itself costs.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.rows import Figure
from benchmarks.workloads.masks_cases import CASES, Case
from benchmarks.workloads.not_slower import SIZES, ratio

#: Seconds that NumPy takes at least.
LEAST = 0.5e-6


def seconds(case: Case, size: int) -> float:
    """NumPy's time for a case, the least of a few."""
    args = case.inputs(size)
    least = np.inf
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(10):
            case.function(*args)
        least = min(least, (time.perf_counter() - start) / 10)
    return float(least)


def measure() -> Figure:
    measured = [(c, n) for c in CASES for n in SIZES if seconds(c, n) >= LEAST]
    ratios = {f"{c.name}, {n:,}": ratio(c.function, *c.inputs(n)) for c, n in measured}
    worst = max(ratios, key=lambda name: ratios[name])
    return Figure(ratios[worst], {"worst": worst, "ratios": ratios})
