"""What is told where a GPU cannot be used: each fault has its own message, and a way out."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stub import Stub
from test_kernels import on_device, same

import tracejit
from tracejit.cuda import faults, packages
from tracejit.cuda.compile import _Functions
from tracejit.cuda.device.nvidia import Nvidia
from tracejit.cuda.emit import limits
from tracejit.cuda.emit.host import HostEmitter
from tracejit.cuda.machine import ptx
from tracejit.cuda.target import CUDA
from tracejit.errors import DeviceError, NotTraceable, UnsupportedError, UnsupportedWarning
from tracejit.lower.program import Computation
from tracejit.lower.registry import register
from tracejit.theano.flags import change_flags

pytest.importorskip("cuda.bindings.nvvm")
X = np.arange(5.0)


def doubled(x: Any) -> Any:
    return x * 2


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stub]:
    """Makes the machine one with such a driver, whose first device is "stub"."""

    def made(**options: Any) -> Stub:
        stub = Stub(**options)
        monkeypatch.setitem(sys.modules, "cuda.bindings.driver", stub)
        register("stub", lambda: CUDA(Nvidia()))
        return stub

    return made


def told_by(call: Callable[[], Any], error: type[BaseException] = DeviceError) -> str:
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error
    text = str(raised.value)
    assert len(text.splitlines()) <= 12
    return text


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(flags: int) -> Any:
        raise RuntimeError("Failed to dlopen libcuda.so.1")

    stub = Stub()
    stub.cuInit = missing
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", stub)
    assert told_by(Nvidia) == (
        "there is no driver for NVIDIA's GPUs on this machine (Failed to dlopen libcuda.so.1)\n"
        '  way out: install the driver, or use device="cpu"'
    )


STARTS = [
    ("NO_DEVICE", "there is no NVIDIA GPU on this machine", 'use device="cpu"; `python -m'),
    ("STUB_LIBRARY", "the toolkit's stub", "install the driver"),
    ("SYSTEM_DRIVER_MISMATCH", "of another version", "restart the machine"),
    ("SYSTEM_NOT_READY", "the GPU is not ready", "fabricmanager"),
    ("UNKNOWN", "what the driver says of CUDA_ERROR_UNKNOWN", "python -m tracejit info"),
]


@pytest.mark.parametrize("code, text, hint", STARTS)
def test_no_gpu(machine: Any, code: str, text: str, hint: str) -> None:
    machine(cuInit=code)
    title, way = told_by(Nvidia).splitlines()
    assert text in title and way.startswith("  way out: ") and hint in way


@pytest.mark.parametrize("version, shown", [(12090, "12.9"), (12000, "12.0")])
def test_a_driver_that_is_too_old(machine: Any, version: int, shown: str) -> None:
    machine(version=version)
    text = told_by(Nvidia)
    assert text.startswith(f"the driver runs CUDA {shown} at most, and 13.0 is needed\n")
    assert text.endswith('or code for an older one: pip install "tracejit[cuda12]"')


def test_a_driver_that_is_too_old_for_all(machine: Any) -> None:
    machine(version=11080)
    assert told_by(Nvidia).endswith("  way out: install a newer driver")


def test_an_older_compiler_needs_an_older_driver(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Linker:
        version = staticmethod(lambda: (12, 9))

    machine(version=12020)
    monkeypatch.setattr("tracejit.cuda.device.probe.linker", Linker)
    assert Nvidia().device.name == "NVIDIA Stub 200"


@pytest.mark.parametrize("devices, there", [(1, "is one, cuda:0"), (3, "are 3, cuda:0 to cuda:2")])
def test_a_device_that_is_not_there(machine: Any, devices: int, there: str) -> None:
    machine(devices=devices)
    assert Nvidia(devices - 1).device.number == devices - 1
    text = told_by(lambda: Nvidia(devices))
    assert text.startswith(f"there is no device cuda:{devices}: there {there}\n")
    assert told_by(lambda: Nvidia(-1)).startswith("there is no device cuda:-1")


def test_a_device_by_a_name_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="not 'cuda:99'"), change_flags(device="cuda:99"):
        pass


MISSING = [
    ("cuda.bindings.driver", "cuda-bindings is needed", Nvidia),
    ("cuda.bindings.nvvm", "cuda-bindings is needed", lambda: tracejit.cuda.ptx(doubled, X)),
    ("cuda.bindings.nvjitlink", "cuda-bindings is needed", ptx.linker),
]


@pytest.fixture
def forgotten() -> Any:
    """The compilers are asked for anew."""
    for known in (ptx.nvvm, ptx.linker):
        known.cache_clear()
    yield
    for known in (ptx.nvvm, ptx.linker):
        known.cache_clear()


@pytest.mark.parametrize("module, text, call", MISSING)
def test_a_package_that_is_missing(
    module: str, text: str, call: Any, monkeypatch: pytest.MonkeyPatch, forgotten: None
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    title, way = told_by(call).splitlines()
    assert text in title and "not installed" in title
    assert way == '  way out: pip install "tracejit[cuda]"'


def test_a_library_that_is_missing() -> None:
    """The bindings are there, and the wheel that has the library is not."""

    class Module:
        @staticmethod
        def version() -> Any:
            raise RuntimeError("Failure finding libnvvm.so\nand where it was looked for")

    text = told_by(lambda: packages.call(Module, "NVVM (nvidia-nvvm)", "version"))
    assert text == (
        "NVVM (nvidia-nvvm) is needed, and is not found (Failure finding libnvvm.so)\n"
        '  way out: pip install "tracejit[cuda]"'
    )


CALLS = [
    ("cuDevicePrimaryCtxRetain", "DEVICE_UNAVAILABLE", "in use by another process"),
    ("cuModuleLoadData", "NO_BINARY_FOR_GPU", "does not run code of its compute capability"),
    ("cuLaunchKernel", "LAUNCH_OUT_OF_RESOURCES", "a kernel is too large: its threads need more"),
    ("cuLaunchKernel", "INVALID_VALUE", "could not run a kernel: what the driver says of"),
    ("cuStreamSynchronize", "ILLEGAL_ADDRESS", "a kernel went out of its memory"),
    ("cuMemcpyHtoDAsync", "ECC_UNCORRECTABLE", "the GPU's memory has an error"),
]


@pytest.mark.parametrize("name, code, text", CALLS)
@pytest.mark.parametrize("mode", ["warn", "error"])
def test_a_call_that_fails(machine: Any, name: str, code: str, text: str, mode: str) -> None:
    """NumPy is no substitute for a GPU that was asked for."""
    machine(**{name: code})
    with change_flags(device="stub"):
        # A result stays there: what fails after the launch is told where it is read.
        told = told_by(lambda: np.asarray(tracejit.function(doubled, on_unsupported=mode)(X)))
    assert text in told and "\n  way out: " in told


def test_memory_that_is_not_there(machine: Any) -> None:
    stub = machine(cuMemAllocAsync="OUT_OF_MEMORY")
    with change_flags(device="stub"):
        text = told_by(lambda: tracejit.function(doubled)(X), MemoryError)
    assert "40 bytes are needed on NVIDIA Stub 200" in text and "1,000 of" in text
    stub.fail = {"cuModuleLoadData": "OUT_OF_MEMORY"}
    register("stub", lambda: CUDA(Nvidia()))
    with change_flags(device="stub"):
        text = told_by(lambda: tracejit.function(lambda x: x * 3)(X), faults.NoMemory)
    assert text.startswith("the GPU has no memory left") and issubclass(
        faults.NoMemory, MemoryError
    )


def test_every_fault_has_a_way_out() -> None:
    from cuda.bindings.driver import CUresult

    for name, fault in faults.FAULTS.items():
        assert hasattr(CUresult, name) and fault.text and fault.hint


def sorted_sum(x: Any) -> Any:
    y = x * 2
    return np.sort(y)  # the line


@pytest.fixture
def without_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a GPU sorts by, this one does not."""

    before = HostEmitter._item

    def item(self: Any, item: Any) -> None:
        if isinstance(item, Computation):
            raise NotTraceable("there is no kernel for sort on a GPU yet")
        before(self, item)

    monkeypatch.setattr(HostEmitter, "_item", item)


