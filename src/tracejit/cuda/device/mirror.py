"""Stand-ins on the host for arrays on a device: what a trace, or NumPy, looks into in their place.

Arrays that share memory have stand-ins that do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.cuda.device.memory import Lent, Span, brought, fetched, owner_of, placed, span
from tracejit.cuda.device.pool import Pool
from tracejit.errors import NotTraceable


class Mirrors:
    """The stand-ins of one call; `array` gives the shadow of what it is asked for."""

    def __init__(self, pool: Pool, array: Callable[[Any], np.ndarray | None]) -> None:
        self.pool, self.driver = pool, pool.driver
        self._array = array
        self._found: dict[int, tuple[Any, np.ndarray]] = {}
        #: By the array that others are views of: it, its memory and its stand-in.
        self._roots: dict[int, tuple[np.ndarray, Span, np.ndarray]] = {}

    def of(self, value: Any) -> np.ndarray:
        """The stand-in of a device array, with what that holds now."""
        if id(value) not in self._found:
            shadow = self._array(value)
            assert shadow is not None
            self._found[id(value)] = value, self._made(shadow)
        return self._found[id(value)][1]

    def _made(self, shadow: np.ndarray) -> np.ndarray:
        root = shadow.base if type(shadow.base) is np.ndarray else shadow
        start = root.__array_interface__["data"][0]
        if id(root) not in self._roots:
            where = span(root)
            if any(where.overlaps(known) for _, known, _ in self._roots.values()):
                raise NotTraceable("arrays on a device share memory, and are not views of one")
            self._roots[id(root)] = root, where, fetched(root, self.driver)
        mirror = self._roots[id(root)][2]
        found = mirror
        if shadow is not root:
            first = span(root).start
            memory = mirror if mirror.flags.c_contiguous else mirror.base
            found = placed(shadow, memory, start if mirror.flags.c_contiguous else first)
        found.flags.writeable = shadow.flags.writeable
        return found

    def value_of(self, mirror: Any) -> Any:
        """What a stand-in stands for; None where it is none."""
        return next((value for value, found in self._found.values() if found is mirror), None)

    def seen(self, array: np.ndarray) -> np.ndarray | None:
        """The shadow of which `array` is a stand-in's view; None where it is none."""
        for root, where, mirror in self._roots.values():
            if array.size and np.may_share_memory(array, mirror):
                offset = array.__array_interface__["data"][0] - span(mirror).start
                return _seen(root, array, where.start + offset)
        return None

    def send_back(self) -> None:
        """Upload what has been written into stand-ins."""
        for root, where, mirror in self._roots.values():
            if root.flags.writeable and where.size:
                before = fetched(root, self.driver)
                if before.tobytes() != mirror.tobytes():
                    memory = mirror if mirror.flags.c_contiguous else mirror.base
                    assert isinstance(memory, np.ndarray)
                    self.pool.upload(where.start, memory)


def stepped(base: np.ndarray, take: Callable[..., np.ndarray], lengths: Any, pool: Pool) -> Any:
    """What NumPy's `take` makes of an array, a view or a copy as NumPy decides.

    A shadow must not be read: `take` is shown an array that lies like it, in memory of the host's
    that holds nothing.
    """
    if owner_of(base) is None:
        return take(base, *lengths)
    where = span(base)
    memory = np.empty(max(where.size, 1), np.uint8)
    found = take(placed(base, memory, where.start), *lengths)
    if not found.size:
        return pool.empty(found.shape, found.dtype)
    if np.may_share_memory(found, memory):
        offset = found.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
        return _seen(base, found, where.start + offset)
    return brought(take(fetched(base, pool.driver), *lengths), pool)


def _seen(base: np.ndarray, like: np.ndarray, start: int) -> np.ndarray:
    """A view of a shadow that lies at `start`, like an array of the host's."""
    described = {
        "version": 3,
        "typestr": like.dtype.str,
        "shape": like.shape,
        "strides": like.strides,
        "data": (start, not like.flags.writeable),
    }
    return np.asarray(Lent(base, described, getattr(owner_of(base), "stream", 0)))
