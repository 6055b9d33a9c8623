"""A simulation by a class: 100 steps of 1,000 particles, whose attributes a method changes."""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure
from benchmarks.timing import interleaved
from examples.particles import Particles, run


def measure() -> Figure:
    sides = Particles(1_000), Particles(1_000)
    calls = (lambda: run(sides[0], 100, 1e-4)), (lambda: sides[1].run(100, 1e-4))
    for one, other in ((calls[0](), calls[1]()) for _ in range(2)):
        np.testing.assert_allclose(one, other)
    compiled, plain = interleaved(calls, (), repeat=9)
    np.testing.assert_allclose(sides[0].x, sides[1].x)
    stats: Any = run.stats
    assert isinstance(run, tracejit.Function) and not stats.fallbacks, stats
    return Figure(plain / compiled, {"ms": compiled * 1e3, "numpy_ms": plain * 1e3})
