"""The script of the GPU's figures, on a driver over the host's memory: it runs to its end."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.special
from stub import Stub

import tracejit
from benchmarks import cuda
from benchmarks.gpu import by_hand, machine, parts
from benchmarks.gpu.parts import PARTS, Bench, Row
from tracejit.cuda.device.nvidia import Nvidia
from tracejit.cuda.target import CUDA
from tracejit.errors import UnsupportedError
from tracejit.lower.registry import register

pytest.importorskip("cuda.bindings.nvvm")


@pytest.fixture(autouse=True)
def without_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other compiler runs in these tests, unless one asks for it."""
    monkeypatch.setattr(parts, "peers", lambda: iter([("another", "it is not asked for")]))


def test_all_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert cuda.main(["--fake", "--json", str(file)]) == 0
    said = capsys.readouterr()
    assert said.out.endswith("all good\n") and not said.err
    found = json.loads(file.read_text())
    assert [part["part"] for part in found["parts"]] == [*PARTS]
    states = {part["part"]: part["state"] for part in found["parts"]}
    assert set(states.values()) <= {"measured", "unsupported"}
    assert sum(state == "measured" for state in states.values()) >= 8
    rows = [row for part in found["parts"] for row in part["rows"]]
    assert all("WRONG" not in row["check"] for row in rows)
    assert sum(row["check"] == "the CPU's bits" for row in rows) >= 12
    assert sum(row["by"] == "C" and row["check"] == "close" for row in rows) == 2
    assert found["packages"]["numpy"] == np.__version__ and found["good"] is True


def test_what_is_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A part that fails, one that is refused, a wrong result and a slow one; the rest goes on."""

    def broken(bench: Bench) -> Any:
        yield Row("before", "tracejit", 1e-3)
        raise OSError("nothing works")

    def refused(bench: Bench) -> Any:
        raise UnsupportedError("f() runs in plain NumPy\n  reason: there is no kernel for it")

    def wrong(bench: Bench) -> Any:
        yield Row("a sum", "tracejit", 1e-3, check=parts.same_bits(np.arange(3.0), np.ones(3)))

    def fine(bench: Bench) -> Any:
        yield Row("all is well", "tracejit", 1.5, 3e9, 0.95, 0.9, "the CPU's bits")

    made = {"broken": broken, "refused": refused, "wrong": wrong, "fine": fine}
    for name, f in made.items():
        monkeypatch.setitem(PARTS, name, f)
    file = tmp_path / "figures.json"
    assert cuda.main(["--fake", *made, "--json", str(file)]) == 1
    out = capsys.readouterr().out
    assert "failed: OSError: nothing works" in out and "before" in out
    assert "unsupported: reason: there is no kernel for it" in out
    assert "WRONG: 2 of 3 differ from the CPU's" in out
    assert "1.5 s       2 GB/s   0.95" in out and out.endswith("not good: broken, wrong\n")
    assert json.loads(file.read_text())["good"] is False


def test_a_figure_that_is_less_than_required() -> None:
    slow, fast = (Row("x", "tracejit", 1.0, share=s, required=0.9) for s in (0.8, 0.9))
    assert (slow.verdict, fast.verdict) == ("fail", "pass")
    assert not cuda.Outcome("x", rows=[fast, slow]).good and cuda.Outcome("x", rows=[fast]).good


@pytest.mark.parametrize("arguments", [["nothing"], ["--nothing"]])
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cuda.main(arguments)
    assert stop.value.code == 2


def test_where_there_is_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    """Each part has a process of its own, which says so."""
    assert cuda.main(["copies", "--small", "--device", "cuda:7"]) == 1
    assert "copies" in (out := capsys.readouterr().out)
    assert "failed: DeviceError: there is no d" in out


def test_time_that_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert cuda.main(["copies", "softmax", "--seconds", "1"]) == 0
    assert capsys.readouterr().out.count("late: there was no time left") == 2


class Theirs(np.ndarray[Any, Any]):
    """An array of another library's."""

    def cpu(self) -> Any:
        return self

    def numpy(self) -> Any:
        return np.asarray(self)


