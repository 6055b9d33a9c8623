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


class Launch(NamedTuple):
    """A launch: a kernel as `load` gives it, the grid and the block along three axes each, and the
    addresses of its parameters.
    """

    kernel: int
    shape: tuple[int, ...]
    parameters: Any


class Driver(Protocol):
    """A GPU's memory, by addresses, and its kernels. DeviceError where something fails.

    Launches and copies are in one `stream`, one after the other. `current` comes first, in each
    thread.
    """

    device: Device
    #: The stream, as others name it.
    stream: int
    #: The addresses of ``cuLaunchKernel`` and ``cuCtxSetCurrent``, and what the latter is given:
    #: machine code launches by itself.
    launcher: int
    enter: int
    context: int

    def current(self) -> None:
        """Let this thread work on the device."""
        ...

    def allocate(self, size: int) -> int:
        """The address of so many bytes; MemoryError where there are none left."""
        ...

    def free(self, address: int) -> None:
        """Give memory back that `allocate` gave."""
        ...

    def memory_info(self) -> tuple[int, int]:
        """The bytes that are free, and all of them."""
        ...

    def device_of(self, address: int) -> int | None:
        """The number of the device whose memory is there; None where it is no device's."""
        ...

    def upload(self, address: int, array: np.ndarray) -> None:
        """Copy a contiguous array of the host's to an address; then it may be changed."""
        ...

    def pinned(self, size: int) -> int:
        """The address of so many bytes of the host's from which a device copies by itself."""
        ...

    def send(self, address: int, start: int, size: int) -> Any:
        """Begin to copy so many pinned bytes to an address; what `wait` takes."""
        ...

    def wait(self, sent: Any) -> None:
        """Wait until what was sent has arrived, and its memory may be changed."""
        ...

    def download(self, array: np.ndarray, address: int) -> None:
        """Copy to a contiguous array of the host's, when all launches before are done."""
        ...

    def copy(self, to: int, address: int, size: int) -> None:
        """Copy so many bytes from one address to another."""
        ...

    def order(self, before: int, after: int) -> None:
        """Let what is put into the stream `after` from now on wait for what is in `before`."""
        ...

    def synchronize(self) -> None:
        """Wait until all is done."""
        ...

    def load(self, code: bytes, ptx: str, name: str) -> int:
        """The kernel `name` of a cubin, or of its PTX, as `launcher` takes it."""
        ...

    def graph(self, launches: Sequence[Launch]) -> Any:
        """A graph of launches, one after the other, which keeps the values of parameters."""
        ...

    def update(self, graph: Any, number: int, launch: Launch) -> None:
        """Put a launch of the same kernel in the place of one of a graph's."""
        ...

    def replay(self, graph: Any) -> None:
        """Launch all that is in a graph."""
        ...

    def forget(self, graph: Any) -> None:
        """Give a graph back, which may be under way."""
        ...

    def refused(self, code: int) -> None:
        """Raise what the code of a launch that failed means."""
        ...
