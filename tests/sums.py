"""The order of floating sums, in NumPy: what every target has to give, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Elements of a block, and of a chunk.
BLOCK, CHUNK = 512, 8192


def halved(partial: np.ndarray) -> Any:
    """Partial results as one: the second half is added to the first, again and again."""
    while len(partial) > 1:
        half = len(partial) // 2
        partial = partial[:half] + partial[half:]
    return partial[0]


def block(x: np.ndarray, functions: bool) -> Any:
    """The sum of a block: by rounds of partial results, and of what is left."""
    count = 16 if x.dtype == np.float64 else 32
    whole = len(x) // count * count
    partial = np.full(count, -0.0, x.dtype)
    partial[0] = 0
    for k in range(0, whole, count):
        partial += x[k : k + count]
    total, rest = halved(partial), x[whole:]
    if functions and len(rest):
        partial = np.full(count, -0.0, x.dtype)
        partial[: len(rest)] += rest
        return total + halved(partial)
    for value in rest:
        total += value
    return total


def carried(parts: list[Any]) -> Any:
    """The sum of parts in their order, with what rounding has lost (Knuth's two-sum)."""
    total = error = parts[0] * 0
    for y in parts:
        rounded = total + y
        z = rounded - total
        error = error + ((total - (rounded - z)) + (y - z))
        total = rounded
    return total + error if error else total


def row(x: np.ndarray, functions: bool) -> Any:
    """The sum of a row."""
    return carried([block(x[k : k + BLOCK], functions) for k in range(0, len(x), BLOCK)])


def whole(x: np.ndarray, functions: bool) -> Any:
    """The sum of all elements of a vector."""
    if len(x) <= CHUNK:
        return row(x, functions)
    length = max(CHUNK, -(-len(x) // (1024 * BLOCK)) * BLOCK)
    return carried([row(x[k : k + length], functions) for k in range(0, len(x), length)])
