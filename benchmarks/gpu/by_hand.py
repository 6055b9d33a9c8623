"""The programs as one writes them in CUDA C: compiled by NVRTC, or by nvcc, and launched.

Where nothing is a GPU, they are compiled as C, thread after thread.
"""

from __future__ import annotations

import ctypes
import importlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu.machine import Machine, Pretended

SOURCE = r"""
KERNEL black_scholes(const double *__restrict__ s, const double *__restrict__ k,
                     const double *__restrict__ t, double *__restrict__ out, long long n) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    double root = sqrt(t[i]) * 0.3;
    double d1 = (log(s[i] / k[i]) + 0.065 * t[i]) / root, d2 = d1 - root;
    double in_the_money = 0.5 + 0.5 * erf(d1 * 0.7071067811865476);
    double exercised = 0.5 + 0.5 * erf(d2 * 0.7071067811865476);
    out[i] = s[i] * in_the_money - k[i] * exp(-0.02 * t[i]) * exercised;
  }
}

KERNEL mandelbrot(const double *__restrict__ re, const double *__restrict__ im,
                  int *__restrict__ out, long long n, int most) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    double x = 0, y = 0, a = re[i], b = im[i];
    int steps = 0;
    while (steps < most && x * x + y * y <= 4) {
      double next = x * x - y * y + a;
      y = 2 * x * y + b;
      x = next;
      steps++;
    }
    out[i] = steps;
  }
}
"""
_CUDA = '#define KERNEL extern "C" __global__ void\n'
#: A grid of one block of one thread, so that the loops go over all.
_C = """#include <math.h>
#define KERNEL void
static struct { int x; } gridDim = {1}, blockDim = {1}, blockIdx, threadIdx;
"""
_THREADS = 256
Launch = Callable[[str, Sequence[Any], int], None]


def compiled(machine: Machine) -> tuple[str, Launch]:
    """How the source was compiled, and what launches a kernel: its name, arguments, elements.

    Arguments are arrays of the machine's own, and integers as NumPy's.
    """
    if isinstance(machine, Pretended):
        return "C", _as_c(machine)
    how, code = _cubin(*_cc())
    return how, launcher(machine, code)


def _cc() -> tuple[int, int]:
    driver: Any = importlib.import_module("cuda.bindings.driver")
    kind = driver.CUdevice_attribute
    _, device = driver.cuCtxGetDevice()
    return (
        int(
            driver.cuDeviceGetAttribute(kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device)[
                1
            ]
        ),
        int(
            driver.cuDeviceGetAttribute(kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device)[
                1
            ]
        ),
    )


def _cubin(major: int, minor: int) -> tuple[str, bytes]:
    try:
        return "CUDA C (NVRTC)", _by_nvrtc(major, minor)
    except Exception as error:  # the library is not there, or is of another version
        nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
        if not Path(nvcc).exists():
            raise RuntimeError(f"neither NVRTC ({error}) nor nvcc is there") from error
        return "CUDA C (nvcc)", by_nvcc(nvcc, major, minor)


def _by_nvrtc(major: int, minor: int) -> bytes:
    nvrtc: Any = importlib.import_module("cuda.bindings.nvrtc")

    def done(answer: tuple[Any, ...]) -> Any:
        if int(answer[0]):
            raise RuntimeError(f"{answer[0]!r}")
        return answer[1] if len(answer) > 1 else None

    program = done(nvrtc.nvrtcCreateProgram((_CUDA + SOURCE).encode(), b"a.cu", 0, [], []))
    done(nvrtc.nvrtcCompileProgram(program, 1, [f"-arch=sm_{major}{minor}".encode()]))
    code = bytearray(done(nvrtc.nvrtcGetCUBINSize(program)))
    done(nvrtc.nvrtcGetCUBIN(program, code))
    return bytes(code)


def by_nvcc(nvcc: str, major: int, minor: int) -> bytes:
    """Machine code by the compiler driver at a path."""
    with tempfile.TemporaryDirectory() as folder:
        source, code = Path(folder, "a.cu"), Path(folder, "a.cubin")
        source.write_text(_CUDA + SOURCE, encoding="utf-8")
        command = [nvcc, "-O3", f"-arch=sm_{major}{minor}", "-cubin", "-o", str(code), str(source)]
        subprocess.run(command, check=True, capture_output=True)
        return code.read_bytes()


def launcher(machine: Machine, code: bytes) -> Launch:
    driver: Any = importlib.import_module("cuda.bindings.driver")

    def done(answer: tuple[Any, ...]) -> Any:
        if int(answer[0]):
            raise RuntimeError(f"{answer[0]!r}")
        return answer[1] if len(answer) > 1 else None

    module = done(driver.cuModuleLoadData(code))

    def launch(name: str, arguments: Sequence[Any], elements: int) -> None:
        kernel = done(driver.cuModuleGetFunction(module, name.encode()))
        values = [
            np.array([a if isinstance(a, np.integer) else machine.address(a)]) for a in arguments
        ]
        pointers = np.array([v.ctypes.data for v in values], np.uint64)
        blocks = min(-(-elements // _THREADS), 1 << 20)
        done(
            driver.cuLaunchKernel(
                kernel, blocks, 1, 1, _THREADS, 1, 1, 0, 0, pointers.ctypes.data, 0
            )
        )

    return launch


def _as_c(machine: Machine) -> Launch:
    folder = tempfile.mkdtemp()
    source, library = Path(folder, "a.c"), Path(folder, "a.so")
    source.write_text(_C + SOURCE, encoding="utf-8")
    command = ["gcc", "-O1", "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    loaded = ctypes.CDLL(str(library))

    def launch(name: str, arguments: Sequence[Any], elements: int) -> None:
        given = [
            (ctypes.c_int if a.itemsize == 4 else ctypes.c_longlong)(int(a))
            if isinstance(a, np.integer)
            else ctypes.c_void_p(machine.address(a))
            for a in arguments
        ]
        getattr(loaded, name)(*given)

    return launch
