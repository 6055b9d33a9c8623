"""Dividing a large call: a plan of its phases and their parts, for a few threads of our own."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tracejit.config import COMPILER, settings
from tracejit.cpu.passes.streams import LEAST_BYTES
from tracejit.intrinsics.blocks import LINE_BYTES
from tracejit.lower.driver import LARGE_WORK
from tracejit.lower.passes.chunks import chunk_number
from tracejit.native import locks

#: Additions below which a call is not divided: they take some 25 µs, and to divide it up to 5.
LEAST_WORK = LARGE_WORK
#: The same of a loop of a program, where what is then in another processor's cache counts too.
LEAST_SHARED = LARGE_WORK
#: Additions from which on it is worth waiting for the way to divide a call: some 50 ms.
HUGE_WORK = 1 << 30
#: Elements of arrays in the steps of loops for which it is worth to wait for the entry that shares
#: them, which takes as long to compile as the first one: some two seconds.
HUGE_INSIDE = 1 << 33
#: Parts of a phase for each thread: one that is held up leaves its share to the others.
PARTS = 4
#: Ranges begin at multiples of this many iterations, where there are many.
ALIGNED = 64

#: Bytes between phases that are kept for the next call.
MOST_KEPT = 1 << 20

#: How many rows of a phase may be divided, its work, the points of a row where it is divided by
#: chunks (else -1), and whether it is tiled.
Sizes = tuple[int, int, int, bool]
#: An entry for several threads, of the arguments, what it needs between phases, and a plan; and the
#: dtypes of these, each with the phase and the argument that `cpu.source.Extra` names.
Extra = tuple[np.dtype[Any], int | None, int | None]
Spread = tuple[Callable[..., Any], list[Extra]]


def available() -> int:
    """Threads that a call may use: the setting, or the processors that this process may use.

    These are asked for twice a second: it takes a microsecond.
    """
    global _processors
    now = time.monotonic()
    asked, processors = _processors
    if now - asked > 0.5:
        if hasattr(os, "sched_getaffinity"):
            processors = len(os.sched_getaffinity(0))
        else:
            processors = os.cpu_count() or 1
        _processors = now, processors
    wanted = settings().threads
    return wanted if 0 < wanted < processors else processors


_processors = (-1.0, 1)


def plan_of(threads: int, phases: Sequence[Sizes], counts: Sequence[int]) -> list[int]:
    """The plan of a call (see `compiling.spread`): `counts` are the rows or chunks of each phase.

    What chunks give is combined in a phase of its own, whose number is the complement.
    """
    head: list[int] = []
    bounds: list[int] = []
    size = 2 + 3 * (len(phases) + sum(inner >= 0 for _, _, inner, _ in phases))
    for k, ((_, work, inner, tiled), count) in enumerate(zip(phases, counts, strict=True)):
        most = PARTS * threads
        # A few parts of a few tiles each would not come out even.
        most = count if tiled and count <= PARTS * most else min(most, count // 2)
        parts = max(1, min(most, work * PARTS // LEAST_WORK))
        # Loops over random numbers begin at multiples of what they make at a time.
        step = ALIGNED if inner < 0 and count >= parts * ALIGNED else 1
        head += [k, size + len(bounds), parts]
        bounds += [count * j // parts // step * step for j in range(parts)]
        bounds.append(count)
        if inner >= 0:
            head += [~k, size + len(bounds), 1]
            bounds += [0, count]
    return [threads, len(head) // 3, *head, *bounds]


class Way(NamedTuple):
    """How a call is divided: its plan, and the memory that the phases need between them."""

    call: Callable[..., int]
    threads: int
    phases: Sequence[Sizes]
    likes: list[tuple[int, tuple[int, ...]]]
    plan: np.ndarray
    memory: list[np.ndarray]
    streams: bool

    def fits(self, threads: int, phases: Sequence[Sizes], args: Sequence[Any]) -> bool:
        """Whether a call of these lengths is divided in the same way."""
        if self.threads != threads or self.phases != phases:
            return False
        for k, shape in self.likes:  # noqa: SIM110 (a generator takes as long as all the rest)
            if args[k].shape != shape:
                return False
        return True


def way_of(
    spread: Spread, threads: int, phases: Sequence[Sizes], args: Sequence[Any], streams: bool
) -> Way:
    """The way to divide a call."""
    call, extras = spread
    counts = [
        rows if inner < 0 else chunk_number(rows, inner, tiled) for rows, _, inner, tiled in phases
    ]
    memory = []
    for dtype, phase, like in extras:
        one = () if like is None else args[like].shape
        memory.append(np.empty(one if phase is None else (counts[phase], *one), dtype))
    likes = [(like, args[like].shape) for _, _, like in extras if like is not None]
    plan = np.array(plan_of(threads, phases, counts))
    return Way(call, threads, phases, likes, plan, memory, streams)


class Later:
    """What is compiled in the background, at the second time that it is asked for.

    What is asked for once only would not repay it.
    """

    def __init__(self, make: Callable[[], Spread]) -> None:
        self.make = make
        self.spread: Spread | None = None
        self.making: threading.Thread | None = None
        self.asked = 0
        self.failed = False

    def get(self, now: bool = False) -> Spread | None:
        """The entry, if there is one yet; `now` is worth waiting for it."""
        if self.spread is None:
            self.asked += 1
            if now and not self.failed and not locks.busy():
                self._make()
            elif self.asked > 1:
                self._start()
        return self.spread

    def _start(self) -> None:
        # In a forked child, the thread that was making it is not there.
        if not self.failed and (self.making is None or not self.making.is_alive()):
            self.making = threading.Thread(target=self._make, name=COMPILER)
            self.making.start()

    def _make(self) -> None:
        try:
            found = self.make()
            self.spread = found if found[0] is not None else None
            self.failed = self.spread is None
        except Exception as error:  # the serial entry goes on
            self.failed = True
            warnings.warn(f"no entry for several threads: {error}", RuntimeWarning, stacklevel=1)


class Shared:
    """An entry whose large calls several threads share, once the way to do so is compiled.

    Until then `serial` is called. To make `plain` may take so little time (`soon`) that a huge call
    waits for it. The arguments at the positions `results` are what `streaming` streams.
    """

    def __init__(
        self, serial: Callable[..., int], plain: Later, soon: bool, streaming: Later,
        results: Sequence[int],
    ) -> None:  # fmt: skip
        self.serial = serial
        self.plain = plain
        self.soon = soon
        self.streaming = streaming
        self.results = results
        self.last: Way | None = None

    def __call__(self, phases: Sequence[Sizes], args: Sequence[Any]) -> int:
        """The code of a call."""
        threads = available()
        much = phases[0][1] >= LEAST_BYTES // 4
        streams = much and bool(self.results) and self._streams(threads, phases, args)
        if threads == 1 and not streams:
            return self.serial(*args)
        # Another thread that is in a call meanwhile finds no last way, and makes its own.
        way, self.last = self.last, None
        if way is not None and way.streams == streams and way.fits(threads, phases, args):
            code = way.call(*args, *way.memory, way.plan)
            self.last = way
            return code
        spread = self.streaming.get() if streams else None
        streams = spread is not None
        most = max((work for rows, work, *_ in phases if rows > 1), default=0)
        if spread is None and threads > 1 and most >= LEAST_WORK:
            spread = self.plain.get(self.soon and most > HUGE_WORK)
        if spread is None:
            return self.serial(*args)
        way = way_of(spread, threads, phases, args, streams)
        code = way.call(*args, *way.memory, way.plan)
        if sum(m.nbytes for m in way.memory) <= MOST_KEPT:
            self.last = way
        return code

    def _streams(self, threads: int, phases: Sequence[Sizes], args: Sequence[Any]) -> bool:
        """Whether results are so large, and begin where lines of the cache do, with every part."""
        if phases[0][0] < PARTS * threads * ALIGNED:
            return False
        arrays = [args[k] for k in self.results]
        large = sum(a.nbytes for a in arrays) >= LEAST_BYTES
        return large and not any(a.ctypes.data % LINE_BYTES for a in arrays)


class Inside:
    """An entry whose loops several threads share, once that is compiled; `serial` until then."""

    def __init__(self, serial: Callable[..., Any], shared: Later) -> None:
        self.serial, self.shared = serial, shared

    def __call__(self, elements: int, *args: Any) -> Any:
        """What a call gives that computes about so many elements."""
        threads = available()
        if threads == 1 or (found := self.shared.get(elements > HUGE_INSIDE)) is None:
            return self.serial(*args)
        return found[0](*args, threads)
