"""How far elementary functions are off: ``python -m benchmarks.peers.accuracy [--update-docs]``.

The largest error of 300,000 random arguments, in units in the last place of the exact result, for
each framework that is installed, in a process of its own. Exact is what numpy.longdouble gives,
which must be wider than float64.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.peers.__main__ import update_docs
from benchmarks.peers.expressions import Expression
from benchmarks.peers.frameworks import FRAMEWORKS, numbers
from benchmarks.run import ROOT

BEGIN, END = "<!-- accuracy:begin -->", "<!-- accuracy:end -->"
COUNT = 300_000
DTYPES = ("float64", "float32")
NAMES = ("tracejit", "NumPy", "JAX", "torch", "Dr.Jit", "numexpr", "PyTensor")


def _between(low: float, high: float) -> Callable[..., tuple[np.ndarray]]:
    def inputs(n: int, dtype: np.dtype[Any]) -> tuple[np.ndarray]:
        return (np.random.default_rng(0).uniform(low, high, n).astype(dtype),)

    return inputs


def _function(name: str, low: float, high: float) -> Expression:
    what = f"{name}(x), {low:g} < x < {high:g}"
    formula = eval(f"lambda xp, x: xp.{name}(x)")
    return Expression(name, what, formula, _between(low, high), flat=True, numexpr=f"{name}(x)")


FUNCTIONS = [
    _function("exp", -80, 80),
    _function("log", 0.001, 1000),
    _function("tanh", -9, 9),
    _function("sin", -100, 100),
    _function("sin", -10_000, 10_000),
    _function("cos", -10_000, 10_000),
]


def units(result: np.ndarray, exact: np.ndarray) -> float:
    """The largest error of `result` in units in the last place of `exact`, which is wider."""
    form = np.finfo(result.dtype)
    exponent = np.maximum(np.frexp(exact)[1], form.minexp + 1) - 1 - form.nmant
    off = np.abs(result.astype(exact.dtype) - exact) / np.ldexp(exact.dtype.type(1), exponent)
    return float(off.max())


def errors(name: str) -> list[list[float]]:
    """The errors of a framework, for each function those of each dtype."""
    framework = FRAMEWORKS[name]()
    found: list[list[float]] = []
    for e in FUNCTIONS:
        found.append([])
        for dtype in DTYPES:
            (x,) = arrays = e.inputs(COUNT, np.dtype(dtype))
            (result,) = numbers(framework.bind(e, arrays)())
            exact = e.formula(np, x.astype(np.longdouble))
            found[-1].append(units(np.asarray(result).astype(dtype), exact))
    return found


def _of_process(name: str) -> list[list[float]] | None:
    command = [sys.executable, "-m", "benchmarks.peers.accuracy", "--only", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("[[")]
    return json.loads(lines[-1]) if lines else None


def table(found: dict[str, list[list[float]]]) -> str:
    """Markdown: a row for each function, a column for each framework, float64's and float32's."""
    head = "".join(f" {name} |" for name in found)
    rows = [f"| float64, float32 |{head}", "|---|" + "--:|" * len(found)]
    for k, e in enumerate(FUNCTIONS):
        cells = [", ".join(f"{each:.2g}" for each in found[name][k]) for name in found]
        rows.append(f"| {e.what} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.accuracy")
    parser.add_argument("--only", choices=NAMES, help="print the figures of one, as JSON")
    parser.add_argument(
        "--update-docs", action="store_true", help="rewrite the table of docs/speed.md"
    )
    arguments = parser.parse_args(argv)
    if np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant:
        parser.error("numpy.longdouble is no wider than float64 here")
    if arguments.only:
        print(json.dumps(errors(arguments.only)))
        return 0
    every = {name: _of_process(name) for name in NAMES}
    text = table({name: found for name, found in every.items() if found})
    print(text)
    if arguments.update_docs:
        update_docs(text, BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main())
