"""Memory that a program makes on a device while it runs: results and temporaries of late sizes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tracejit.cuda.device.driver import Driver


class Late(NamedTuple):
    """A result whose lengths only the data told: where it lies."""

    address: int
    shape: tuple[int, ...]


class Memory:
    """What one run of a program makes. Results are kept by their number, from 1 on."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.results: dict[int, Late] = {}
        self._temporaries: dict[int, int] = {}

    def make(self, number: int, shape: tuple[int, ...], size: int) -> int:
        """The address of `size` bytes, at least one, for a result, or for a temporary.

        The number of a temporary is that of the place in the program that makes it, and not
        positive: there it takes the place of what was made there before.
        """
        if number <= 0 and (before := self._temporaries.pop(number, None)) is not None:
            self.driver.free(before)
        address = self.driver.allocate(max(size, 1))
        if number > 0:
            self.results[number] = Late(address, shape)
        else:
            self._temporaries[number] = address
        return address

    def take(self) -> dict[int, Late]:
        """The results, whose memory is the caller's from now on."""
        found, self.results = self.results, {}
        return found

    def free(self) -> None:
        """Give back what there is."""
        for address in (*self._temporaries.values(), *(r.address for r in self.results.values())):
            self.driver.free(address)
        self._temporaries, self.results = {}, {}


class Running(threading.local):
    """The memories of the programs that a thread runs, innermost last."""

    def __init__(self) -> None:
        self.memories: list[Memory] = []

    @contextmanager
    def memory(self, driver: Driver) -> Iterator[Memory]:
        """A memory for a program, until it has run."""
        made = Memory(driver)
        self.memories.append(made)
        try:
            yield made
        finally:
            self.memories.remove(made)
            made.free()
