"""Measure the rows of the table: ``python -m benchmarks.run [NAME ...] [--json FILE]``.

Each row is measured in a process of its own, which starts with the row's environment (one thread
for BLAS, OpenMP and tracejit where the row says "one thread"). The exit status is 1 when a row
misses its requirement or cannot be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.rows import BY_NAME, ROWS, Figure, Row

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- table:begin -->", "<!-- table:end -->"


@dataclass(frozen=True)
class Result:
    """A row with its figure, or with the reason why there is none."""

    row: Row
    figure: Figure | None = None
    error: str = ""

    @property
    def shown(self) -> str:
        return self.row.show(self.figure.value) if self.figure else ""

    @property
    def verdict(self) -> str:
        if self.error:
            return "error"
        if self.figure is None:
            return ""
        return "pass" if self.row.passes(self.figure.value) else "fail"

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.row.name,
            "what": self.row.what,
            "value": self.figure.value if self.figure else None,
            "required": self.row.required,
            "better": self.row.better,
            "verdict": self.verdict,
            "error": self.error,
            "command": self.row.command,
            "parts": self.figure.parts if self.figure else {},
        }


def measure(row: Row) -> Result:
    """The row's figure, from a new process."""
    command = [sys.executable, "-m", "benchmarks.worker", row.name]
    done = subprocess.run(
        command, env={**os.environ, **row.environment}, cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        return Result(row, error=done.stderr.strip() or f"exit status {done.returncode}")
    # The last line: anything that a library prints comes before it.
    return Result(row, Figure(**json.loads(done.stdout.splitlines()[-1])))


def machine() -> dict[str, str]:
    """Where the figures come from."""
    from tracejit.__main__ import processor_name

    packages = ("tracejit", "numpy", "scipy", "numba", "llvmlite")
    return {
        "processor": processor_name(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in packages},
    }


def markdown(results: Sequence[Result], where: dict[str, str]) -> str:
    """The README's table of ``results``."""
    lines = ["| what | measured | required | `python -m benchmarks.run …` |", "|---|--:|--:|---|"]
    for result in results:
        shown = result.shown + (" (missed)" if result.verdict == "fail" else "")
        row = result.row
        lines.append(f"| {row.what} | {shown} | {row.show_required()} | `{row.name}` |")
    if where:
        versions = ", ".join(f"{key} {where[key]}" for key in ("python", "numpy", "scipy", "numba"))
        lines += ["", f"Measured on {where['processor']}, {where['cores']} cores, {versions}."]
    return "\n".join(lines)


def update_readme(text: str, table: str) -> str:
    """``text`` with what stands between the markers replaced by ``table``."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def print_table(results: Sequence[Result]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table("name", "what")
    table.add_column("measured", justify="right")
    table.add_column("required", justify="right")
    table.add_column("")
    for result in results:
        # As Text: what a row says is not rich's markup, though it may hold brackets.
        cells = (result.row.name, result.row.what, result.shown, result.row.show_required())
        table.add_row(*(Text(cell) for cell in cells), result.verdict)
    console.print(table)
    for result in results:
        if result.error:
            console.print(Text(f"{result.row.name}: {result.error}"))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows to measure (default: all)")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and stop")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument(
        "--update-readme", action="store_true", help="rewrite README.md's table (needs every row)"
    )
    arguments = parser.parse_args(argv)
    if arguments.list:
        print("\n".join(f"{row.name:<20} {row.what}" for row in ROWS))
        return 0
    if unknown := [name for name in arguments.names if name not in BY_NAME]:
        parser.error(f"no row named {', '.join(unknown)}; --list prints the names")
    if arguments.update_readme and arguments.names:
        parser.error("--update-readme needs every row: name none")
    rows = [BY_NAME[name] for name in arguments.names] or list(ROWS)
    results = []
    for row in rows:
        print(f"measuring {row.name} …", file=sys.stderr, flush=True)
        results.append(measure(row))
    try:
        print_table(results)
    except ModuleNotFoundError as error:
        if error.name != "rich":
            raise
        print('for a table, install the extra: pip install -e ".[bench]"', file=sys.stderr)
        for result in results:
            print(f"{result.row.name:<20} {result.shown:>10} {result.verdict} {result.error}")
    where = machine()
    if arguments.json:
        document = {"machine": where, "results": [result.as_dict() for result in results]}
        text = json.dumps(document, indent=2, ensure_ascii=False)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    failed = any(result.verdict != "pass" for result in results)
    if arguments.update_readme:
        if any(result.error for result in results):
            print("README.md is left as it is: a row could not be measured", file=sys.stderr)
        else:
            text = update_readme(README.read_text(encoding="utf-8"), markdown(results, where))
            README.write_text(text, encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
