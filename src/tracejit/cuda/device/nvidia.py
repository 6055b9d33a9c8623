"""NVIDIA's driver: one device, its primary context, and one stream, in which all is in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.cuda.device import probe
from tracejit.cuda.device.probe import done as _done
from tracejit.cuda.device.probe import driver as _cuda

#: What the driver answers where no memory is left.
_OUT_OF_MEMORY = 2


class Nvidia:
    """The device of a number; see `Driver`."""

    def __init__(self, number: int = 0) -> None:
        cuda = probe.started()
        probe.require_version()
        handle = probe.handle_of(number)
        self.device = probe.described(number, handle)
        self._context = _done(cuda.cuDevicePrimaryCtxRetain(handle), "give a context")
        self._current()
        self._stream = _done(cuda.cuStreamCreate(1), "make a stream")

    def _current(self) -> None:
        """A context belongs to a thread."""
        _done(_cuda().cuCtxSetCurrent(self._context), "take its context")

    def allocate(self, size: int) -> int:
        cuda = _cuda()
        self._current()
        code, address = cuda.cuMemAllocAsync(size, self._stream)
        if int(code) == _OUT_OF_MEMORY:
            free, total = _done(cuda.cuMemGetInfo(), "tell its memory")
            raise MemoryError(
                f"{size:,} bytes are needed on {self.device.name}, "
                f"and {free:,} of {total:,} are free"
            )
        return int(_done((code, address), f"give {size:,} bytes"))

    def free(self, address: int) -> None:
        self._current()
        _done(_cuda().cuMemFreeAsync(address, self._stream), "take memory back")

    def upload(self, address: int, array: np.ndarray) -> None:
        self._current()
        start = array.__array_interface__["data"][0]
        _done(
            _cuda().cuMemcpyHtoDAsync(address, start, array.nbytes, self._stream), "be written to"
        )

    def download(self, array: np.ndarray, address: int) -> None:
        cuda = _cuda()
        self._current()
        start = array.__array_interface__["data"][0]
        _done(cuda.cuMemcpyDtoHAsync(start, address, array.nbytes, self._stream), "be read from")
        _done(cuda.cuStreamSynchronize(self._stream), "finish")

    def stream(self) -> int:
        return int(self._stream)

    def load(self, code: bytes, ptx: str, name: str) -> Any:
        cuda = _cuda()
        self._current()
        module = _done(cuda.cuModuleLoadData(code), f"load {name}")
        return _done(cuda.cuModuleGetFunction(module, name.encode()), f"find {name}")

    def launch(
        self,
        kernel: Any,
        grid: Sequence[int],
        block: Sequence[int],
        pointers: int,
        sizes: Sequence[int],
    ) -> None:
        self._current()
        launched = _cuda().cuLaunchKernel(kernel, *grid, *block, 0, self._stream, pointers, 0)
        _done(launched, "run a kernel")
