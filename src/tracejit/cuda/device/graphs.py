"""Launches that come again as one: what a host's function has noted is replayed as a CUDA graph.

The host's function of a program that only launches runs at each call: checks, lengths, branches and
addresses are what they are. Its launches it notes in a record (`machine/host.py`). Where the record
has been seen before, to the byte, all of it is launched at once by a graph that was made of it;
where few launches have other parameters, those of the graph are changed. Otherwise each launch is
made alone, and where records do not come again, the host's function launches by itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.cuda.device.driver import Launch
from tracejit.cuda.device.link import Link
from tracejit.cuda.machine.host import (
    FIRST,
    HEAD,
    KERNELS,
    RECORD,
    ROOM,
    USED,
    WORD,
    offsets_of,
)
from tracejit.cuda.source import LEAST_REPLAYED, CUDASource
from tracejit.errors import DeviceError

#: The words of a record; what does not fit is launched in parts.
_WORDS = 1 << 14
#: The most graphs of a program, and launches in all of them.
_GRAPHS, _LAUNCHES = 16, 4096
#: A graph is changed where this part of its launches, at most, has other parameters.
_CHANGED = 8
#: After so many records one after the other that no graph was there for, so many calls do not note
#: anything, and then twice as many each time.
_MISSES, _REST, _LONGEST = 32, 128, 4096
_LAUNCHER = ctypes.PYFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_void_p,
    *[ctypes.c_uint32] * 7,
    *[ctypes.c_void_p] * 3,
)


class Record:
    """Memory in which a call notes its launches; `device` is what the host's function is given."""

    def __init__(self, table: np.ndarray, words: int) -> None:
        self.words = np.zeros(words, np.int64)
        self.words[USED], self.words[ROOM] = FIRST, words
        self.device = table.copy()
        self.device[RECORD] = self.words.ctypes.data
        self.device.setflags(write=False)

    def taken(self) -> bytes:
        """What has been noted, which is then no longer."""
        used, self.words[USED] = int(self.words[USED]), FIRST
        return self.words[FIRST:used].tobytes()


class _Graph:
    """A graph, and what has been noted of its launches. When nobody has it, `dropped` gets it."""

    def __init__(self, made: Any, words: bytes, dropped: list[Any]) -> None:
        self.made, self.words, self.dropped = made, words, dropped

    def __del__(self) -> None:
        self.dropped.append(self.made)


