"""What the host's functions call: launches and reads, as functions of C's over a driver."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tracejit.cuda.compile import machine_code
from tracejit.cuda.device.driver import Driver
from tracejit.cuda.device.made import Running
from tracejit.cuda.device.memory import bytes_at
from tracejit.cuda.source import GridKernel

#: Threads of a block, and the most blocks of a grid along its first axis, and along the others.
_THREADS, _BLOCKS, _ROWS = 256, 1 << 16, 1 << 12
_INT = ctypes.c_int64
_LAUNCH = ctypes.CFUNCTYPE(ctypes.c_int32, _INT, _INT, _INT, _INT, ctypes.c_void_p)
_MOVE = ctypes.CFUNCTYPE(ctypes.c_int32, _INT, _INT, ctypes.c_void_p)
_MAKE = ctypes.CFUNCTYPE(ctypes.c_int32, _INT, _INT, _INT, ctypes.c_void_p)


class _Thread(threading.local):
    error: BaseException | None = None


class Link:
    """The functions for one driver; kernels are numbers here, found by their text."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.kernels: list[tuple[Any, list[int], int]] = []
        self._numbers: dict[str, int] = {}
        self._thread = _Thread()
        self._launch = _LAUNCH(self._guarded(self.launch))
        self._fetch = _MOVE(self._guarded(self.fetch))
        self._put = _MOVE(self._guarded(self.put))
        self._make = _MAKE(self._guarded(self.make))
        #: What the programs have made that run.
        self.running = Running()

    def table(self, kernels: Mapping[str, GridKernel]) -> list[int]:
        """What the host's function of a source finds in its `device`."""
        functions = [self._launch, self._fetch, self._put, self._make]
        found = [ctypes.cast(f, ctypes.c_void_p).value or 0 for f in functions]
        return found + [self._number(kernel) for kernel in kernels.values()]

    def _number(self, kernel: GridKernel) -> int:
        key = f"{kernel.kinds}\n{kernel.text}"
        if key not in self._numbers:
            ptx, code = machine_code(kernel, self.driver.device.cc)
            loaded = self.driver.load(code, ptx, kernel.name)
            self.kernels.append((loaded, kernel.sizes(), kernel.threads))
            self._numbers[key] = len(self.kernels) - 1
        return self._numbers[key]

    def launch(self, number: int, x: int, y: int, z: int, pointers: int) -> None:
        """Run a kernel for so many iterations along each axis of its grid, or blocks."""
        if not (x > 0 and y > 0 and z > 0):
            return
        loaded, sizes, threads = self.kernels[number]
        shape = ((min(x, _BLOCKS), 1, 1), (threads, 1, 1)) if threads else shape_of(x, y, z)
        self.driver.launch(loaded, *shape, pointers, sizes)

    def fetch(self, address: int, size: int, where: int) -> None:
        """Read so many bytes."""
        self.driver.download(bytes_at(where, size), address)

    def put(self, address: int, size: int, where: int) -> None:
        """Write so many bytes."""
        self.driver.upload(address, bytes_at(where, size))

    def make(self, number: int, axes: int, size: int, where: int) -> None:
        """Make memory for the program that runs; at `where` are its lengths, then its address."""
        places = (ctypes.c_int64 * (axes + 1)).from_address(where)
        shape = tuple(places[:axes])
        places[axes] = self.running.memories[-1].make(number, shape, size)

    def failed(self) -> None:
        """Raise what a function has raised."""
        error, self._thread.error = self._thread.error, None
        assert error is not None
        raise error

    def _guarded(self, function: Callable[..., None]) -> Callable[..., int]:
        def call(*arguments: int) -> int:
            try:
                function(*arguments)
            except BaseException as error:
                self._thread.error = error
                return 1
            return 0

        return call


def shape_of(x: int, y: int, z: int) -> tuple[Sequence[int], Sequence[int]]:
    """The blocks of a grid, and the threads of a block, for so many iterations along each axis.

    >>> shape_of(1000, 1, 1), shape_of(3, 100_000, 1)
    (((4, 1, 1), (256, 1, 1)), ((1, 1563, 1), (4, 64, 1)))
    """
    width = min(_THREADS, 1 << max(x - 1, 0).bit_length())
    height = min(_THREADS // width, 1 << max(y - 1, 0).bit_length())
    blocks = min(-(-x // width), _BLOCKS), min(-(-y // height), _ROWS), min(z, _ROWS)
    return blocks, (width, height, 1)
