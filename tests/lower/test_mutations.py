"""Whether the tests of each pass find bugs in it: `mutations` has some for each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mutations import PASSES

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "src" / "tracejit"
BUGS = [(name, k) for name, found in PASSES.items() for k in range(len(found.bugs))]
#: Of a hundred bugs, how many are found at least.
FOUND = 90


def mutated(name: str, k: int) -> str:
    """The text of a pass's module with one of its bugs."""
    module, _, bugs = PASSES[name]
    _, old, new = bugs[k]
    text = (PACKAGE / module).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{module} has {text.count(old)} times: {old}"
    return text.replace(old, new)


@pytest.mark.parametrize(("name", "k"), BUGS)
def test_bugs_can_be_planted(name: str, k: int) -> None:
    """They are in text that is there, and it stays Python."""
    compile(mutated(name, k), name, "exec")


def test_three_bugs_a_pass() -> None:
    modules = {found.module for found in PASSES.values()}
    passes = {f"cpu/passes/{p.name}" for p in (PACKAGE / "cpu" / "passes").glob("[a-z]*.py")}
    assert passes <= modules and all(len(found.bugs) >= 3 for found in PASSES.values())


def fail(tests: list[str], folder: Path, module: str = "", text: str = "") -> bool:
    """Whether tests fail for a copy of the package, in which a `module` has another text."""
    shutil.copytree(PACKAGE, folder / "tracejit", copy_function=os.link)
    if module:
        (folder / "tracejit" / module).unlink()
        (folder / "tracejit" / module).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *tests]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    env.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    # One that writes where it must not may end the process: that is found, too.
    assert done.returncode <= 2, done.stdout + done.stderr
    shutil.rmtree(folder / "tracejit")
    return done.returncode != 0


@pytest.mark.slow
def test_bugs_are_found(tmp_path: Path) -> None:
    assert not fail(sorted({found.tests for found in PASSES.values()}), tmp_path)
    missed = [
        f"{name}: {PASSES[name].bugs[k][0]}"
        for name, k in BUGS
        if not fail([PASSES[name].tests], tmp_path, PASSES[name].module, mutated(name, k))
    ]
    assert len(missed) * 100 <= (100 - FOUND) * len(BUGS), missed
    print(f"{len(BUGS) - len(missed)} of {len(BUGS)} found; not: {missed}")
