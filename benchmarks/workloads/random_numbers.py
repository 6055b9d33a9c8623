"""Random streams: ten million numbers against NumPy's own generator, and a small draw."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import tracejit
import tracejit.tensor as T
from benchmarks.rows import Figure
from benchmarks.timing import interleaved
from tracejit import MRG_RandomStreams, PhiloxRandomStreams, RandomStreams

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


def measure_mrg31k3p_threads() -> Figure:
    """How many times faster on two threads than on one."""
    draw = tracejit.function([], MRG_RandomStreams(3).uniform((COUNT,)))
    alone = tracejit.function([], MRG_RandomStreams(3).uniform((COUNT,)))

    def on_one() -> Any:
        with tracejit.config(threads=1):
            return alone()

    for _ in range(20):  # until the entry for several threads is there
        np.testing.assert_array_equal(draw(), on_one())
        time.sleep(0.1)
    one, two = interleaved([on_one, draw], (), repeat=15)
    return Figure(one / two, {"one_s": one, "two_s": two})


def measure_philox() -> Figure:
    """How many times faster than NumPy's Philox."""
    draw = tracejit.function([], PhiloxRandomStreams(3).uniform((COUNT,)))
    generator = np.random.Generator(np.random.Philox(3))
    return _faster(draw, lambda: generator.random(COUNT))


def measure_philox_pcg64() -> Figure:
    """How many times faster than NumPy's fastest generator."""
    draw = tracejit.function([], PhiloxRandomStreams(3).uniform((COUNT,)))
    generator = np.random.default_rng(3)
    return _faster(draw, lambda: generator.random(COUNT))


def measure_philox_normal() -> Figure:
    """How many times faster than ``default_rng().standard_normal``."""
    draw = tracejit.function([], PhiloxRandomStreams(3).standard_normal((COUNT,)))
    generator = np.random.default_rng(3)
    return _faster(draw, lambda: generator.standard_normal(COUNT))


def measure_option_price() -> Figure:
    """The price of a call option by ten million paths: how many times faster than NumPy."""
    spot, strike, rate, deviation = 100.0, 105.0, 0.02, 0.2
    drift = rate - deviation**2 / 2
    z = PhiloxRandomStreams(3).standard_normal((COUNT,))
    paths = spot * T.exp(drift + deviation * z)
    price = tracejit.function([], np.exp(-rate) * T.maximum(paths - strike, 0).mean())
    generator = np.random.default_rng(3)

    def in_numpy() -> Any:
        numbers = generator.standard_normal(COUNT)
        ends = spot * np.exp(drift + deviation * numbers)
        return np.exp(-rate) * np.maximum(ends - strike, 0).mean()

    assert abs(price() - in_numpy()) < 0.05
    assert price.stats.temporaries == 0 and price.stats.loops == 2  # the draw's, and the state's
    return _faster(price, in_numpy)


def _against(draw: Any, generator: np.random.RandomState) -> Figure:
    return _faster(draw, lambda: generator.random_sample(COUNT))


def _faster(ours: Any, numpys: Any) -> Figure:
    assert ours.stats.fallbacks == 0
    ours()
    mine, theirs = interleaved([ours, numpys], (), repeat=9)
    return Figure(theirs / mine, {"draw_s": mine, "numpy_s": theirs})


def measure_call() -> Figure:
    """Microseconds of the tutorial's ``f()``: four numbers."""
    draw = tracejit.function([], RandomStreams(234).uniform((2, 2)))
    (seconds,) = interleaved([draw], (), repeat=41, inner=20_000)
    return Figure(seconds * 1e6, {"call_s": seconds})


def measure(which: str) -> Figure:
    figure: Figure = globals()[f"measure_{which}"]()
    return figure