def test_an_op_without_a_kernel(without_sort: None) -> None:
    with pytest.raises(UnsupportedError) as raised, change_flags(device="fake"):
        tracejit.function(sorted_sum, on_unsupported="error")(X)
    lines = str(raised.value).splitlines()
    assert lines[0] == "sorted_sum() runs in plain NumPy"
    line = sorted_sum.__code__.co_firstlineno + 2
    assert lines[1].endswith(f'test_device_errors.py", line {line}, in sorted_sum')
    assert "return np.sort(y)  # the line" in lines[2]
    assert lines[3] == "  reason: there is no kernel for sort on a GPU yet"
    assert lines[4].startswith('  way out: use device="cpu" for this function')


def test_an_op_without_a_kernel_is_numpys(without_sort: None) -> None:
    """It is said what runs instead, and that runs."""
    f = tracejit.function(sorted_sum, on_unsupported="warn")
    with change_flags(device="fake"):
        with pytest.warns(
            UnsupportedWarning, match=r"runs in plain NumPy(.|\n)*no kernel for sort"
        ):
            got = f(X[::-1])
        with warnings.catch_warnings():  # once a line of the user's
            same(f(X[::-1]), got)
    same(got, np.sort(X * 2))
    assert f.stats.fallbacks == 2


def test_a_function_that_a_gpu_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is that of the statement that calls it."""
    missing = _Functions.__missing__

    def without(self: Any, name: str) -> Any:
        if name == "exp":
            raise NotTraceable("there is no exp on a GPU yet")
        return missing(self, name)

    monkeypatch.setattr(_Functions, "__missing__", without)

    def f(x: Any) -> Any:
        y = x + 1
        return np.exp(y) * 3

    with pytest.raises(UnsupportedError, match="no exp on a GPU yet") as raised:
        tracejit.cuda.ptx(f, X)
    assert f"line {f.__code__.co_firstlineno + 2}" in str(raised.value)


def test_a_kernel_of_too_many_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PARAMETERS", 64)

    def f(a: Any, b: Any, c: Any, d: Any) -> Any:
        return a + b + c + d

    with pytest.raises(UnsupportedError) as raised:
        tracejit.cuda.ptx(f, X, X, X, X)
    assert "a kernel is too large: the addresses and lengths of its 6 arrays" in str(raised.value)
    assert "take 88 bytes, and a GPU takes 64" in str(raised.value)
    assert "way out: split the function" in str(raised.value)


def test_many_parameters() -> None:
    """More than the 4 KB that older GPUs take."""
    names = ", ".join(f"a{k}" for k in range(280))
    scope: dict[str, Any] = {}
    exec(f"def f({names}): return {names.replace(',', ' +')}", scope)
    arrays = [np.full(3, float(k)) for k in range(280)]
    with tracejit.config(budget=0):
        same(on_device(scope["f"], *arrays), sum(arrays[1:], arrays[0]))


@pytest.mark.parametrize(
    "what, text",
    [
        (".shared .align 8 .b8 a[400000]; mov.u64 %rd1, a; st.shared.u64 [%rd1], %rd1;", "shared"),
        (".local .align 8 .b8 a[8]; mov.u64 %rd1, a; st.local.u64 [%rd1], %rd1;", ""),
    ],
)
def test_a_kernel_that_the_assembler_refuses(what: str, text: str) -> None:
    code = (
        ".version 9.0\n.target sm_90\n.address_size 64\n"
        f".visible .entry k() {{\n .reg .b64 %rd<3>;\n {what}\n ret;\n}}"
    )
    if not text:
        assert ptx.cubin(code, (9, 0))[0]
        return
    with pytest.raises(NotTraceable, match=r"a kernel is too large for a GPU: .*too much shared"):
        ptx.cubin(code, (9, 0))


def test_what_the_assembler_does_not_know() -> None:
    code = ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k() { nothing; }"
    with pytest.raises(tracejit.CompileError, match="nvJitLink: "):
        ptx.cubin(code, (9, 0))
