"""Five jobs on real data, compiled, checked against NumPy and timed.

Data: scikit-learn's bundled digits (1,797 images of 8 x 8 pixels) and breast-cancer measurements
(569 x 30), and a million generated options for Black-Scholes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import scipy.special

import tracejit

Array = np.ndarray[Any, np.dtype[Any]]


def standardise(x: Array) -> Array:
    """Columns of ``x`` (n, k) with mean 0 and deviation 1; constant columns become 0."""
    deviation = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)


def pairwise_distances(x: Array, y: Array) -> Array:
    """Euclidean distances (n, m) between the rows of ``x`` (n, k) and of ``y`` (m, k)."""
    return np.sqrt(((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=-1))


def softmax_scores(x: Array, weights: Array) -> Array:
    """Class probabilities (n, c): the softmax over each row of ``x @ weights``."""
    scores = x @ weights
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def correlation_matrix(x: Array) -> Array:
    """Pearson correlations (k, k) between the columns of ``x`` (n, k)."""
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    return z.T @ z / x.shape[0]


def black_scholes(spot: Array, strike: Array, years: Array, rate: float, sigma: float) -> Array:
    """Prices of European calls (Black and Scholes 1973), one for each option."""
    root = np.sqrt(2.0)
    d1 = (np.log(spot / strike) + (rate + sigma * sigma / 2) * years) / (sigma * np.sqrt(years))
    d2 = d1 - sigma * np.sqrt(years)
    in_the_money = (1 + scipy.special.erf(d1 / root)) / 2
    exercised = (1 + scipy.special.erf(d2 / root)) / 2
    return spot * in_the_money - strike * np.exp(-rate * years) * exercised


@dataclass(frozen=True)
class Job:
    """One line of the demo: a NumPy function, the data it runs on, and the tolerance."""

    name: str
    data: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    rtol: float = 1e-9
    atol: float = 1e-12


@dataclass(frozen=True)
class Outcome:
    """Times in seconds; ``error`` says what went wrong, and is empty when the check passed."""

    numpy: float = 0.0
    compiled: float = 0.0
    loops: int = 0
    compile_time: float = 0.0
    error: str = ""


def jobs(options: int) -> list[Job]:
    """The jobs on their data; ``options`` is the number of options to price."""
    from sklearn.datasets import load_breast_cancer, load_digits

    digits, labels = load_digits(return_X_y=True)
    cancer, _ = load_breast_cancer(return_X_y=True)
    queries, references = digits[:300], digits[300:]
    centroids = np.stack([digits[labels == digit].mean(axis=0) for digit in range(10)])
    weights = (centroids - centroids.mean(axis=0)).T / 100.0
    rng = np.random.default_rng(2024)
    spot = rng.uniform(20.0, 180.0, options)
    strike = rng.uniform(20.0, 180.0, options)
    years = rng.uniform(0.1, 3.0, options)

    def size(x: Array) -> str:
        return f"{x.shape[0]:,} × {x.shape[1]:,}"

    return [
        Job("standardise columns", f"digits, {size(digits)}", standardise, (digits,)),
        Job(
            "pairwise distances",
            f"digits, {len(queries):,} × {len(references):,} × {digits.shape[1]}",
            pairwise_distances,
            (queries, references),
        ),
        Job("softmax scores", f"digits, {size(digits)}", softmax_scores, (digits, weights)),
        Job("correlation matrix", f"breast cancer, {size(cancer)}", correlation_matrix, (cancer,)),
        Job(
            "Black-Scholes",
            f"{options:,} options",
            black_scholes,
            (spot, strike, years, 0.02, 0.3),
        ),
    ]


def measure(job: Job, repeat: int, say: Callable[[str], None]) -> Outcome:
    """Compile one job, check it against NumPy, then time both in turn (medians)."""
    # Raising where plain NumPy would step in: a demo must not time NumPy against itself.
    function = tracejit.function(job.function, on_unsupported="error")
    say(f"{job.name}: compiling")
    try:
        got = function(*job.args)
        expected = job.function(*job.args)
        np.testing.assert_allclose(got, expected, rtol=job.rtol, atol=job.atol)
    except AssertionError as error:
        return Outcome(error=f"differs from NumPy: {str(error).strip()}")
    except tracejit.UnsupportedError as error:
        return Outcome(error=f"was not compiled: {error}")
    del got, expected
    say(f"{job.name}: timing")
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat):
        calls: tuple[Callable[..., Any], ...] = (job.function, function)
        for call, record in zip(calls, times, strict=True):
            start = time.perf_counter()
            call(*job.args)
            record.append(time.perf_counter() - start)
    return Outcome(
        numpy=median(times[0]),
        compiled=median(times[1]),
        loops=function.stats.loops,
        compile_time=sum(function.stats.seconds.values()),
    )
