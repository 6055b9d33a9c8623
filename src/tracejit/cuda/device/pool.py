"""A device's memory: blocks that are kept when they go, for the next of about their size.

All work on a device is in one stream, so a block may be used again while what was launched before
still reads it: what is launched next runs later.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np

from tracejit.cuda.device.driver import Driver

#: The least block, as a driver aligns them; and in how many steps sizes double.
_LEAST, _STEPS = 512, 8


def size_class(size: int) -> int:
    """The size of the block for so many bytes: at most an eighth more, from 4 KB on.

    >>> size_class(1), size_class(4097), size_class(1 << 20)
    (512, 4608, 1048576)
    """
    if size <= _LEAST:
        return _LEAST
    step = max((1 << (size - 1).bit_length()) // (2 * _STEPS), _LEAST)
    return -(-size // step) * step


class Block:
    """Memory of a device's, which goes back to its pool with the last who refers to it.

    It is an array of bytes of ctypes', of which NumPy makes arrays; nobody on the host looks into
    it.
    """

    pool: Pool

    def __del__(self) -> None:
        self.pool.give(ctypes.addressof(self), ctypes.sizeof(self))  # type: ignore[arg-type]


class Pool:
    """The blocks of one device. What it does is one step of Python's, so that any thread may."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._kept: dict[int, list[int]] = {}
        self._classes: dict[int, Any] = {}

    @property
    def kept(self) -> int:
        """The bytes that are kept for later."""
        return sum(size * len(free) for size, free in list(self._kept.items()))

    def take(self, size: int) -> Any:
        """A block of so many bytes at least; MemoryError where there is none."""
        size = size_class(size)
        kind = self._classes.get(size)
        if kind is None:
            fields = {"_type_": ctypes.c_ubyte, "_length_": size, "pool": self}
            self._kept[size] = []
            kind = self._classes[size] = type("Block", (Block, ctypes.Array), fields)
        try:
            address = self._kept[size].pop()
        except IndexError:
            address = self._allocated(size)
        return kind.from_address(address)

    def _allocated(self, size: int) -> int:
        try:
            return self.driver.allocate(size)
        except MemoryError:
            if not self.kept:
                raise
        self.release()
        return self.driver.allocate(size)

    def give(self, address: int, size: int) -> None:
        """Keep a block for later."""
        self._kept[size].append(address)

    def release(self) -> None:
        """Give all that is kept back to the driver."""
        for free in list(self._kept.values()):
            while free:
                self.driver.free(free.pop())

    def empty(self, shape: Any, dtype: Any) -> np.ndarray:
        """An array in a block of its own, in C order, for nobody on the host to look into."""
        dtype = np.dtype(dtype)
        count = shape if isinstance(shape, int) else math.prod(shape)
        return np.ndarray(shape, dtype, self.take(count * dtype.itemsize))
