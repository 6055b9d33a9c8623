"""Large uploads by way of pinned memory: a part is copied there while the one before is on its way.

From other memory of the host's, the driver copies at a third of the speed, and waits for all that
was launched before.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import numpy as np

from tracejit.cuda.device.driver import Driver

#: From so many bytes on it pays; and the bytes of a part.
LEAST, PART = 1 << 18, 4 << 20


class Staging:
    """Two parts of pinned memory, which uploads use in turn."""

    def __init__(self, driver: Driver, part: int = PART) -> None:
        self.driver, self.part = driver, part
        self._lock = threading.Lock()
        #: The addresses of the parts, and when what was sent from each has arrived.
        self._parts: list[int] = []
        self._sent: list[Any] = [None, None]
        self._turn = 0

    def upload(self, address: int, array: np.ndarray) -> None:
        """Copy a contiguous array of the host's to an address; then it may be changed."""
        if array.nbytes < LEAST:
            self.driver.upload(address, array)
            return
        start: int = array.__array_interface__["data"][0]
        with self._lock:
            while len(self._parts) < 2:
                self._parts.append(self.driver.pinned(self.part))
            for done in range(0, array.nbytes, self.part):
                self._send(address + done, start + done, min(self.part, array.nbytes - done))

    def _send(self, address: int, start: int, size: int) -> None:
        turn = self._turn
        if self._sent[turn] is not None:
            sent, self._sent[turn] = self._sent[turn], None
            self.driver.wait(sent)
        ctypes.memmove(self._parts[turn], start, size)
        self._sent[turn] = self.driver.send(address, self._parts[turn], size)
        self._turn = 1 - turn
