"""Random streams: ten million numbers against NumPy's own generator, and a small draw."""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit
from benchmarks.rows import Figure
from benchmarks.timing import interleaved
from tracejit import MRG_RandomStreams, RandomStreams

COUNT = 10_000_000


def measure_mt19937() -> Figure:
    """How many times faster than ``RandomState``, whose numbers they are."""
    variable = RandomStreams(3).uniform((COUNT,))
    generator = variable.rng.get_value()
    draw = tracejit.function([], variable)
    np.testing.assert_array_equal(draw(), generator.random_sample(COUNT))
    return _against(draw, generator)


def measure_mrg31k3p() -> Figure:
    """How many times faster than ``RandomState``."""
    draw = tracejit.function([], MRG_RandomStreams(3).uniform((COUNT,)))
    draw()
    return _against(draw, np.random.RandomState(3))


def _against(draw: Any, generator: np.random.RandomState) -> Figure:
    assert draw.stats.fallbacks == 0
    sample = lambda: generator.random_sample(COUNT)  # noqa: E731
    ours, numpys = interleaved([draw, sample], (), repeat=9)
    return Figure(numpys / ours, {"draw_s": ours, "numpy_s": numpys})


def measure_call() -> Figure:
    """Microseconds of the tutorial's ``f()``: four numbers."""
    draw = tracejit.function([], RandomStreams(234).uniform((2, 2)))
    (seconds,) = interleaved([draw], (), repeat=41, inner=20_000)
    return Figure(seconds * 1e6, {"call_s": seconds})


def measure(which: str) -> Figure:
    figure: Figure = globals()[f"measure_{which}"]()
    return figure
