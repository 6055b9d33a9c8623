"""What a user does with a device beside calls: uploads, waits, and what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tracejit.config import config
from tracejit.errors import DeviceError
from tracejit.lower.registry import target

if TYPE_CHECKING:
    from tracejit.cuda.array import DeviceArray
    from tracejit.cuda.residence import Home


class DeviceInfo(NamedTuple):
    """A GPU: its `name`, compute capability `cc`, multiprocessors (`processors`), and memory.

    `memory` and `free` are bytes: all there are, and those that nobody has. `kept` are those that
    tracejit has for its next arrays, and gives back where memory is short.
    """

    device: str
    name: str
    cc: tuple[int, int]
    processors: int
    memory: int
    free: int
    kept: int


def _home(device: str | None) -> Home:
    if device is None:
        device = config.device if config.device != "cpu" else "cuda"
    found: Any = target(device).residence
    if found is None:
        raise DeviceError(f"{device} is no GPU: it has no memory of its own")
    home: Home = found
    return home


def to_device(x: Any, device: str | None = None) -> DeviceArray:
    """A copy of an array in the memory of a GPU, in C order.

    `x` is an array of NumPy's of any layout, or what ``np.asarray`` takes, or an array that is on
    that device already. Without a `device` it is ``config.device``, and "cuda" where that is "cpu".
    TypeError for a dtype that programs do not have, MemoryError where it does not fit, DeviceError
    for an array on another device and where there is no GPU.

    >>> import numpy as np
    >>> import tracejit
    >>> w = tracejit.to_device(np.zeros((784, 10)))  # doctest: +SKIP
    >>> w.shape, w.device  # doctest: +SKIP
    ((784, 10), 'cuda')
    """
    return _home(device).put(x)


def from_dlpack(x: Any, device: str | None = None) -> DeviceArray:
    """The array of another library on a GPU as one of ours, over the same memory, by DLPack.

    DeviceError where it is on another device, BufferError for a dtype that NumPy does not have.

    >>> import tracejit
    >>> y = tracejit.cuda.from_dlpack(torch.ones(3, device="cuda"))  # doctest: +SKIP
    """
    return _home(device).taken(x)


def synchronize(device: str | None = None) -> None:
    """Wait until a GPU has done all that was launched: calls return before.

    >>> import tracejit
    >>> tracejit.synchronize()  # doctest: +SKIP
    """
    _home(device).driver.synchronize()


def device_info(device: str | None = None) -> DeviceInfo:
    """What a GPU is, and how much of its memory is free. DeviceError where there is none.

    >>> import tracejit
    >>> tracejit.device_info().name  # doctest: +SKIP
    'NVIDIA H200'
    """
    home = _home(device)
    free, total = home.driver.memory_info()
    d = home.driver.device
    return DeviceInfo(home.name, d.name, d.cc, d.processors, total, free, home.pool.kept)


__all__ = ["DeviceInfo", "device_info", "from_dlpack", "synchronize", "to_device"]
