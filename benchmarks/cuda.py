"""Measure programs on a GPU: ``python -m benchmarks.cuda [PART ...] [--small] [--json FILE]``.

Every result is checked, against the bits of the CPU back end where that is promised, and against
NumPy's numbers otherwise. Figures are shares of the bandwidth of a copy, or times of others, that
are measured in the same process. Each part has a process of its own: what fails is reported, and
the rest goes on. Ten minutes at most (`--seconds`); what has not begun by then is not measured.

The exit status is 1 where a result is wrong, a part fails, or a figure is less than required.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import tracejit
from benchmarks.gpu.machine import Gpu, Machine, Pretended
from benchmarks.gpu.parts import PARTS, Bench, Row
from tracejit.errors import UnsupportedError

ROOT = Path(__file__).resolve().parent.parent
SMALL, TINY = 1 / 50, 1e-5
PACKAGES = (
    "tracejit", "numpy", "numba", "llvmlite", "cuda-bindings", "nvidia-nvvm", "nvidia-nvjitlink",
    "cupy-cuda13x", "cupy-cuda12x", "jax", "torch",
)  # fmt: skip


@dataclass
class Outcome:
    """What came of a part: its rows, or why there are none ("unsupported", "failed", "late")."""

    part: str
    state: str = "measured"
    reason: str = ""
    rows: list[Row] = field(default_factory=list)
    speed: dict[str, float] = field(default_factory=dict)
    machine: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing is wrong, failed, or less than required."""
        wrong = any(row.check.startswith("WRONG") for row in self.rows)
        return self.state != "failed" and not wrong and all(r.verdict != "fail" for r in self.rows)


def run_part(name: str, machine: Machine, scale: float) -> Outcome:
    """Measure one part here. What it had before it failed is kept."""
    outcome = Outcome(name, machine=machine.name)
    try:
        with tracejit.change_flags(device=machine.device):
            bench = Bench.on(machine, scale)
            outcome.speed = bench.speed
            for row in PARTS[name](bench):
                outcome.rows.append(row)
    except UnsupportedError as error:
        outcome.state, outcome.reason = "unsupported", _reason(error)
    except Exception as error:
        outcome.state, outcome.reason = "failed", f"{type(error).__name__}: {error}"
        traceback.print_exc()
    return outcome


def _reason(error: Exception) -> str:
    """The line of a message that says why."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line.startswith("reason:")), lines[0])


def apart(names: Sequence[str], device: str, scale: float, limit: float) -> Iterator[Outcome]:
    """Measure parts in processes of their own, as long as there is time."""
    end = time.monotonic() + limit
    for name in names:
        left = end - time.monotonic()
        if left < 5:
            yield Outcome(name, "late", "there was no time left")
            continue
        command = [
            *(sys.executable, "-m", "benchmarks.cuda", name),
            *("--device", device, "--here", str(scale)),
        ]
        # JAX takes three quarters of a GPU's memory, unless it is told not to.
        environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=left
            )
        except subprocess.TimeoutExpired:
            yield Outcome(name, "late", "it took longer than there was time")
            continue
        try:
            found = json.loads(done.stdout.splitlines()[-1])
            rows = [Row(**row) for row in found.pop("rows")]
            yield Outcome(**found, rows=rows)
        except (IndexError, ValueError, TypeError):
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            yield Outcome(name, "failed", f"exit status {done.returncode}: {said}")


def lines(outcome: Outcome) -> Iterator[str]:
    """The rows of a part in the table."""
    if outcome.state != "measured":
        yield f"{outcome.part:<52} {outcome.state}: {outcome.reason}"
    for row in outcome.rows:
        took = f"{_time(row.seconds):>10}" if row.seconds else " " * 10
        speed = f"{row.bytes / row.seconds / 1e9:7,.0f} GB/s" if row.bytes and row.seconds else ""
        share = "" if row.share is None else f"{row.share:.2f}"
        required = "" if row.required is None else f"≥ {row.required:.2f} {row.verdict}"
        yield (
            f"{row.what:<52} {row.by:<26} {took} {speed:>12} {share:>6} {required:<12} "
            f"{'; '.join(filter(None, (row.check, row.note)))}"
        ).rstrip()


def _time(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size or unit == "µs":
            return f"{value / size:.4g} {unit}"
    raise AssertionError("unreachable")


def described(outcomes: Sequence[Outcome], scale: float) -> dict[str, Any]:
    """What the JSON file has: where it comes from, and all rows."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "machine": next((o.machine for o in outcomes if o.machine), ""),
        "python": platform.python_version(),
        "packages": versions,
        "scale": scale,
        "good": all(o.good for o in outcomes),
        "parts": [
            {**asdict(o), "rows": [{**asdict(r), "verdict": r.verdict} for r in o.rows]}
            for o in outcomes
        ],
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--device", default="cuda", help="which GPU (default: %(default)s)")
    parser.add_argument("--small", action="store_true", help="a fiftieth of the sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument(
        "--seconds", type=float, default=570, help="no part begins later (default: %(default)s)"
    )
    parser.add_argument(
        "--fake", action="store_true", help="tiny, on the tests' driver over the host's memory"
    )
    parser.add_argument("--here", type=float, metavar="SCALE", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if unknown := [name for name in arguments.parts if name not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    names = arguments.parts or [*PARTS]
    if arguments.here is not None:
        [name] = names
        print(json.dumps(_apart(name, arguments.device, arguments.here)))
        return 0
    scale = TINY if arguments.fake else SMALL if arguments.small else 1.0
    found: Iterable[Outcome]
    if arguments.fake:
        machine = Pretended()
        found = (run_part(name, machine, scale) for name in names)
    else:
        found = apart(names, arguments.device, scale, arguments.seconds)
    outcomes = []
    for outcome in found:
        if arguments.fake:  # whose times mean nothing
            for row in outcome.rows:
                row.required = None
        outcomes.append(outcome)
        print("\n".join(lines(outcome)), flush=True)
    if arguments.json:
        arguments.json.write_text(
            json.dumps(described(outcomes, scale), indent=1) + "\n", encoding="utf-8"
        )
    bad = [outcome.part for outcome in outcomes if not outcome.good]
    print(f"not good: {', '.join(bad)}" if bad else "all good")
    return 1 if bad else 0


def _apart(name: str, device: str, scale: float) -> dict[str, Any]:
    """One part's outcome, in the process that is its own."""
    try:
        return asdict(run_part(name, Gpu(device), scale))
    except Exception as error:
        return asdict(Outcome(name, "failed", f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    sys.exit(main())
