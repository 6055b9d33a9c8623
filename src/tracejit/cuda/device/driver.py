"""What is asked of a GPU. There is one driver, NVIDIA's; tests have another, over host memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np


class Device(NamedTuple):
    """A GPU: its number, name, compute capability, multiprocessors, and bytes of memory."""

    number: int
    name: str
    cc: tuple[int, int]
    processors: int
    memory: int


class Driver(Protocol):
    """A GPU's memory, by addresses, and its kernels. DeviceError where something fails."""

    device: Device

    def allocate(self, size: int) -> int:
        """The address of so many bytes; MemoryError where there are none left."""
        ...

    def free(self, address: int) -> None:
        """Give memory back that `allocate` gave."""
        ...

    def upload(self, address: int, array: np.ndarray) -> None:
        """Copy a contiguous array of the host's to an address."""
        ...

    def download(self, array: np.ndarray, address: int) -> None:
        """Copy to a contiguous array of the host's, when all launches before are done."""
        ...

    def stream(self) -> int:
        """The stream in which all is in order, as CUDA's libraries take it."""
        ...

    def load(self, code: bytes, ptx: str, name: str) -> Any:
        """The kernel `name` of a cubin, or of its PTX."""
        ...

    def launch(
        self,
        kernel: Any,
        grid: Sequence[int],
        block: Sequence[int],
        pointers: int,
        sizes: Sequence[int],
    ) -> None:
        """Run a kernel over a grid of blocks of threads.

        At the address `pointers` are those of its parameters, which have so many bytes.
        """
        ...
