"""k-means (Lloyd 1982) whose distances never exist in memory.

The loop stays in Python: each step inside it is one compiled program.

Run: python examples/kmeans.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tracejit

Array = np.ndarray[Any, np.dtype[Any]]


def nearest(points: Array, centres: Array) -> Array:
    """The index (n,) of the centre (k, d) that is nearest to each point (n, d)."""
    return ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=-1).argmin(axis=1)


def means(points: Array, labels: Array, centres: Array) -> Array:
    """The mean (k, d) of the points of each label; a centre without points stays."""
    member = labels[:, None] == np.arange(centres.shape[0])[None, :]
    counts = member.sum(axis=0)[:, None]
    sums = member.T.astype(points.dtype) @ points
    return np.where(counts > 0, sums / np.maximum(counts, 1), centres)


def kmeans(
    points: Array, centres: Array, assign: Callable[..., Any], update: Callable[..., Any]
) -> tuple[Array, int]:
    """The centres after convergence, and the number of steps it took."""
    for step in range(1, 101):
        moved = update(points, assign(points, centres), centres)
        if np.allclose(moved, centres, rtol=0.0, atol=1e-9):
            return moved, step
        centres = moved
    raise RuntimeError("no convergence in 100 steps")


def main() -> None:
    rng = np.random.default_rng(0)
    true_centres = rng.uniform(-10.0, 10.0, (12, 8))
    points = (true_centres[:, None, :] + rng.standard_normal((12, 2_000, 8))).reshape(-1, 8)
    start = points[rng.choice(len(points), 12, replace=False)]

    assign = tracejit.function(nearest, on_unsupported="error")
    update = tracejit.function(means, on_unsupported="error")
    centres, steps = kmeans(points, start, assign, update)
    expected, expected_steps = kmeans(points, start, nearest, means)
    assert steps == expected_steps
    np.testing.assert_allclose(centres, expected, rtol=1e-9)
    assert assign.stats.compiles == update.stats.compiles == 1
    print(f"{steps} steps, 12 centres of {len(points):,} points, equal to NumPy's")


if __name__ == "__main__":
    main()
