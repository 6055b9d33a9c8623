"""Time every example of tools/op_examples.py against NumPy, and print what is slower compiled.

    python tools/op_ratios.py [--sizes 10,1000,100000] [--below 0.95] [NAME ...]

A ratio is NumPy's time by ours, each the best of several batches in turns, so that both see the
same machine. Arrays have about as many elements as a size says, in float64.
"""

from __future__ import annotations

import argparse
import itertools
import linecache
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from op_examples import EXAMPLES, WRITES
from op_table import elementwise_rows, function_rows, reduction_rows

import tracejit

#: Seconds that one batch takes at least, and how many there are of each.
BATCH, BATCHES = 0.002, 7
_files = itertools.count()


def arrays(size: int) -> dict[str, Any]:
    """The arguments of examples, with about `size` elements."""
    n = max(2, math.isqrt(size))
    draw = np.random.default_rng(0)
    x = draw.random((n, n)) + 0.1
    return {
        "x": x,
        "y": x + 0.5,
        "v": x[0].copy(),
        "w": x[1].copy(),
        "s": x.copy(),
        "m": x > 0.6,
        "i": draw.permutation(n),
        "k": draw.integers(0, n, (n, n)),
        "h": x[:, 1].copy(),
    }


def examples() -> Iterator[tuple[str, str]]:
    """(name, statement or expression) of all that is tried."""
    for row in elementwise_rows():
        ufunc = getattr(np, row.name, None)
        if isinstance(ufunc, np.ufunc):
            operands = ", ".join("xy"[: ufunc.nin])
            yield row.name, f"return np.{row.name}({operands})"
    for row in reduction_rows():
        call = f"np.{row.name}(x, axis=AXIS)"
        for axis in ("0", "1", "None"):
            yield f"{row.name}, axis={axis}", f"return {call.replace('AXIS', axis)}"
    for row in function_rows():
        yield row.name, f"return {EXAMPLES.get(row.name, f'np.{row.name}(x)')}"
    for text in WRITES:
        yield text, f"{text}\nreturn x"


def function_of(body: str, names: list[str]) -> Callable[..., Any]:
    """A function of a file of its own, whose source can be read."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    text = f"def f({', '.join(names)}):\n{lines}"
    file = f"<ratio {next(_files)}>"
    linecache.cache[file] = len(text), None, text.splitlines(True), file
    scope: dict[str, Any] = {"np": np, "dtype": np.dtype(np.float64)}
    exec(compile(text, file, "exec"), scope)
    f: Callable[..., Any] = scope["f"]
    return f


def ratio(body: str, size: int) -> tuple[float, float, str] | None:
    """(ratio, seconds of NumPy, how it ran); None where NumPy raises."""
    given = arrays(size)
    code = compile(body.replace("return ", ""), "<example>", "exec")
    names = [n for n in given if n in code.co_names]
    args = [given[n] for n in names]
    f = function_of(body, names)
    g = tracejit.function(f, on_unsupported="warn")
    try:
        f(*[a.copy() for a in args])
    except (TypeError, ValueError):
        return None
    for _ in range(3):
        g(*args)
    count, took = 1, 0.0
    while (took := _seconds(f, args, count)) < BATCH:
        count = max(2 * count, int(count * BATCH / max(took, 1e-9)))
    pairs = [(_seconds(f, args, count), _seconds(g, args, count)) for _ in range(BATCHES)]
    plain, compiled = (min(column) / count for column in zip(*pairs, strict=True))
    how = "compiled" if g.stats.traces and not g.stats.fallbacks else "in NumPy"
    return plain / compiled, plain, how


def _seconds(f: Callable[..., Any], args: list[Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        f(*args)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--sizes", default="10,1000,100000")
    parser.add_argument("--below", type=float, default=0.95)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    slow = tried = 0
    for name, body in examples():
        if given.names and name not in given.names:
            continue
        for size in map(int, given.sizes.split(",")):
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = ratio(body, size)
            if found is None:
                continue
            tried += 1
            if found[0] < given.below or given.names:
                slow += 1
                print(
                    f"{name:<34}{size:>8}  {found[0]:5.2f} x  {found[1] * 1e6:9.2f} µs  {found[2]}"
                )
                sys.stdout.flush()
    print(f"{slow} of {tried} are below {given.below}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
