"""The command line: info, demo, and the benchmark driver's own workings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit import demo
from tracejit.__main__ import FEATURES, main

ROOT = Path(__file__).resolve().parent.parent


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], capture_output=True, text=True, cwd=ROOT
    )


def test_info_prints_what_a_bug_report_needs() -> None:
    done = python("-m", "tracejit", "info")
    assert done.returncode == 0, done.stderr
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert [name for name in rows if name != "missing"] == [
        *("tracejit", "python", "numpy", "scipy", "numba", "llvmlite"),
        *("processor", "features", "threads", "cache"),
        *("cuda", "driver", "gpu"),
    ]
    assert rows["numpy"] == np.__version__
    assert rows["tracejit"] == metadata.version("tracejit")
    for feature in FEATURES:
        assert f"{feature} yes" in rows["features"] or f"{feature} no" in rows["features"]


def test_info_follows_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    with tracejit.config(threads=3, cache=False):
        assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert "\nthreads    3\n" in out
    assert re.search(r"^cache .* \(off\)$", out, re.M)


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["demo", "--options", "0"]])
def test_wrong_usage_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: python -m tracejit" in capsys.readouterr().err


def test_demo_trains_checks_and_prints_every_job(tmp_path: Path) -> None:
    plot, picture = tmp_path / "losses.png", tmp_path / "simulation.png"
    done = python(
        *("-m", "tracejit", "demo", "--options", "1000", "--repeat", "1", "--size", "24"),
        *("--plot", str(plot), "--picture", str(picture)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout and done.stdout.count("agrees") == 4
    assert "equal to the bit" in done.stdout
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in (plot, picture))


def test_demo_fails_when_the_simulation_differs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    made = demo.example("reaction_diffusion")
    monkeypatch.setattr(demo, "example", lambda name: made)
    monkeypatch.setattr(demo, "SIMULATED", 2)
    monkeypatch.setattr(tracejit, "function", lambda f, **_options: lambda *args: None)
    assert not demo.simulation(Console(), 8, tmp_path / "none.png")
    assert "FAILED" in capsys.readouterr().out


def test_demo_fails_when_a_model_does_not_learn(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    data = SimpleNamespace(name="digits")
    result = SimpleNamespace(
        data=data, front_end="NumPy", losses=[1.0, 2.0], step=1e-6, tested=0.1, reference=0.9,
        agrees=False,
    )  # fmt: skip
    fake = SimpleNamespace(run=lambda steps, path: [result])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "example", lambda name: fake)
        assert not demo.training(Console(), 1, Path("none.png"))
    assert "FAILED" in capsys.readouterr().out


def test_demo_fails_when_a_check_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shifted(function: Any, **options: Any) -> Any:
        return lambda x: function(x) + 1

    job = demo.Job("doubled", "three numbers", lambda x: x * 2, (np.arange(3.0),))
    monkeypatch.setattr(tracejit, "function", shifted)
    monkeypatch.setattr(demo, "jobs", lambda options: [job])
    monkeypatch.setattr(demo, "training", lambda console, steps, plot: True)
    monkeypatch.setattr(demo, "simulation", lambda console, size, picture: True)
    assert demo.run(options=1, repeat=1) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "doubled differs from NumPy" in out


def test_demo_fails_when_a_job_is_not_compiled() -> None:
    def shown(x: np.ndarray) -> np.ndarray:
        return x if str(x) else -x

    job = demo.Job("shown", "three numbers", shown, (np.arange(3.0),))
    outcome = demo.measure(job, 1, lambda text: None)
    assert outcome.error.startswith("was not compiled")


@pytest.mark.parametrize(("module", "package"), [("rich", "rich"), ("sklearn", "scikit-learn")])
def test_demo_names_the_extra_that_is_missing(module: str, package: str) -> None:
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from tracejit.__main__ import main; sys.exit(main(['demo']))"
    )
    done = python("-c", program)
    assert done.returncode == 1
    assert done.stderr == (
        f"the demo needs {package}; install the extra that brings them: "
        'pip install "tracejit[demo]"\n'
    )


def test_durations_are_printed_in_a_fitting_unit() -> None:
    shown = [demo._seconds(value) for value in (2.5, 0.25, 0.0031, 42e-6, 3e-7)]
    assert shown == ["2.5 s", "250 ms", "3.1 ms", "42.0 µs", "0.3 µs"]


def test_benchmark_driver_lists_measures_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import run
    from benchmarks.rows import BY_NAME, ROWS, Figure

    assert run.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(BY_NAME)

    # Every row at its bound, but for one that misses it: no number of this test is measured.
    missed = ROWS[0].name

    def at_the_bound(row: run.Row) -> run.Result:
        return run.Result(row, Figure(row.required * (2 if row.name == missed else 1)))

    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{run.BEGIN}\nold\n{run.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(run, "README", readme)
    monkeypatch.setattr(run, "measure", at_the_bound)
    file = tmp_path / "results.json"
    assert run.main(["--json", str(file), "--update-readme"]) == 1
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    assert [result["name"] for result in results] == [row.name for row in ROWS]
    assert [result["name"] for result in results if result["verdict"] != "pass"] == [missed]
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{run.BEGIN}\n| what ")
    assert text.endswith(f".\n{run.END}\nafter\n")
    assert text.count("(missed)") == 1
    assert run.main([ROWS[1].name]) == 0


@pytest.mark.parametrize("arguments", [["nothing"], ["import", "--update-readme"]])
def test_benchmark_driver_refuses(arguments: list[str]) -> None:
    from benchmarks import run

    with pytest.raises(SystemExit) as stop:
        run.main(arguments)
    assert stop.value.code == 2


def test_benchmark_shapes_row_measures() -> None:
    """One row from end to end, the quickest of those that compile."""
    from benchmarks import run
    from benchmarks.rows import BY_NAME

    result = run.measure(BY_NAME["shapes-elementwise"])
    assert result.error == ""
    assert result.verdict == "pass"
    assert result.figure is not None
    assert result.figure.parts == {"shapes": 50, "traces": 1, "compiles": 1}
