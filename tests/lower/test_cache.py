"""Compiled code on disk: found by a new process, never stale, never fatal."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tracejit
from tracejit.lower import progress

PROGRAM = """
import sys, warnings
import numpy as np, tracejit
from tracejit.cpu.compiling import compile as compiler
compiled, build = [], compiler._build
compiler._build = lambda *args: compiled.append(args) or build(*args)
f = tracejit.function(lambda x: np.exp(-x) * 3 + x.sum(), on_unsupported="error")
x = np.linspace(0, 1, 100)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    np.testing.assert_allclose(f(x), np.exp(-x) * 3 + x.sum(), rtol=1e-14)
print(len(compiled), len(caught))
"""


def run(home: Path, program: str = PROGRAM, **environment: str) -> tuple[int, int]:
    """How many compilations and warnings the program saw."""
    env = {**os.environ, "XDG_CACHE_HOME": str(home), **environment}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    compiled, caught = done.stdout.split()
    return int(compiled), int(caught)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cache")
    assert run(place) == (1, 0)
    return place


def test_a_new_process_compiles_nothing(home: Path) -> None:
    assert run(home) == (0, 0)


def test_code_that_takes_memory_is_loaded(tmp_path: Path) -> None:
    """It calls Numba's allocator, by a name that nothing has told the linker yet."""
    program = PROGRAM.replace("np.exp(-x) * 3 + x.sum()", "np.median(x) * np.median(-x) * x")
    assert program.count("np.median") == 4
    assert [run(tmp_path, program) for _ in range(2)] == [(1, 0), (0, 0)]


def test_the_directory_is_private(home: Path) -> None:
    assert stat.S_IMODE((home / "tracejit").stat().st_mode) == 0o700


def test_another_cache_directory_of_numbas_is_not_used(home: Path, tmp_path: Path) -> None:
    assert run(home, NUMBA_CACHE_DIR=str(tmp_path)) == (0, 0)
    assert not list(tmp_path.iterdir())


def programs(home: Path) -> list[Path]:
    return sorted((home / "tracejit").glob("*.nbc"))


def test_a_damaged_entry_is_a_miss(home: Path) -> None:
    for entry in programs(home):
        entry.write_bytes(entry.read_bytes()[: entry.stat().st_size // 2])
    assert run(home) == (1, 0)
    assert run(home) == (0, 0)


def test_swapped_entries_are_a_miss(tmp_path: Path) -> None:
    """Of two programs of one signature: the code of the one is not run for the other."""
    other = PROGRAM.replace("* 3", "* 4")
    assert run(tmp_path) == run(tmp_path, program=other) == (1, 0)
    entries = programs(tmp_path)
    assert len(entries) == 2
    a, b = (entry.read_bytes() for entry in entries)
    entries[0].write_bytes(b)
    entries[1].write_bytes(a)
    assert run(tmp_path) == run(tmp_path, program=other) == (1, 0)
    assert run(tmp_path) == run(tmp_path, program=other) == (0, 0)


def test_two_cold_processes_at_once(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0].split() for process in both]
    # The later one may find what the other has compiled.
    assert ["1", "0"] in said and all(each in (["1", "0"], ["0", "0"]) for each in said)
    assert not any(process.returncode for process in both)
    assert run(tmp_path) == (0, 0)


def test_a_moved_directory_serves_on(home: Path, tmp_path: Path) -> None:
    run(home)
    moved = tmp_path / "elsewhere"
    shutil.copytree(home, moved)
    assert run(moved) == (0, 0)


def test_an_edited_runtime_is_another(home: Path, tmp_path: Path) -> None:
    """Machine code depends on the functions that its source names."""
    package = Path(tracejit.__file__).parent
    shutil.copytree(package, tmp_path / "tracejit", ignore=shutil.ignore_patterns("__pycache__"))
    run(home)
    assert run(home, PYTHONPATH=str(tmp_path)) == (0, 0)
    with (tmp_path / "tracejit" / "intrinsics" / "vecmath" / "exp.py").open("a") as file:
        file.write("\n# edited\n")
    assert run(home, PYTHONPATH=str(tmp_path)) == (1, 0)


def test_a_hit_sets_nothing_up_and_optimises_nothing(home: Path) -> None:
    """What Numba imports and LLVM does to compile takes longer than all the rest."""
    run(home)
    program = """
import sys
from numba.core import codegen
def optimise(self):
    assert self.name == "nrt", f"LLVM's passes ran on {self.name}"
codegen.CPUCodeLibrary._optimize_final_module = optimise
from tracejit.intrinsics.library import Library
Library.finalize = optimise
""" + PROGRAM.replace("print(", "assert 'numba.np.arraymath' not in sys.modules\nprint(")
    assert run(home, program=program) == (0, 0)


def test_without_a_usable_directory_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "tracejit").write_text("a file where the directory should be")
    assert run(tmp_path) == (1, 1)


def test_the_setting_keeps_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, TRACEJIT_CACHE="0")[0] == 1
    assert not (tmp_path / "tracejit").exists()


# The line while one waits -------------------------------------------------------------------------


class Screen(io.StringIO):
    """A terminal, or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("patience", [0.0, 30.0])
def test_a_line_says_what_takes_its_time(
    terminal: bool, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "PATIENCE", patience)
    with progress.progress("step"):
        time.sleep(0.2)
    said = screen.getvalue()
    assert said == ("tracejit: compiling step …\r\x1b[K" if terminal and not patience else "")


def test_a_compilation_is_announced_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(True)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with tracejit.config(cache=False):
        tracejit.function(lambda x: x * 1.2345 - x, name="my_step")(np.ones(3))
    assert "compiling my_step …" in screen.getvalue()
