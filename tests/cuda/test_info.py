"""The command line about GPUs: `info` says what is there and what is not, `demo` runs on one."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import tracejit
from tracejit import demo
from tracejit.__main__ import main
from tracejit.cuda import report

ROOT = Path(__file__).resolve().parents[2]
#: A process in which none of CUDA's packages is installed.
BARE = """
import sys
from importlib import metadata
sys.modules["cuda"] = None
found = metadata.version
def version(name):
    if name.startswith(("cuda", "nvidia", "cupy", "numba-cuda")):
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
from tracejit.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BARE, *arguments],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip


def test_without_any_package() -> None:
    done = bare("info")
    assert done.returncode == 0, done.stderr
    rows = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert ["cuda", "no packages"] in rows
    assert rows[-1] == [
        "missing",
        'bindings, NVVM, nvJitLink; for programs on a GPU: pip install "tracejit[cuda]"',
    ]


def test_the_demo_without_any_package(tmp_path: Path) -> None:
    done = bare("demo", "--device", "cuda")
    assert done.returncode == 1 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("the demo does not run on cuda: to run on a GPU, cuda-bindings")
    assert lines[1:] == ['  way out: pip install "tracejit[cuda]"']


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the driver's part in the kernel says what there is: on this machine, nothing."""
    monkeypatch.setattr(report, "_MODULE", tmp_path / "version")
    monkeypatch.setattr(report, "_GPUS", tmp_path / "gpus")
    return tmp_path


def test_a_gpu_without_packages(monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    """What the driver's part in the kernel says is there without them."""
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", None)
    assert ("driver", "none") in report.rows() and ("gpu", "none") in report.rows()
    (files / "version").write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n"
    )
    gpu = files / "gpus" / "0000:19:00.0"
    gpu.mkdir(parents=True)
    (gpu / "information").write_text("Model: \t\t NVIDIA H200\nIRQ:   10\n")
    rows = report.rows()
    assert ("driver", "version 580.65.06") in rows and ("gpu", "NVIDIA H200") in rows
    assert rows[-1][1].startswith("bindings")


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, files: Path) -> Any:
    pytest.importorskip("cuda.bindings.nvvm")
    made = importlib.import_module("stub").Stub(devices=2)
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", made)
    return made


def test_two_gpus(stub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    rows = [tuple(line.split(maxsplit=1)) for line in capsys.readouterr().out.splitlines()]
    text = "NVIDIA Stub 200, compute capability 9.0, 132 multiprocessors, 141.0 GiB"
    assert rows[-3:] == [
        ("driver", "CUDA 13.0"),
        ("gpu", f"cuda:0 {text}"),
        ("gpu", f"cuda:1 {text}"),
    ]
    packages = dict(rows)["cuda"]
    for name in ("cuda-bindings", "nvidia-nvvm", "nvidia-nvjitlink"):
        assert f"{name} {metadata.version(name)}" in packages


def test_a_driver_that_is_too_old(stub: Any) -> None:
    """Which driver it is is said as well."""
    stub.version = 12040
    rows = report.rows()
    assert rows[1] == ("driver", "CUDA 12.4")
    assert rows[2][1].startswith("none: the driver runs CUDA 12.4 at most, and 13.0 is needed; way")


def test_no_gpu(stub: Any) -> None:
    stub.fail = {"cuInit": "NO_DEVICE"}
    assert report.rows()[1:] == [
        ("driver", "none"),
        (
            "gpu",
            "none: there is no NVIDIA GPU on this machine (it could not be used); way out: "
            'use device="cpu"; `python -m tracejit info` shows what there is',
        ),
    ]


def test_a_driver_that_breaks(stub: Any) -> None:
    def broken() -> Any:
        raise OSError

    stub.cuDriverGetVersion = broken
    assert ("gpu", "none: OSError") in report.rows()


def test_a_compiler_that_is_missing(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.nvvm", None)
    rows = report.rows()
    assert rows[-1] == (
        "missing",
        'NVVM; for programs on a GPU: pip install "tracejit[cuda]"',
    )
    assert rows[-2][1].startswith("cuda:1 NVIDIA Stub")


@pytest.mark.parametrize("device", ["cuda:99", "tpu"])
def test_the_demo_on_what_is_no_device(device: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--device", device]) == 1
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) <= 12
    assert said.err.startswith(f"the demo does not run on {device}: config.device may be 'cpu'")


def test_the_demo_on_a_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All of it runs there."""
    pytest.importorskip("cuda.bindings.nvvm")
    importlib.import_module("test_kernels")  # registers the device
    seen = []

    def note(*arguments: Any) -> bool:
        seen.append(tracejit.config.device)
        return True

    for name in ("training", "against_numpy", "simulation"):
        monkeypatch.setattr(demo, name, note)
    assert main(["demo", "--device", "fake"]) == 0
    assert seen == ["fake"] * 3 and tracejit.config.device == "cpu"


def test_the_simulation_on_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy's bits, after steps of an in-place loop."""
    pytest.importorskip("cuda.bindings.nvvm")
    rich = pytest.importorskip("rich.console")
    pytest.importorskip("matplotlib")
    driver = importlib.import_module("test_kernels").DRIVER
    monkeypatch.setattr(demo, "SIMULATED", 3)
    before = driver.launches
    console = rich.Console(file=io.StringIO())
    with tracejit.change_flags(device="fake"):
        assert demo.simulation(console, 12, tmp_path / "a.png")
    assert driver.launches > before
