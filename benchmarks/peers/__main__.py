"""Compare tracejit with its peers: ``python -m benchmarks.peers [NAME …] [--html FILE]``.

The frameworks take turns, each in a process of its own; one that is not installed is skipped with a
line. The exit status is 1 where a figure is missed. Peers: ``pip install jax torch drjit numexpr
pytensor``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers.expressions import BY_NAME, EXPRESSIONS, Expression
from benchmarks.peers.frameworks import COMPILERS, FRAMEWORKS
from benchmarks.peers.page import markdown, page, shown_time
from benchmarks.run import ROOT, machine

BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"
#: Turns of each framework, and seconds between two, in which the threads of the last go to sleep.
TURNS, PAUSE = 9, 0.1


class Worker:
    """A process for one framework."""

    def __init__(self, e: Expression, size: int, dtype: str, name: str) -> None:
        module = "benchmarks.peers.measure"
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, e.name, str(size), dtype, name],
            cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.times: list[float] = []
        line = self._read()
        self.found: dict[str, Any] = json.loads(line) if line else {"skipped": "it crashed"}

    def _read(self) -> str:
        assert self.process.stdout is not None
        # Libraries print what they like: ours are the lines of numbers and of JSON.
        return next((t for t in self.process.stdout if t[0] in "{0123456789"), "")

    def turn(self) -> None:
        """Have it measure once."""
        assert self.process.stdin is not None
        if "skipped" in self.found:
            return
        try:
            print(file=self.process.stdin, flush=True)
            self.times.append(float(self._read()))
        except (BrokenPipeError, ValueError):
            self.found = {"skipped": "it crashed"}

    def end(self) -> dict[str, Any]:
        """The figures."""
        self.process.communicate()
        return {**self.found, "seconds": median(self.times)} if self.times else self.found


def measured(e: Expression, size: int, dtype: str, wanted: Sequence[str]) -> dict[str, Any]:
    """The figures of frameworks that take turns, each in a process of its own.

    In one process their threads would get in each other's way.
    """
    workers = {name: Worker(e, size, dtype, name) for name in wanted or FRAMEWORKS}
    for _ in range(TURNS):
        for worker in workers.values():
            time.sleep(PAUSE)
            worker.turn()
    return {name: worker.end() for name, worker in workers.items()}


def row(e: Expression, size: int, dtype: str, found: dict[str, Any]) -> dict[str, Any]:
    """A line of the report: times, and the figure, which is ours over the best peer's."""
    times = {name: f["seconds"] for name, f in found.items() if "seconds" in f}
    peers = {name: t for name, t in times.items() if name in COMPILERS}
    best = min(peers, key=lambda name: peers[name], default="")
    ours = times.get("tracejit")
    numpys = times.get("NumPy")
    return {
        "name": e.name, "what": e.what, "size": size, "dtype": dtype, "times": times,
        "first": {name: f["first"] for name, f in found.items() if "first" in f},
        "error": {name: f["error"] for name, f in found.items() if "error" in f},
        "skipped": {name: f["skipped"] for name, f in found.items() if "skipped" in f},
        "best": best, "ratio": ours / peers[best] if ours and best else None,
        "limit": e.limit_at(size), "numpy": ours / numpys if ours and numpys else None,
    }  # fmt: skip


def text(line: dict[str, Any]) -> str:
    """A line to read."""
    size = f"{line['size']:,}" if line["size"] else ""
    shown = "  ".join(f"{name} {shown_time(t)}" for name, t in line["times"].items())
    figure = ""
    if line["ratio"] is not None:
        verdict = "" if line["ratio"] <= line["limit"] else " MISSED"
        figure = f"{line['ratio']:.2f} of {line['best']} (at most {line['limit']}){verdict}"
    return f"{line['name']:<15} {size:>10} {line['dtype']:<10} {figure:<42} {shown}"


def lines(
    names: Sequence[str], sizes: Sequence[int], dtypes: Sequence[str], wanted: Sequence[str]
) -> Iterator[dict[str, Any]]:
    for e in [BY_NAME[n] for n in names] or EXPRESSIONS:
        for size in e.sizes:
            for dtype in e.dtypes:
                if (not sizes or size in sizes) and (not dtypes or dtype in dtypes):
                    yield row(e, size, dtype, measured(e, size, dtype, wanted))


def update_docs(table: str, begin: str, end: str) -> None:
    """Put a table where docs/speed.md has it, between its marks."""
    place = ROOT / "docs" / "speed.md"
    before, _, rest = place.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    place.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BY_NAME)}")
    parser.add_argument("--size", type=int, action="append", default=[], help="only these sizes")
    parser.add_argument("--dtype", action="append", default=[], help="only these dtypes")
    parser.add_argument("--peer", action="append", default=[], help=f"of {', '.join(FRAMEWORKS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with a plot there")
    parser.add_argument(
        "--update-docs", action="store_true", help="rewrite the table of docs/speed.md"
    )
    arguments = parser.parse_args(argv)
    if unknown := [n for n in arguments.names if n not in BY_NAME]:
        parser.error(f"no expression named {', '.join(unknown)}")
    if unknown := [n for n in arguments.peer if n not in FRAMEWORKS]:
        parser.error(f"no framework named {', '.join(unknown)}")
    report, told = [], set[str]()
    for line in lines(arguments.names, arguments.size, arguments.dtype, arguments.peer):
        report.append(line)
        print(text(line), flush=True)
        for name, why in line["skipped"].items():
            if f"{name}: {why}" not in told:
                told.add(f"{name}: {why}")
                print(f"  {name} skipped: {why}", flush=True)
    document = {"machine": machine(), "lines": report}
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if arguments.update_docs:
        update_docs(markdown(document), BEGIN, END)
    if arguments.html:
        arguments.html.write_text(page(document), encoding="utf-8")
    missed = [line for line in report if line["ratio"] is None or line["ratio"] > line["limit"]]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
