"""``python -m tracejit run``: a script plain and compiled, in turn, and what the two have left."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tracejit.script.child import Record
from tracejit.script.watched import Calls, difference


def run_script(
    script: str, arguments: Sequence[str], functions: Sequence[str], auto: bool = False
) -> int:
    """Run a script as it is, and with `functions` compiled; print how they compare.

    Those that take at least a twentieth of the time are compiled, too, if `auto`. The script's
    output is shown once. Returns 1 where results differ by more than 1e-6, or the script fails.
    """
    if not Path(script).is_file():
        print(f"there is no script {script}", file=sys.stderr)
        return 1
    shown = ""
    if auto:
        sampled = _run("sampled", script, arguments, [])
        if isinstance(sampled, int):
            return sampled
        shown = sampled[1]
        functions = [*functions, *(f for f in sampled[0].chosen if f not in functions)]
        for name, share in sorted(sampled[0].chosen.items(), key=lambda item: -item[1]):
            print(f"{name} takes {100 * share:.0f} % of the time", file=sys.stderr)
    if not functions:
        print(shown, end="")
        print("no function of the script takes much time", file=sys.stderr)
        return 0
    both = []
    for kind in ("plain", "compiled"):
        run = _run(kind, script, arguments, functions)
        if isinstance(run, int):
            return run
        both.append(run)
    (plain, output), (compiled, other) = both
    print(other, end="")
    text, off = report(script, plain, compiled)
    text += f"\noutput: {_compared(output, other)}"
    print(text, file=sys.stderr)
    return int(off > 1e-6)


def _run(
    kind: str, script: str, arguments: Sequence[str], functions: Sequence[str]
) -> tuple[Record, str] | int:
    """What a run has left, and what it printed; its exit status where it failed."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record"
        command = [sys.executable, "-m", "tracejit.script.child", kind, str(record)]
        done = subprocess.run(
            [*command, ",".join(functions), script, *arguments],
            stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            print(done.stdout, end="")
            print(f"{script} fails ({kind})", file=sys.stderr)
            return done.returncode
        return Record(*pickle.loads(record.read_bytes())), done.stdout


def report(script: str, plain: Record, compiled: Record) -> tuple[str, float]:
    """How two runs compare, as text, and by how much results differ at most."""
    lines = [
        f"{script}: {plain.seconds:.2f} s plain, {compiled.seconds:.2f} s compiled, "
        f"{plain.seconds / compiled.seconds:.1f} times as fast",
        f"{'function':<28}{'calls':>8}{'plain':>11}{'first call':>12}{'later calls':>13}  results",
    ]
    worst = 0.0
    for name, before in plain.functions.items():
        after = compiled.functions.get(name)
        if after is None or not before.seconds or not after.seconds:
            lines.append(f"{name:<28}{'never called':>19}")
            continue
        off = difference(before.outcomes, after.outcomes)
        worst = max(worst, off)
        equal = "equal" if off == 0 else f"differ by {off:.1e}"
        lines.append(
            f"{name:<28}{len(after.seconds):>8}{_each(before):>11}"
            f"{_time(after.seconds[0]):>12}{_each(after, 1):>13}  {equal}"
        )
    lines += [f"in plain NumPy: {note}" for note in compiled.notes]
    return "\n".join(lines), worst


def _each(calls: Calls, start: int = 0) -> str:
    """The median call."""
    seconds = sorted(calls.seconds[start:])
    return _time(seconds[len(seconds) // 2]) if seconds else "-"


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _compared(before: str, after: str) -> str:
    if before == after:
        return "the same"
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    line = next((k for k, (a, b) in enumerate(pairs, 1) if a != b), None)
    return "of another length" if line is None else f"differs from line {line} on"
