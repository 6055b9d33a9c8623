"""A device's memory: blocks that are kept when they go, for the next of about their size.

All work on a device is in one stream, so a block may be used again while what was launched before
still reads it: what is launched next runs later.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
from typing import Any

import numpy as np

from tracejit.cuda.device.driver import Driver
from tracejit.cuda.device.staging import Staging

#: The least block, as a driver aligns them; and in how many steps sizes double.
_LEAST, _STEPS = 512, 8
#: So many sizes are looked up at once.
_MOST_KNOWN = 4096

#: What NumPy says where a length is negative.
NEGATIVE = "negative dimensions are not allowed"


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

    #: Its pool, which its memory needs, and the blocks of its size that are kept there.
    pool: Pool
    free: list[int]

    def __del__(self, address: Any = ctypes.addressof) -> None:  # which outlives this module
        self.free.append(address(self))


class Pool:
    """The blocks of one device. Lists are taken from and added to in one step, by any thread."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        #: Copies an array of the host's to an address.
        self.upload = Staging(driver).upload
        #: The classes of its blocks.
        self.blocks: set[type] = set()
        #: By the sizes of blocks, those that are kept, and their class.
        self._kept: dict[int, list[int]] = {}
        self._classes: dict[int, Any] = {}
        #: The classes for the sizes that have been asked for.
        self._known: dict[int, Any] = {}

    @property
    def kept(self) -> int:
        """The bytes that are kept for later."""
        return sum(size * len(free) for size, free in list(self._kept.items()))

    def take(self, size: int) -> Any:
        """A block of so many bytes at least; MemoryError where there is none."""
        try:
            kind = self._known[size]
        except KeyError:
            kind = self._class_for(size)
        try:
            address = kind.free.pop()
        except IndexError:
            address = self._allocated(kind.size, size)
        return kind.from_address(address)

    def _class_for(self, asked: int) -> Any:
        size = size_class(asked)
        if size not in self._classes:
            free: list[int] = []
            fields = {"_type_": ctypes.c_ubyte, "_length_": size}
            fields |= {"size": size, "free": free, "pool": self}
            self._classes[size] = type("Block", (Block, ctypes.Array), fields)
            self.blocks.add(self._classes[size])
            self._kept[size] = free
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known[asked] = self._classes[size]
        return self._classes[size]

    def _allocated(self, size: int, asked: int) -> int:
        with contextlib.suppress(MemoryError):
            return self.driver.allocate(size)
        self.release()
        try:
            return self.driver.allocate(size)
        except MemoryError as error:
            free, total = self.driver.memory_info()
            raise MemoryError(
                f"{asked:,} bytes are needed on {self.driver.device.name}, "
                f"and {free:,} of {total:,} are free"
            ) from error

    def release(self) -> None:
        """Give all that is kept back to the driver."""
        for free in list(self._kept.values()):
            while free:
                self.driver.free(free.pop())

    def empty(self, shape: Any, dtype: np.dtype[Any]) -> np.ndarray:
        """An array in a block of its own, in C order, for nobody on the host to look into."""
        count = shape if type(shape) is int else math.prod(shape)
        if count < 0:  # of which NumPy would make as many as a buffer holds
            raise ValueError(NEGATIVE)
        return np.ndarray(shape, dtype, self.take(count * dtype.itemsize))
