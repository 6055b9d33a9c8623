"""Process replay: two runs of one version are equal, and a planted difference is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import sys
import numpy as np
import tracejit
import tracejit.tensor as T

if sys.argv[1:] == ["source"]:
    from tracejit.ir import ops

    object.__setattr__(ops.ELEMENTWISE["multiply"], "wide", "{1} * {0}")
x = np.linspace(0.0, 1.0, 5)
f = tracejit.function(lambda x, y: (x * y + 1).sum())
f(x, x + 2), f(x, x)
if sys.argv[1:] != ["fewer"]:
    count, step = tracejit.shared(0), T.iscalar("step")
    g = tracejit.function([step], count, updates=[(count, count + step)])
    g(1), g(2)
"""


def _recorded(folder: Path, *planted: str) -> Path:
    command = [sys.executable, "-c", PROGRAM, *planted]
    done = subprocess.run(
        [sys.executable, "-m", "tools.replay", "record", str(folder), "--", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def _compared(old: Path, new: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tools.replay", "compare", str(old), str(new)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert not done.stderr
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _recorded(tmp_path_factory.mktemp("replay") / "old")


def test_two_runs_are_equal(recording: Path, tmp_path: Path) -> None:
    code, text = _compared(recording, _recorded(tmp_path / "new"))
    assert code == 0
    assert text.startswith("2 programs in both, 0 with another source; 4 results in both, 0 others")


def test_another_source_is_found(recording: Path, tmp_path: Path) -> None:
    code, text = _compared(recording, _recorded(tmp_path / "new", "source"))
    assert code == 1
    assert "1 with another source" in text and "another source:\ninputs " in text
    changed = [line for line in text.splitlines() if line.startswith(("-  ", "+  "))]
    assert len(changed) == 2


def test_another_result_is_found(recording: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    for path in recording.iterdir():
        lines = path.read_text().splitlines()
        k = max(k for k, line in enumerate(lines) if '"result"' in line)
        lines[k] = lines[k].replace('"result": "', '"result": "0')
        (new / path.name).write_text("\n".join(lines))
    code, text = _compared(recording, new)
    assert code == 1 and "1 others" in text and "another result:\ninputs " in text


def test_programs_of_one_version_alone_are_found(recording: Path, tmp_path: Path) -> None:
    code, text = _compared(recording, _recorded(tmp_path / "new", "fewer"))
    assert code == 1 and "1 programs gone, 0 new" in text and "gone:\ninputs " in text
