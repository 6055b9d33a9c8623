"""What the host's functions call: launches are the driver's, and what moves memory is Python's."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tracejit.cuda.compile import machine_code
from tracejit.cuda.device.driver import Driver
from tracejit.cuda.device.made import Running
from tracejit.cuda.device.memory import bytes_at
from tracejit.cuda.library.external import prepared
from tracejit.cuda.source import GridKernel, LibraryCall
from tracejit.errors import DeviceError

_INT = ctypes.c_int64
_MOVE = ctypes.CFUNCTYPE(ctypes.c_int32, _INT, _INT, ctypes.c_void_p)
_CALL = ctypes.CFUNCTYPE(ctypes.c_int32, _INT, ctypes.c_void_p, ctypes.c_void_p)
_FLUSH = ctypes.CFUNCTYPE(ctypes.c_int32)
_MAKE = ctypes.CFUNCTYPE(ctypes.c_int32, _INT, _INT, _INT, ctypes.c_void_p)


class _Thread(threading.local):
    error: BaseException | None = None


class Link:
    """The functions for one driver, and its kernels."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        #: The kernels that are loaded, by their text.
        self._kernels: dict[str, int] = {}
        self._thread = _Thread()
        self._fetch = _MOVE(self._guarded(self.fetch))
        self._put = _MOVE(self._guarded(self.put))
        self._make = _MAKE(self._guarded(self.make))
        self._call = _CALL(self._guarded(self.call))
        self._flush = _FLUSH(self._guarded(self.flush))
        #: Calls of libraries, which are numbers too.
        self.calls: list[Callable[[int], bool]] = []
        #: What the programs have made that run.
        self.running = Running()
        #: Whether launches that come again are replayed as graphs, and graphs that nobody has.
        self.replays = True
        self.dropped: list[Any] = []

    def table(self, kernels: Mapping[str, GridKernel | LibraryCall]) -> list[int]:
        """What the host's function of a source finds in its `device`."""
        functions = [self._fetch, self._put, self._make, self._call]
        flush = ctypes.cast(self._flush, ctypes.c_void_p).value or 0
        found = [ctypes.cast(f, ctypes.c_void_p).value or 0 for f in functions]
        loaded = [self._kernel(kernel) for kernel in kernels.values()]
        driver = self.driver
        where = driver.stream, driver.enter, driver.context
        return [driver.launcher, *found, *where, flush, 0, *loaded]

    def _kernel(self, kernel: GridKernel | LibraryCall) -> int:
        key = f"{kernel.kinds}\n{kernel.text}"
        found = self._kernels.get(key)
        if found is None and isinstance(kernel, LibraryCall):
            self.calls.append(prepared(kernel, self.driver))
            found = self._kernels[key] = len(self.calls) - 1
        elif found is None:
            assert isinstance(kernel, GridKernel)
            ptx, code = machine_code(kernel, self.driver.device.cc)
            found = self._kernels[key] = self.driver.load(code, ptx, kernel.name)
        return found

    def fetch(self, address: int, size: int, where: int) -> None:
        """Read so many bytes."""
        self.driver.download(bytes_at(where, size), address)

    def put(self, address: int, size: int, where: int) -> None:
        """Write so many bytes."""
        self.driver.upload(address, bytes_at(where, size))

    def make(self, number: int, axes: int, size: int, where: int) -> None:
        """Make memory for the program that runs; at `where` are its lengths, then its address."""
        places = (ctypes.c_int64 * (axes + 1)).from_address(where)
        memory, shape = self.running.memories[-1], tuple(places[:axes])
        if self.running.noted and memory.replaces(number, size):
            self.flush()  # what has been noted may use what goes
        places[axes] = memory.make(number, shape, size)

    def call(self, number: int, pointers: int, answer: int) -> None:
        """Do a call of a library's, and tell whether NumPy has to be asked."""
        ctypes.c_uint8.from_address(answer).value = self.calls[number](pointers)

    def flush(self) -> None:
        """Launch what the program that runs has noted."""
        self.running.noted[-1]()

    def failed(self, code: int) -> None:
        """Raise what a function has raised, or what the driver says of a launch."""
        error, self._thread.error = self._thread.error, None
        if error is None:
            self.driver.refused(code)
            raise DeviceError(f"the GPU could not run a kernel: {code}")
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
