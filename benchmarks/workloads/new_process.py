"""What new processes take above ``import numpy``: two programs take turns."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.rows import Figure

REPEAT = 15
NUMPY = "import numpy as np"
IMPORT = "import tracejit"
CACHED = """
import numpy as np
import tracejit
f = tracejit.function(lambda x, y: np.exp(x) * y + 1.0)
f(np.ones(8), np.ones(8))
"""


def seconds(program: str, home: Path) -> float:
    """Seconds that a program takes in a new process, without Python's own start."""
    file = home / "program.py"
    timed = f"import time\nstart = time.perf_counter()\n{program}\n"
    file.write_text(f"{timed}print(time.perf_counter() - start)\n")
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, file],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, "XDG_CACHE_HOME": str(home)},
    )
    return float(done.stdout)


def above_numpy(program: str) -> Figure:
    """Milliseconds that a program takes above NumPy's import, when its like has run before."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        times: dict[str, list[float]] = {NUMPY: [], program: []}
        for each in times:
            seconds(each, home)  # writes byte code and machine code, and warms the file cache
        for _ in range(REPEAT):
            for each, record in times.items():
                record.append(seconds(each, home))
    numpys, ours = map(median, times.values())
    return Figure(1e3 * (ours - numpys), {"tracejit_s": ours, "numpy_s": numpys})


def measure_import() -> Figure:
    """The import."""
    return above_numpy(IMPORT)


def measure_cached() -> Figure:
    """The import, and a call of a function whose machine code is on disk."""
    return above_numpy(CACHED)


def measure(name: str) -> Figure:
    """One of the figures."""
    return {"import": measure_import, "cached": measure_cached}[name]()
