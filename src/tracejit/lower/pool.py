"""Memory of large temporaries, kept from call to call.

The system clears every page that it hands out, which takes as long as to fill it twice. What is
kept is bounded, and what has not been used for a while is given back when there is the next call.
"""

from __future__ import annotations

import threading
import time

import numpy as np

#: Bytes that are kept at most, and for how many seconds without use.
LIMIT = 256 << 20
SECONDS = 20.0

_BYTE = np.dtype(np.uint8)


class Pool:
    """Blocks of memory that nobody uses, oldest first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.free: list[tuple[float, np.ndarray]] = []

    def take(self, size: int) -> np.ndarray:
        """At least `size` bytes, and hardly more."""
        with self.lock:
            for k in range(len(self.free) - 1, -1, -1):
                if size <= self.free[k][1].size <= size + size // 8:
                    return self.free.pop(k)[1]
            dropped = 0
            while self.free and dropped < size:  # what fits nobody makes room for it
                dropped += self.free.pop(0)[1].size
        return np.empty(size, _BYTE)

    def give(self, block: np.ndarray) -> None:
        """Keep `block` for later, in place of what was kept longest."""
        now = time.monotonic()
        with self.lock:
            self.free.append((now, block))
            held = sum(b.size for _, b in self.free)
            while self.free and (held > LIMIT or now - self.free[0][0] > SECONDS):
                held -= self.free.pop(0)[1].size


_pool = Pool()
take, give = _pool.take, _pool.give