class Replays:
    """The launches of one program, by graphs where they come again. Several threads may call it."""

    def __init__(
        self, link: Link, source: CUDASource, table: np.ndarray, words: int = _WORDS
    ) -> None:
        self.link, self._table, self._words = link, table, words
        self._offsets = [offsets_of(kernel.sizes()) for kernel in source.kernels.values()]
        self._lock = threading.Lock()
        self._free: list[Record] = []
        #: The graphs, the last one that was used first; records of late; and how many launches.
        self._graphs: list[_Graph] = []
        self._seen: deque[int] = deque(maxlen=_MISSES)
        self._launcher = _LAUNCHER(link.driver.launcher)
        #: Records that did not come again, calls that do not note anything, and how many next time.
        self._misses, self._rest, self._next = 0, 0, _REST

    def begin(self) -> Record | None:
        """Memory for what a call is to note; None where it is not to."""
        if not self.link.replays:
            return None
        if self._rest:
            self._rest -= 1
            return None
        try:
            record = self._free.pop()
        except IndexError:
            record = Record(self._table, self._words)
        self.link.running.noted.append(lambda: self.launch(record))
        return record

    def end(self, record: Record) -> None:
        """Take memory back; what is still in it is not launched."""
        self.link.running.noted.pop()
        record.words[USED] = FIRST
        self._free.append(record)

    def launch(self, record: Record) -> None:
        """Launch what has been noted; DeviceError where that fails."""
        words = record.taken()
        if not words:
            return
        with self._lock:
            if self._replayed(words):
                return
        self._one_by_one(words)

    def _replayed(self, words: bytes) -> bool:
        """Whether a graph has launched all of it."""
        for graph in self._graphs:
            if graph.words == words:
                self._misses, self._next = 0, _REST
                return self._by(graph)
        launches, key = self._launches(words), hash(words)
        if len(launches) >= LEAST_REPLAYED:
            if key in self._seen:
                self._miss()
                return self._made(words, launches) and self._by(self._graphs[0])
            self._seen.append(key)
            if self._changed(words, launches):
                self._misses, self._next = 0, _REST
                return self._by(self._graphs[0])
        self._miss()
        return False

    def _miss(self) -> None:
        self._misses += 1
        if self._misses >= _MISSES:
            self._misses, self._rest = 0, self._next
            self._next = min(2 * self._next, _LONGEST)

    def _by(self, graph: _Graph) -> bool:
        """Whether a graph could be launched."""
        self._graphs.remove(graph)
        with contextlib.suppress(DeviceError, MemoryError):
            self.link.driver.replay(graph.made)
            self._graphs.insert(0, graph)
            return True
        self._give_up()
        return False

    def _give_up(self) -> None:
        """Launch by the host's function alone for as long as there is."""
        self._rest = self._next = _LONGEST

    def _made(self, words: bytes, launches: Sequence[Launch]) -> bool:
        """Whether a graph could be made of what has been noted; then it is the first one."""
        driver, dropped = self.link.driver, self.link.dropped
        most = max(_LAUNCHES // len(launches), 1)
        del self._graphs[min(most, _GRAPHS) - 1 :]
        try:
            while dropped:
                driver.forget(dropped.pop())
            made = driver.graph(launches)
        except (DeviceError, MemoryError):
            self._give_up()
            return False
        self._graphs.insert(0, _Graph(made, words, dropped))
        return True

    def _changed(self, words: bytes, launches: Sequence[Launch]) -> bool:
        """Whether a graph could be changed to what has been noted; then it is the first one."""
        starts = self._starts(words)
        for graph in self._graphs:
            if len(graph.words) != len(words) or self._starts(graph.words) != starts:
                continue
            ends = [*starts[1:], (len(words), 0)]
            differ = [
                k
                for k, ((start, _), (end, _)) in enumerate(zip(starts, ends, strict=True))
                if graph.words[start:end] != words[start:end]
            ]
            if len(differ) * _CHANGED > len(launches):
                continue
            self._graphs.remove(graph)
            with contextlib.suppress(DeviceError, MemoryError):
                for k in differ:
                    self.link.driver.update(graph.made, k, launches[k])
                graph.words = words
                self._graphs.insert(0, graph)
                return True
        return False

    def _starts(self, words: bytes) -> list[tuple[int, int]]:
        """Where each launch begins, in bytes, and the number of its kernel."""
        numbers, at, found = memoryview(words).cast("q"), 0, []
        while at < len(numbers):
            found.append((at * WORD, numbers[at]))
            at += self._offsets[numbers[at]][-1]
        return found

    def _launches(self, words: bytes) -> list[Launch]:
        """What has been noted, launch by launch; parameters lie in `words`."""
        base = np.frombuffer(words, np.uint8).ctypes.data
        numbers, found = memoryview(words).cast("q"), []
        for start, number in self._starts(words):
            first = start // WORD
            places = [base + start + WORD * offset for offset in self._offsets[number][:-1]]
            pointers = (ctypes.c_void_p * max(len(places), 1))(*places)
            shape = tuple(numbers[first + 1 : first + HEAD])
            found.append(Launch(int(self._table[KERNELS + number]), shape, pointers))
        return found

    def _one_by_one(self, words: bytes) -> None:
        """Launch each alone."""
        stream = self.link.driver.stream
        for kernel, shape, parameters in self._launches(words):
            code = self._launcher(kernel, *shape, 0, stream, parameters, None)
            if code:
                self.link.failed(code)
