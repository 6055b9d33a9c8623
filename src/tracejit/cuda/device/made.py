"""Memory that a program makes on a device while it runs: results and temporaries of late sizes."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from tracejit.cuda.device.memory import address_of
from tracejit.cuda.device.pool import Pool


class Memory:
    """What one run of a program makes. Results are kept by their number, from 1 on."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._results: dict[int, tuple[Any, tuple[int, ...]]] = {}
        self._temporaries: dict[int, Any] = {}

    def make(self, number: int, shape: tuple[int, ...], size: int) -> int:
        """The address of `size` bytes, at least one, for a result, or for a temporary.

        The number of a temporary is that of the place in the program that makes it, and not
        positive: there it takes the place of what was made there before.
        """
        self._temporaries.pop(number, None)
        block = self.pool.take(size)
        if number > 0:
            self._results[number] = block, shape
        else:
            self._temporaries[number] = block
        return address_of(block)

    def result(self, number: int, dtype: np.dtype[Any]) -> np.ndarray:
        """The shadow of a result."""
        block, shape = self._results[number]
        return np.ndarray(shape, dtype, block)


class Running(threading.local):
    """The memories of the programs that a thread runs, innermost last."""

    def __init__(self) -> None:
        self.memories: list[Memory] = []
