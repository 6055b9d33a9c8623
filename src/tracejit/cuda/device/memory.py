"""Where arrays lie: shadows of those in a device's memory, and copies of the host's there.

A shadow is an array of NumPy's at an address of a device's: it has a dtype, lengths and strides,
can be sliced and transposed, and keeps its memory alive. What it holds, the host must not read.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np

from tracejit.cuda.device.driver import Driver
from tracejit.cuda.device.pool import Block, Pool


class Lent:
    """Memory that another library owns; `stream` is the one in which that writes it, 0 if none."""

    def __init__(self, owner: Any, described: dict[str, Any], stream: int) -> None:
        self.owner, self.stream = owner, stream
        self.__array_interface__ = described


def owner_of(array: np.ndarray) -> Block | Lent | None:
    """Whose memory of a device's an array is a shadow of; None where it is the host's."""
    owner = array.base
    if type(owner) is np.ndarray:  # a view's, which is the first array over its memory
        owner = owner.base
    return owner if isinstance(owner, (Block, Lent)) else None


class Span(NamedTuple):
    """The memory that an array's elements lie in: where it begins, and its length in bytes."""

    start: int
    size: int

    def overlaps(self, other: Span) -> bool:
        """Whether there are bytes in both."""
        return self.start < other.start + other.size and other.start < self.start + self.size

    def joined(self, other: Span) -> Span:
        """The memory from the beginning of either to the end of either."""
        start = min(self.start, other.start)
        return Span(start, max(self.start + self.size, other.start + other.size) - start)


def span(array: np.ndarray) -> Span:
    """The memory of an array, which may have gaps."""
    start: int = array.__array_interface__["data"][0]
    if not array.size:
        return Span(start, 0)
    if array.flags.forc:
        return Span(start, array.nbytes)
    reach = [s * (n - 1) for n, s in zip(array.shape, array.strides, strict=True)]
    low = sum(min(r, 0) for r in reach)
    return Span(start + low, sum(max(r, 0) for r in reach) + array.itemsize - low)


def address_of(memory: Any) -> int:
    """Where a block begins."""
    return ctypes.addressof(memory)


def bytes_at(address: int, size: int) -> np.ndarray:
    """So many bytes of the host's memory, as an array over them."""
    memory: Any = (ctypes.c_ubyte * size).from_address(address)
    return np.frombuffer(memory, np.uint8)


def placed(array: np.ndarray, memory: Any, start: int) -> np.ndarray:
    """An array like this one, over `memory`, as this one lies in memory that begins at `start`."""
    offset = array.__array_interface__["data"][0] - start if array.size else 0
    found = np.ndarray(array.shape, array.dtype, memory, offset, array.strides)
    if not array.flags.writeable:
        found.flags.writeable = False
    return found


def brought(array: np.ndarray, pool: Pool, fill: bool = True) -> np.ndarray:
    """A shadow of an array of the host's that lies in memory as that does; `fill` uploads it."""
    if array.flags.c_contiguous:
        shadow = pool.empty(array.shape, array.dtype)
        if fill and array.size:
            pool.upload(shadow.__array_interface__["data"][0], array)
        if not array.flags.writeable:
            shadow.flags.writeable = False
        return shadow
    where = span(array)
    memory = pool.take(where.size)
    if fill and where.size:
        pool.upload(ctypes.addressof(memory), bytes_at(*where))
    return placed(array, memory, where.start)


def fetched(shadow: np.ndarray, driver: Driver) -> np.ndarray:
    """What a shadow's array holds, as an array of the host's that lies in memory as that does."""
    where = span(shadow)
    if shadow.flags.c_contiguous:
        found = np.empty(shadow.shape, shadow.dtype)
        if found.size:
            driver.download(found, where.start)
        return found
    memory = np.empty(where.size, np.uint8)
    if where.size:
        driver.download(memory, where.start)
    found = placed(shadow, memory, where.start)
    found.flags.writeable = True
    return found
