"""The demo: five jobs on real data, compiled, checked against NumPy and timed.

Data: scikit-learn's bundled digits (1,797 images of 8 x 8 pixels) and breast-cancer measurements
(569 x 30), and a million generated options for Black-Scholes. Needs the extra ``demo``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
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


def missing_packages() -> list[str]:
    """The packages of the extra ``demo`` that cannot be imported."""
    needed = {"scikit-learn": "sklearn", "rich": "rich"}
    return [package for package, module in needed.items() if not _importable(module)]


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # ValueError: the module was blocked in sys.modules
        return False


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * scale >= 1 or unit == "µs":
            return f"{value * scale:,.{0 if value * scale >= 100 else 1}f} {unit}"
    raise AssertionError("unreachable")


def run(options: int = 1_000_000, repeat: int = 7) -> int:
    """Run every job and print the table; the exit status is 1 when a check failed, else 0."""
    if missing := missing_packages():
        print(
            f"the demo needs {' and '.join(missing)}; install the extra that brings them: "
            'pip install "tracejit[demo]"',
            file=sys.stderr,
        )
        return 1
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Table
    from rich.text import Text

    console = Console()
    outcomes: list[tuple[Job, Outcome]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("loading data", total=None)
        todo = jobs(options)
        progress.update(task, total=len(todo))

        def say(text: str) -> None:
            progress.update(task, description=text)

        for job in todo:
            outcomes.append((job, measure(job, repeat, say)))
            progress.advance(task)

    # Fits 80 columns: the data stands below the name of its job.
    title = f"tracejit against NumPy (median of {repeat} calls)"
    table = Table(title=title, box=SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column("job", no_wrap=True)
    for heading in ("NumPy", "compiled", "speed-up", "loops", "compile"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("check", no_wrap=True)
    failures = [(job, outcome) for job, outcome in outcomes if outcome.error]
    for job, outcome in outcomes:
        name = Text(job.name).append(f"\n  {job.data}", style="dim")
        if outcome.error:
            table.add_row(name, *("-" for _ in range(5)), "FAILED")
            continue
        table.add_row(
            name,
            _seconds(outcome.numpy),
            _seconds(outcome.compiled),
            f"{outcome.numpy / outcome.compiled:.1f} ×",
            str(outcome.loops),
            _seconds(outcome.compile_time),
            "equal",
        )
    console.print(table)
    for job, outcome in failures:
        console.print(f"{job.name} {outcome.error}", markup=False, highlight=False)
    return 1 if failures else 0
