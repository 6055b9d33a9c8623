"""Cases of one kind, one after the other, in this process; and how a failing one is made small."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Kind → whether each case has a process of its own.
KINDS = {
    "views": False, "numbers": False, "captures": False, "names": False, "threads": True,
    "forks": True, "interrupts": True, "caches": True,
}  # fmt: skip
ROOT = Path(__file__).resolve().parent.parent.parent
#: Seconds that a case may take.
PATIENCE = 45.0
#: Bytes that a process may take.
MEMORY = 8 << 30


def script_of(kind: str, seed: int) -> str:
    """The program of a case."""
    module = importlib.import_module(f"tools.attack.{kind}")
    return str(module.script(random.Random(f"{kind} {seed}")))


def failure(kind: str, text: str) -> str:
    """What goes wrong in a program; empty where nothing does."""
    return _failure_apart(text) if KINDS[kind] else _failure_here(text)


def _failure_here(text: str) -> str:
    space: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(text, "<attack>", "exec"), space)
    except (Exception, SystemExit):
        return traceback.format_exc()
    finally:
        space.clear()
    return ""


def _failure_apart(text: str) -> str:
    with tempfile.TemporaryDirectory(prefix="attack-") as place:
        env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "ATTACK_DIR": place}
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-X", "faulthandler", "-c", text],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
            start_new_session=True,
        )  # fmt: skip
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 6)  # faulthandler shows where it hangs
            out, err = process.communicate()
            return f"hangs\n{out}\n{err}"
    if process.returncode:
        return f"exit status {process.returncode}\n{out}\n{err}"
    return "" if not err.strip() else f"on standard error:\n{err}"


def smaller(text: str, fails: Callable[[str], str], seconds: float = 20.0) -> str:
    """`text` without the statements that it fails without."""
    deadline = time.monotonic() + seconds
    lines = text.splitlines()
    k = len(lines) - 1
    while k >= 0 and time.monotonic() < deadline:
        line = lines[k]
        if line.startswith("    ") and not line.strip().startswith("return"):
            without = [*lines[:k], *lines[k + 1 :]]
            found = fails("\n".join(without) + "\n")
            if "Disagreement" in found:
                lines = without
        k -= 1
    return "\n".join(lines) + "\n"


def work(kind: str, seed: int, seconds: float, most: int) -> None:
    """Run cases from `seed` on, and print a line of JSON for each that begins or fails."""
    from tools.attack import oracle

    end = time.monotonic() + seconds
    done = 0
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    while done < most and (time.monotonic() < end or not done):
        print(json.dumps({"begins": seed + done}), flush=True)
        text = script_of(kind, seed + done)
        problem = failure(kind, text)
        if problem:
            small = smaller(text, _failure_here) if not KINDS[kind] else text
            print(
                json.dumps({"fails": seed + done, "problem": problem[-6000:], "script": small}),
                flush=True,
            )
        done += 1
    print(json.dumps({"done": done, **oracle.counts}), flush=True)
