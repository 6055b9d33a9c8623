"""A GPU that is none: its memory is the host's, and kernels run as C that their PTX is made."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import translate

from tracejit.cuda.device.driver import Device


class FakeDriver:
    """Counts what is allocated, launched and copied; may be told to fail."""

    def __init__(self, cc: tuple[int, int] = (9, 0), memory: int = 1 << 30) -> None:
        self.device = Device(0, "a GPU in the host's memory", cc, 4, memory)
        self.memory: dict[int, np.ndarray] = {}
        self.launches = self.uploads = self.downloads = 0
        self.random = np.random.default_rng(0)

    @property
    def used(self) -> int:
        return sum(block.size for block in self.memory.values())

    def allocate(self, size: int) -> int:
        if self.used + size > self.device.memory:
            raise MemoryError(f"{size} bytes asked for, {self.device.memory - self.used} free")
        block = np.full(size + 256, 0xA5, np.uint8)
        address = -(-block.ctypes.data // 256) * 256
        self.memory[address] = block
        return address

    def free(self, address: int) -> None:
        del self.memory[address]

    def upload(self, address: int, array: np.ndarray) -> None:
        self.uploads += 1
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def download(self, array: np.ndarray, address: int) -> None:
        self.downloads += 1
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def stream(self) -> int:
        return 0

    def load(self, code: bytes, ptx: str, name: str) -> Any:
        return translate.loaded(ptx)

    def launch(
        self, kernel: Any, grid: Sequence[int], block: Sequence[int], pointers: int, sizes: Any
    ) -> None:
        self.launches += 1
        where = (ctypes.c_void_p * len(sizes)).from_address(pointers) if sizes else []
        words = np.zeros((len(sizes) or 1, 2), np.uint64)  # the largest is a complex number
        for k, size in enumerate(sizes):
            ctypes.memmove(words.ctypes.data + 16 * k, where[k], size)
        order = self.random.permutation(int(np.prod(grid))).astype(np.uint32)
        numbers = [np.array(n, np.uint32) for n in (grid, block)]
        kernel(*(ctypes.c_void_p(a.ctypes.data) for a in (words, *numbers, order)))
