"""Random programs of loops whose slices depend on the numbers of the steps: triangles and bands.

`python -m programs.triangles 200 --seed 1` (in `tests`) compares so many with NumPy.
"""

from __future__ import annotations

import argparse
import random
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

import tracejit
from programs.compare import differences, load, outcome
from programs.overlap import apart

#: Lengths of the arrays of the calls: later ones find a path, or none that takes them.
SIZES = (11, 11, 12, 5, 2, 1, 0)
_OUTER = (
    "range(n)", "range(n)", "range(1, n)", "range(n - 1)", "range(2, n - 1)",
    "range(n - 1, -1, -1)", "range(n - 2, 0, -1)", "range(0, n, 2)", "range(1, n, 3)",
    "range(n - 1, 0, -2)",
)  # fmt: skip
_INNER = (
    "range(i)", "range(i + 1)", "range(i, n)", "range(i + 1, n)", "range(i, -1, -1)",
    "range(n - i)", "range(i, n, 2)", "range(i - 2, i)", "range(n)",
)  # fmt: skip
_BOUNDS = (
    "", "", "{v}", "{v}", "{v} + 1", "{v} - 1", "-{v}", "-{v} - 1", "n - {v}", "n - {v} - 1",
    "{v} + 2", "{v} - 2", "2 * {v}", "{v} // 2", "1", "-1", "n", "i", "max(0, {v} - 2)",
    "min(n, {v} + 3)", "max(i, {v} // 2)", "min({v}, 3)", "({v} + 1) % n", "{v} % 3",
)  # fmt: skip
_STEPS = ("", "", "", "", "", "", "::-1", "::2", "::-2", "::{v} + 1", "::-{v} - 1")


class Writer:
    """Writes one program, by what `choose` says."""

    def __init__(self, choose: Callable[[Any], Any]) -> None:
        self.choose = choose
        self.numbers = ["i"]

    def slice(self) -> str:
        """A slice by the number of a step."""
        step = self.choose(_STEPS).format(v=self.choose(self.numbers))
        low, high = (self.bound() for _ in range(2))
        return f"{low}:{high}{step[1:]}"

    def bound(self) -> str:
        return str(self.choose(_BOUNDS)).format(v=self.choose(self.numbers))

    def place(self) -> str:
        """The number of an element, mostly within the array."""
        v = self.choose(self.numbers)
        return str(self.choose((v, v, v, f"{v} - 1", f"-{v}", f"n - 1 - {v}", f"-{v} - 1")))

    def statement(self) -> list[str]:
        s, p, v = self.slice(), self.place(), self.choose(self.numbers)
        other = s if self.choose((True, True, False)) else self.slice()
        return [str(self.choose((
            f"out[{v}] += x[{s}].sum()",
            f"out[{v}] = x[{s}] @ y[{other}]",
            f"out[{v}] -= a[{p}, {s}] @ x[{other}]",
            f"x[{s}] = x[{s}] * 0.5 + y[{p}]",
            f"x[{s}] += y[{other}] * 0.25",
            f"x[{s}] = y[{other}][::-1]",
            f"y[{p}] = x[{s}].max()",
            f"a[{p}, {s}] = a[{other}, {v}]",
            f"a[{s}, {other}] *= 0.75",
            f"a[{s}, {other}] -= 0.01 * x[{s}, None] * y[{other}]",
            f"out[{s}] = out[{s}] + a[{s}, {other}].sum(axis=1)",
            f"out[{v}] += len(x[{s}]) * x[{p}]",
            f"x[{s}] = np.cumsum(y[{s}])",
            f"z = np.zeros({v} + 1)\nz[:] = x[{p}]\nout[{v}] += z.sum() + (z * y[: {v} + 1]).sum()",
            f"if {v} > {self.choose((0, 1, 2))}:\n    out[{v}] = x[{s}].sum()",
        )))]  # fmt: skip

    def body(self, count: int) -> list[str]:
        """The lines of so many statements."""
        texts = [text for _ in range(count) for text in self.statement()]
        return "\n".join(texts).splitlines()

    def program(self) -> str:
        """The source of one program."""
        lines = self.body(self.choose((1, 1, 2)))
        if self.choose((True, False, False)):
            self.numbers.append("j")
            inner = self.body(self.choose((1, 1, 2)))
            self.numbers.pop()
            lines += [f"for j in {self.choose(_INNER)}:", *(f"    {line}" for line in inner)]
            lines += self.body(self.choose((0, 0, 1)))
        text = "".join(f"        {line}\n" for line in lines)
        return (
            "import numpy as np\n\n\ndef program(a, x, y, out, n):\n"
            f"    for i in {self.choose(_OUTER)}:\n{text}"
        )


def arguments(n: int) -> tuple[Any, ...]:
    """What a program is given."""
    rng = np.random.default_rng(n)
    return rng.normal(size=(n, n)), *rng.normal(size=(2, n)), np.zeros(n), n


def compared(source: str) -> tuple[str, str]:
    """What differs between NumPy and the decorated program, and how it ran."""
    found = _compared(source, source)
    return _compared(source, apart(source)) if found[0] else found


def _compared(source: str, wanted: str) -> tuple[str, str]:
    plain, traced = load(wanted), load(source)
    f = tracejit.function(traced.program, on_unsupported="warn")
    errors = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in SIZES:
            want, got = outcome(plain.program, arguments(n)), outcome(f, arguments(n))
            errors += want.error is not None
            found = differences(want, got, 1e-11)
            if found:
                return f"n = {n}: {found}", "other"
    if errors == len(SIZES):
        return "", "raises"
    return "", "compiled" if not f.stats.fallbacks else "NumPy"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    ran: Counter[str] = Counter()
    with always_regions(), tracejit.config(compile=options.compile, check=True):
        for k in range(options.count):
            source = Writer(random.Random(options.seed * 1_000_003 + k).choice).program()
            difference, how = compared(source)
            ran[how] += 1
            if difference:
                print(source, difference, sep="\n", end="\n\n")
    print(dict(ran))


class always_regions:
    """Lets loops of any length become regions."""

    def __enter__(self) -> None:
        from tracejit.trace import budget

        self.before = budget.FEW, budget.MODERATE, budget.SMALL, budget.FIRST
        budget.FEW = budget.MODERATE = budget.SMALL = budget.FIRST = 0

    def __exit__(self, *_exception: object) -> None:
        from tracejit.trace import budget

        budget.FEW, budget.MODERATE, budget.SMALL, budget.FIRST = self.before


if __name__ == "__main__":
    main()
