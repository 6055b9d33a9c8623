"""``python -m tools.attack --minutes M --seed S [--kind K …]``: attack for M minutes.

Prints each case that fails, with its seed and a script that reproduces it. The exit status is the
number of those, at most 99. ``--show KIND SEED`` prints a case's script.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

from tools.attack.run import KINDS, PATIENCE, ROOT, script_of, work

#: What each kind gets of the time, in parts.
_SHARES = {"views": 5, "numbers": 3, "captures": 2, "names": 2}
#: Seconds that one process works on one kind.
_TURN = 40.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.attack", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=None, help="where seeds start; else the time")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS))
    parser.add_argument("--show", nargs=2, metavar=("KIND", "SEED"))
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.show:
        print(script_of(given.show[0], int(given.show[1])), end="")
        return 0
    if given.work:
        kind, seed, seconds, most = given.work
        work(kind, int(seed), float(seconds), int(most))
        return 0
    seed = int(time.time()) * 1000 if given.seed is None else given.seed
    kinds = given.kind or list(KINDS)
    print(f"seed {seed}, {given.minutes:g} minutes: {', '.join(kinds)}", flush=True)
    return min(99, attack(kinds, seed, given.minutes * 60))


def attack(kinds: list[str], seed: int, seconds: float, most: int = 1_000_000) -> int:
    """Work on `kinds` in turn for so many seconds, or cases of a turn; how many cases failed."""
    end = time.monotonic() + seconds
    totals = {kind: {"cases": 0, "failures": 0, "calls": 0, "compiled": 0} for kind in kinds}
    total_share = sum(_SHARES.get(k, 3) for k in kinds)
    rounds = max(1, round(seconds / (_TURN * len(kinds))))
    seeds = dict.fromkeys(kinds, seed)
    for _ in range(rounds):
        for kind in kinds:
            share = seconds / rounds * _SHARES.get(kind, 3) / total_share
            share = min(share, max(1.0, end - time.monotonic()))
            done = turn(kind, seeds[kind], share, totals[kind], most)
            seeds[kind] += done
    for kind, counted in totals.items():
        print(f"{kind:12}", ", ".join(f"{n} {what}" for what, n in counted.items()), flush=True)
    return sum(counted["failures"] for counted in totals.values())


def turn(kind: str, seed: int, seconds: float, totals: dict[str, int], most: int) -> int:
    """Work on one kind in a process of its own; how many seeds that used."""
    command = [sys.executable, "-m", "tools.attack", "--work", kind, str(seed), str(seconds)]
    settings = {name: text for name, text in os.environ.items() if not name.startswith("TRACEJIT_")}
    env = {**settings, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = subprocess.Popen(
        [*command, str(most)], cwd=ROOT, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    errors: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))  # type: ignore[union-attr]
    watch = threading.Timer(seconds + 2 * PATIENCE, process.kill)
    reader.start()
    watch.start()
    at, begun, said = seed, 0, False
    for line in process.stdout:
        found: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        if "begins" in found:
            at, begun = found["begins"], begun + 1
        elif "fails" in found:
            totals["failures"] += 1
            report(kind, found["fails"], found["problem"], found["script"])
        elif "done" in found:
            said = True
            totals["calls"] += found["calls"]
            totals["compiled"] += found["compiled"]
    process.wait()
    watch.cancel()
    watch.join()
    reader.join()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()
    if process.returncode or not said:
        totals["failures"] += 1
        what = f"the process ended with {process.returncode}\n{errors[0][-4000:]}"
        report(kind, at, what, f"# python -m tools.attack --show {kind} {at}")
    totals["cases"] += begun
    return begun


def report(kind: str, seed: int, problem: str, script: str) -> None:
    """Print a case that failed."""
    bar = "=" * 30
    print(f"{bar} {kind} {seed} {bar}\n{script}\n{'-' * 60}\n{problem}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
