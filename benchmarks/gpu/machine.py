"""Where programs run: a GPU, or, to see that this script works, one that is none.

A machine has arrays of its own, waits, and says how fast its memory is: figures are shares of that,
and it is measured in the same process.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import numpy as np

import tracejit

Array = np.ndarray[Any, np.dtype[Any]]
#: Seconds that one timing takes, at least, and how many there are.
_LEAST, _TIMES = 0.05, 5


class Machine(Protocol):
    """Programs for `device` run on it."""

    device: str
    name: str
    #: Seconds of a timing.
    least: float

    def upload(self, x: Array) -> Any:
        """An array of the machine's own."""
        ...

    def address(self, x: Any) -> int:
        """Where an array of its own is."""
        ...

    def synchronize(self) -> None:
        """Wait until all is done."""
        ...

    def copy(self, to: Any, of: Any, size: int) -> None:
        """Copy so many bytes from one of its arrays to another."""
        ...

    def fill(self, to: Any, size: int) -> None:
        """Write so many bytes."""
        ...


def download(x: Any) -> Any:
    """What a function gives as arrays of NumPy's."""
    if isinstance(x, (tuple, list)):
        return tuple(map(download, x))
    return x.get() if hasattr(x, "get") else np.asarray(x)


def seconds(call: Callable[[], Any], wait: Callable[[], Any], least: float = _LEAST) -> float:
    """The median of a call's seconds, results that are made included; it has run once before."""
    count, took = 1, 0.0
    while True:
        took = _seconds(call, wait, count)
        if took >= least / 4 or count >= 1 << 16:
            break
        count *= 4
    count = max(1, round(count * least / max(took, 1e-9)))
    return median(_seconds(call, wait, count) / count for _ in range(_TIMES))


def _seconds(call: Callable[[], Any], wait: Callable[[], Any], count: int) -> float:
    wait()
    start = time.perf_counter()
    for _ in range(count):
        call()
    wait()
    return time.perf_counter() - start


def bandwidth(machine: Machine, size: int) -> dict[str, float]:
    """Bytes a second that a copy reads and writes, and that a fill writes."""
    count = max(size // 8, 1)
    x, y = (machine.upload(np.zeros(count)) for _ in range(2))
    size = 8 * count
    machine.copy(y, x, size)
    copied = seconds(lambda: machine.copy(y, x, size), machine.synchronize, machine.least)
    filled = seconds(lambda: machine.fill(y, size), machine.synchronize, machine.least)
    return {"copy": 2 * size / copied, "write": size / filled}


class Gpu:
    """The GPU of `device`, by tracejit's own arrays and the driver's copies."""

    least = _LEAST

    def __init__(self, device: str) -> None:
        from tracejit.lower.registry import target

        self.device: str = device
        self._driver: Any = importlib.import_module("cuda.bindings.driver")
        found: Any = target(device)
        described = found.link.driver.device
        self.name = f"{described.name}, {described.processors} multiprocessors"
        for name in ("to_device", "synchronize"):
            if not hasattr(tracejit, name):
                raise RuntimeError(f"this version of tracejit has no {name}")

    def upload(self, x: Array) -> Any:
        return tracejit.to_device(x)

    def address(self, x: Any) -> int:
        return int(x.__cuda_array_interface__["data"][0])

    def synchronize(self) -> None:
        self._done(self._driver.cuCtxSynchronize())

    def copy(self, to: Any, of: Any, size: int) -> None:
        self._done(self._driver.cuMemcpyDtoDAsync(self.address(to), self.address(of), size, 0))

    def fill(self, to: Any, size: int) -> None:
        self._done(self._driver.cuMemsetD32Async(self.address(to), 0, size // 4, 0))

    def _done(self, answer: Any) -> None:
        if int(answer[0]):
            raise RuntimeError(f"{answer[0]!r}")


class Pretended:
    """The host's memory, and kernels as the tests run them: `tests/cuda/fake.py`."""

    device, name, least = "pretended", "no GPU: times mean nothing", 1e-6

    def __init__(self) -> None:
        sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "cuda"))
        from tracejit.cuda.target import CUDA
        from tracejit.lower.registry import register

        made = importlib.import_module("fake").FakeDriver
        register(self.device, lambda: CUDA(made()))

    def upload(self, x: Array) -> Any:
        put = getattr(tracejit, "to_device", None)
        return np.array(x) if put is None else put(x, self.device)

    def address(self, x: Any) -> int:
        known = getattr(x, "__cuda_array_interface__", None) or x.__array_interface__
        return int(known["data"][0])

    def synchronize(self) -> None:
        pass

    def copy(self, to: Any, of: Any, size: int) -> None:
        ctypes.memmove(self.address(to), self.address(of), size)

    def fill(self, to: Any, size: int) -> None:
        ctypes.memset(self.address(to), 0, size)
