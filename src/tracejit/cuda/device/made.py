"""Memory that a program makes on a device while it runs: results and temporaries of late sizes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.cuda.device.memory import address_of
from tracejit.cuda.device.pool import NEGATIVE, Pool


class Memory:
    """What one run of a program makes. Results are kept by their number, from 1 on."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._results: dict[int, tuple[Any, tuple[int, ...]]] = {}
        self._temporaries: dict[int, Any] = {}

    def make(self, number: int, shape: tuple[int, ...], size: int) -> int:
        """The address of `size` bytes, at least one, for a result, or for a temporary.

        The number of a temporary is that of the place in the program that makes it, and not
        positive: there it takes the place of what was made there before, and its memory.
        ValueError for lengths that none has.
        """
        if shape and min(shape) < 0:
            raise ValueError(NEGATIVE)
        if number > 0:
            block = self.pool.take(size)
            self._results[number] = block, shape
            return address_of(block)
        block = self._temporaries.get(number)
        if block is None or block.size < size:
            self._temporaries.pop(number, None)
            block = self._temporaries[number] = self.pool.take(size)
        return address_of(block)

    def replaces(self, number: int, size: int) -> bool:
        """Whether a temporary of this size lets one go that was made in its place."""
        block = self._temporaries.get(number)
        return block is not None and block.size < size

    def result(self, number: int, dtype: np.dtype[Any]) -> np.ndarray:
        """The shadow of a result."""
        block, shape = self._results[number]
        return np.ndarray(shape, dtype, block)


class Running(threading.local):
    """The memories of the programs that a thread runs, and what launches what they have noted.

    Innermost last.
    """

    def __init__(self) -> None:
        self.memories: list[Memory] = []
        self.noted: list[Callable[[], None]] = []
