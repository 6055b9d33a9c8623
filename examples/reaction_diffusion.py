"""Two chemicals that react and spread (Gray and Scott 1984), drawn as a picture.

Run: python examples/reaction_diffusion.py [PICTURE]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import tracejit

Array = np.ndarray[Any, np.dtype[Any]]
#: Rates at which spots divide (Pearson 1993, Complex patterns in a simple system).
FEED, KILL = 0.035, 0.06


def react(u: Array, v: Array, steps: int, feed: float, kill: float) -> None:
    """So many steps, in the memory of `u` and `v` (n, m); their borders stay as they are."""
    for _ in range(steps):
        a, b = u[1:-1, 1:-1], v[1:-1, 1:-1]
        du = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * a
        dv = v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:] - 4 * b
        reaction = a * b * b
        a += 0.16 * du - reaction + feed * (1 - a)
        b += 0.08 * dv + reaction - (feed + kill) * b


def start(n: int) -> tuple[Array, Array]:
    """Both chemicals (n, n): a square of the second in the midst, and noise."""
    rng = np.random.default_rng(2024)
    u, v = np.ones((n, n)), np.zeros((n, n))
    middle = slice(n // 2 - n // 10, n // 2 + n // 10)
    u[middle, middle], v[middle, middle] = 0.5, 0.25
    u += 0.02 * rng.standard_normal((n, n))
    v += 0.02 * rng.random((n, n))
    return u, v


def draw(v: Array, picture: Path) -> None:
    """Write `v` (n, m) as a picture."""
    from matplotlib import image

    image.imsave(picture, v, cmap="magma")


def main() -> None:
    compiled = tracejit.function(react, on_unsupported="error")
    chemicals, expected = start(96), start(96)
    compiled(*chemicals, 1_000, FEED, KILL)
    react(*expected, 1_000, FEED, KILL)
    for got, wanted in zip(chemicals, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    u, v = start(256)
    compiled(u, v, 4_000, FEED, KILL)
    assert compiled.stats.compiles == 1
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "reaction_diffusion.png")
    draw(v, place)
    print(f"the second chemical, {v.min():.3f} to {v.max():.3f}: {place}")


if __name__ == "__main__":
    main()
