"""Peak memory of the pairwise distances, in a process of its own for each side."""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.rows import Figure

MEGABYTE = 1e6


def resident() -> float:
    """Megabytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / MEGABYTE


def peak() -> float:
    """The most megabytes that this process has had in memory."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * 1024 / MEGABYTE


def peak_above_inputs(side: str) -> float:
    """Megabytes that one call at full size adds to a process that holds inputs and program.

    The program is compiled on a small size first, which a new size does not compile again. The
    kernel's high-water mark is reset before the call where the kernel lets us; where it does not,
    the compiler's own peak can only make the figure larger.
    """
    from benchmarks.workloads import pairwise

    function = pairwise.compiled if side == "compiled" else pairwise.squared_distances
    function(*pairwise.setup(8))
    args = pairwise.setup()
    before = resident()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    result = function(*args)
    above = peak() - before
    assert result.shape == (1_000, 1_000)
    if side == "compiled":
        assert pairwise.compiled.stats.compiles == 1, pairwise.compiled.stats.compiles
    return above


def measure() -> Figure:
    sides = {}
    for side in ("compiled", "numpy"):
        command = [sys.executable, "-m", "benchmarks.workloads.pairwise_memory", side]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        sides[side] = json.loads(done.stdout)
    return Figure(sides["compiled"], {f"{side}_megabytes": sides[side] for side in sides})


if __name__ == "__main__":
    print(json.dumps(peak_above_inputs(sys.argv[1])))
