"""The text of programs for a GPU runs under Numba's simulator, as it is shown."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tracejit

HERE = Path(__file__).parent
#: What is run, and must have launched something.
NAMES = (
    "philox mrg31k3p mt19937 elementwise strided integers extremes added gathered scattered "
    "written settled"
).split()


@pytest.mark.skipif(
    importlib.util.find_spec("numba.cuda") is None, reason="this Numba has no simulator"
)
def test_programs_run_as_their_text_says() -> None:
    """In a process of its own: Numba asks for its simulator when it is imported."""
    pytest.importorskip("cuda.bindings.nvvm")
    paths = [str(HERE), str(HERE.parent), str(Path(tracejit.__file__).parent.parent)]
    environment = os.environ | {
        "NUMBA_ENABLE_CUDASIM": "1",
        "PYTHONPATH": os.pathsep.join(paths),
    }
    command = [sys.executable, "-m", "simulated"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert list(said) == NAMES
    assert not any(launches.startswith("0 ") for launches in said.values())