def theirs(x: Any) -> Any:
    return np.array(x).view(Theirs)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy and torch as far as they are asked, by NumPy."""
    nothing = lambda *arguments: None  # noqa: E731
    modules = {name: ModuleType(name) for name in ("cupy", "cupyx.scipy.special", "torch")}
    cupy, special, torch = modules.values()
    for name in ("exp", "log", "sqrt", "tanh", "amax", "sum", "where", "zeros", "int32"):
        for module in (cupy, torch):
            setattr(module, name, getattr(np, name))
    cupy.fuse = lambda: lambda f: f  # type: ignore[attr-defined]
    cupy.asarray, cupy.asnumpy = theirs, np.asarray  # type: ignore[attr-defined]
    device = SimpleNamespace(synchronize=nothing)
    cupy.cuda = SimpleNamespace(Device=lambda: device)  # type: ignore[attr-defined]
    special.erf = torch.erf = scipy.special.erf  # type: ignore[attr-defined]
    torch.cuda = SimpleNamespace(is_available=lambda: True, synchronize=nothing)  # type: ignore[attr-defined]
    torch.compile = lambda f: f  # type: ignore[attr-defined]
    torch.as_tensor = lambda x, device: theirs(x)  # type: ignore[attr-defined]
    torch.amax = lambda x, axis, keepdim: np.amax(x, axis, keepdims=keepdim)  # type: ignore[attr-defined]
    torch.sum = lambda x, axis=None, keepdim=False: np.sum(x, axis, keepdims=keepdim)  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    from benchmarks.gpu.peers import peers

    monkeypatch.setattr(parts, "peers", peers)


NAMES = ["CuPy fuse", "JAX", "torch.compile"]


@pytest.mark.parametrize("name", ["elementwise", "functions", "softmax", "row_sums", "total",
                                  "black_scholes", "logistic"])  # fmt: skip
def test_programs_of_others(others: None, name: str) -> None:
    """They mean the same in terms of each."""
    pytest.importorskip("jax")
    from benchmarks.gpu import programs

    program = getattr(programs, name)
    x = parts.random(np.float64, 12, 5)
    arrays = (x[0], x, x[:, 0]) if name == "logistic" else (x, x + 1, x + 2, x + 3)
    arrays = arrays[: program(parts.XP).__code__.co_argcount]
    want = program(parts.XP)(*arrays)
    found = list(parts.peers())
    assert [peer.name for peer in found] == NAMES
    for peer in found:
        got = peer.download(peer.compiled(program)(*map(peer.upload, arrays)))
        np.testing.assert_allclose(got, want, rtol=1e-12)
        peer.wait()


def test_rows_of_others(others: None) -> None:
    pytest.importorskip("jax")
    outcome = cuda.run_part("elementwise-float64", machine.Pretended(), cuda.TINY)
    by = {row.by: row for row in outcome.rows}
    assert [*by] == ["tracejit", *NAMES, "best of others / tracejit"]
    assert all(by[name].check == "close" and by[name].seconds > 0 for name in NAMES)
    best = min(by[name].seconds for name in NAMES)
    assert by["best of others / tracejit"].share == best / by["tracejit"].seconds


def test_others_that_fail(others: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(f: Any) -> Any:
        raise ValueError("it does not compile")

    monkeypatch.setattr(sys.modules["torch"], "compile", fails)
    monkeypatch.setitem(sys.modules, "cupy", None)
    rows = cuda.run_part("elementwise-float32", machine.Pretended(), cuda.TINY).rows
    by = {row.by: row.note for row in rows}
    assert by["CuPy"].startswith("not measured: ModuleNotFoundError")
    assert by["torch.compile"] == "failed: ValueError: it does not compile"


def test_a_gpu_is_asked_in_the_drivers_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = Stub()
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", stub)
    register("stub", lambda: CUDA(Nvidia()))
    place = SimpleNamespace(__cuda_array_interface__={"data": (4096, False)})
    for name, value in (("to_device", lambda x: place), ("synchronize", lambda: None)):
        monkeypatch.setattr(tracejit, name, value, raising=False)
    gpu = machine.Gpu("stub")
    assert gpu.name == "NVIDIA Stub 200, 132 multiprocessors" and gpu.address(place) == 4096
    speed = machine.bandwidth(gpu, 800)
    assert speed["copy"] > 0 and speed["write"] > 0
    assert stub.calls["cuMemcpyDtoDAsync"] and stub.calls["cuMemsetD32Async"]
    launch = by_hand.launcher(gpu, b"code")
    launch("mandelbrot", [place, place, place, np.int64(1000), np.int32(3)], 1000)
    assert stub.calls["cuLaunchKernel"] == 1
    stub.fail = {"cuCtxSynchronize": "ILLEGAL_ADDRESS"}
    with pytest.raises(RuntimeError, match="ILLEGAL_ADDRESS"):
        gpu.synchronize()


NVCC = shutil.which("nvcc")


@pytest.mark.skipif(not NVCC, reason="there is no nvcc")
def test_cuda_c_compiles() -> None:
    assert NVCC and by_hand.by_nvcc(NVCC, 9, 0)[:4] == b"\x7fELF"
