"""``python -m programs N --seed S``, in ``tests/``: compare N random programs, and count.

Prints each program that differs from plain Python, made small, and then the table of constructs
and what ran how. The exit status tells whether a program differed.
"""

from __future__ import annotations

import argparse
import random
import re
import sys

import tracejit
from programs.compare import Report, Tally, check
from programs.reduce import reduce
from programs.write import Program, write


def kind(report: Report) -> str:
    """What differs, but for the values."""
    return re.sub(r"\d+", "", report.difference.split(":")[1] if report.difference else "")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m programs", description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0, help="that of the first program")
    parser.add_argument("--compile", action="store_true", help="and not the interpreter")
    parser.add_argument("--all-names", action="store_true", help="with host calls, objects, draws")
    given = parser.parse_args()
    tally, failed = Tally(), 0
    with tracejit.config(compile=given.compile):
        for seed in range(given.seed, given.seed + given.count):
            report = check(write(random.Random(seed), given.all_names))
            tally.add(report)
            if not report.difference:
                continue
            failed += 1

            def fails(program: Program, wanted: str = kind(report)) -> bool:
                return kind(check(program)) == wanted

            small = check(reduce(report.program, fails))
            print(f"{'=' * 30} seed {seed}\n{small}\n", flush=True)
    print(tally)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
