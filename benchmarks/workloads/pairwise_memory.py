"""Peak memory of the pairwise distances, in a process of its own for each side."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.memory import peak_above
from benchmarks.rows import Figure


def peak_above_inputs(side: str) -> float:
    """Megabytes that one call at full size adds to a process that holds inputs and program.

    The program is compiled on a small size first, which a new size does not compile again.
    """
    from benchmarks.workloads import pairwise

    function = pairwise.compiled if side == "compiled" else pairwise.squared_distances
    function(*pairwise.setup(8))
    args = pairwise.setup()
    above = peak_above(lambda: function(*args))
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
