"""The demo: a model trained on real data in both front ends, five jobs, and a simulation.

The jobs and the simulation are measured against NumPy.

Needs the extra ``demo``.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import tracejit
from tracejit.demo.jobs import Job, Outcome, jobs, measure
from tracejit.errors import DeviceError
from tracejit.lower.registry import target

#: Steps of the simulation.
SIMULATED = 1_000
NEEDED = {"scikit-learn": "sklearn", "rich": "rich", "matplotlib": "matplotlib"}


def missing_packages() -> list[str]:
    """The packages of the extra ``demo`` that cannot be imported."""
    return [package for package, module in NEEDED.items() if not _importable(module)]


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # ValueError: the module was blocked in sys.modules
        return False


def example(name: str) -> Any:
    """A script of ``examples/``: in the installed package, or in the source tree around it."""
    package = Path(__file__).parent
    places = [package / f"{name}.py", package.parents[2] / "examples" / f"{name}.py"]
    path = next(p for p in places if p.exists())
    spec = importlib.util.spec_from_file_location(f"{name}_example", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * scale >= 1 or unit == "µs":
            return f"{value * scale:,.{0 if value * scale >= 100 else 1}f} {unit}"
    raise AssertionError("unreachable")


def _table(title: str, *headings: str) -> Any:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(title=title, box=SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column(headings[0], no_wrap=True)
    for heading in headings[1:-1]:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(headings[-1], no_wrap=True)
    return table


def training(console: Any, steps: int, plot: Path) -> bool:
    """Train the example's models, print how well they do, and plot their losses."""
    results = example("logistic_regression").run(steps, plot)
    table = _table(
        f"logistic regression, {steps:,} steps of gradient descent",
        "data", "written in", "loss", "a step", "test", "scikit-learn", "check",
    )  # fmt: skip
    for r in results:
        table.add_row(
            r.data.name,
            r.front_end,
            f"{r.losses[0]:.2f} → {r.losses[-1]:.2f}",
            _seconds(r.step),
            f"{r.tested:.1%}",
            f"{r.reference:.1%}",
            "agrees" if r.agrees else "FAILED",
        )
    console.print(table)
    console.print(f"losses: {plot}\n", markup=False, highlight=False)
    return all(r.agrees for r in results)


def against_numpy(console: Any, options: int, repeat: int) -> bool:
    """Run every job, and print how long it takes and NumPy."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

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
    table = _table(title, "job", "NumPy", "compiled", "speed-up", "loops", "compile", "check")
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
    failures = [(job, outcome) for job, outcome in outcomes if outcome.error]
    for job, outcome in failures:
        console.print(f"{job.name} {outcome.error}", markup=False, highlight=False)
    return not failures


def simulation(console: Any, size: int, picture: Path) -> bool:
    """Let the example's chemicals react for 1,000 steps, and draw what comes of it."""
    made = example("reaction_diffusion")
    compiled = tracejit.function(made.react, on_unsupported="error")
    compiled(*made.start(16), SIMULATED, made.FEED, made.KILL)  # compiled before it is timed
    seconds, chemicals = [], []
    for react in (compiled, made.react):
        both = made.start(size)
        begin = time.perf_counter()
        react(*both, SIMULATED, made.FEED, made.KILL)
        seconds.append(time.perf_counter() - begin)
        chemicals.append(both)
    ours, numpys = seconds
    same = all((a == b).all() for a, b in zip(*chemicals, strict=True))
    made.draw(chemicals[0][1], picture)
    console.print(
        f"{SIMULATED:,} steps of two chemicals on {size} × {size}, in place: NumPy "
        f"{_seconds(numpys)}, compiled {_seconds(ours)}, {numpys / ours:.1f} ×, "
        + ("equal to the bit" if same else "FAILED"),
        f"\npicture: {picture}\n",
        markup=False, highlight=False, sep="",
    )  # fmt: skip
    return same


def run(
    options: int = 1_000_000,
    repeat: int = 7,
    steps: int = 1_500,
    plot: Path = Path("loss_curve.png"),
    size: int = 256,
    picture: Path = Path("reaction_diffusion.png"),
    device: str = "cpu",
) -> int:
    """Train, run every job, simulate, and print it; exit status 1 when a check failed, else 0.

    On a `device` that is not there, one message on the error stream, and 1.
    """
    if missing := missing_packages():
        print(
            f"the demo needs {' and '.join(missing)}; install the extra that brings them: "
            'pip install "tracejit[demo]"',
            file=sys.stderr,
        )
        return 1
    if problem := problem_of(device):
        print(f"the demo does not run on {device}: {problem}", file=sys.stderr)
        return 1
    from rich.console import Console

    console = Console()
    with tracejit.change_flags(device=device):
        learned = training(console, steps, plot)
        equal = against_numpy(console, options, repeat)
        return 0 if simulation(console, size, picture) and equal and learned else 1


def problem_of(device: str) -> str:
    """Why nothing runs on a device; empty where it does."""
    try:
        with tracejit.change_flags(device=device):
            target()
    except (DeviceError, ValueError) as error:
        return str(error)
    return ""
