"""The entry of a program on a GPU: its host's function over arrays in the device's memory.

Either all that a call writes is written, or nothing. Results and new states have memory of their
own, which nobody sees before the call has succeeded. An argument of the host's is written in its
copy on the device, and all copies are downloaded before the first goes into its array, which
cannot fail. One that is on the device is written where it lies, and what it held is put back where
a later step fails, or where the flag says at the end that NumPy would have raised. Where there is
one step, which is done or not, it is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.cuda.device.graphs import Replays
from tracejit.cuda.device.link import Link
from tracejit.cuda.device.made import Memory
from tracejit.cuda.device.memory import (
    Lent,
    Span,
    address_of,
    brought,
    bytes_at,
    owner_of,
    placed,
    span,
)
from tracejit.cuda.machine.host import CODE_BITS, FAILED
from tracejit.cuda.residence import Home
from tracejit.cuda.source import FLAG, CUDASource
from tracejit.ir.graph import Graph
from tracejit.lower.emit.expressions import storage
from tracejit.lower.emit.values import DONE, MISSED
from tracejit.lower.kernel.verify import read_in

_ZERO = np.zeros(1, np.int32)


class Entry:
    """What a driver calls: inputs and buffers, in this order; it returns the code of the call.

    Arrays are the host's or shadows of the device's. Buffers of the host's are downloaded into.
    With late buffers it returns a tuple of these, shadows, or None.
    """

    def __init__(
        self,
        source: CUDASource,
        graph: Graph,
        layouts: Mapping[str, str],
        function: Any,
        link: Link,
        home: Home,
    ) -> None:
        self.source, self.function, self.link, self.home = source, function, link, home
        kinds = [(storage(n.dtype), n.ndim, layouts[n.attr[0]]) for n in graph.inputs]
        #: What the arrays among the inputs must be.
        self.inputs = {k: (dtype, ndim) for k, (dtype, ndim, layout) in enumerate(kinds) if layout}
        first = len(kinds)
        self.places = [*self.inputs, *range(first, first + len(source.buffers))]
        names = source.kernel.parameters
        self.written = {k for k in self.inputs if source.kinds[names[k]].written}
        self.told = FLAG in read_in(source.kernel.body)
        #: Whether it makes memory while it runs, and whether it is one launch, or none.
        self.makes = any(f.function == "made" for f in source.kernel.factories.values())
        self.one_step = not self.told and not self.makes and source.is_one_step()
        #: Whether there is nothing to do after it, if all arrays are on the device.
        self.simple = not (self.told or self.makes or source.late) and (
            not self.written or self.one_step
        )
        self._late = list(enumerate(source.late, 1))
        self._missed = None if self._late else MISSED
        self.device = np.array(link.table(source.kernels), np.int64)
        self.device.setflags(write=False)
        #: What replays launches that come again, for a program that may note them.
        self._replays = Replays(link, source, self.device) if source.is_replayable() else None
        #: Which inputs are arrays that never change, and their copies on the device.
        self.constants: set[int] = set()
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, *arguments: Any) -> Any:
        if self.simple and self._is_all_there(arguments):
            return self._called(arguments, _ZERO)
        return self._run(arguments)

    def _called(self, arguments: Sequence[Any], flag: np.ndarray) -> int:
        """Call the host's function, and launch what it has noted."""
        record = None if self._replays is None else self._replays.begin()
        if record is None:
            code: int = self.function(*arguments, flag, self.device)
        else:
            assert self._replays is not None
            try:
                code = self.function(*arguments, flag, record.device)
                if code == DONE:
                    self._replays.launch(record)
            finally:
                self._replays.end(record)
        if code & FAILED:
            self.link.failed(code >> CODE_BITS)
        return code

    def _is_all_there(self, arguments: Sequence[Any]) -> bool:
        """Whether all arrays are ours on the device."""
        blocks = self.home.pool.blocks
        for k in self.places:
            owner = getattr(arguments[k], "base", None)
            if type(owner) not in blocks and (
                type(owner) is not np.ndarray or type(owner.base) not in blocks
            ):
                return False
        return True

    def _run(self, arguments: Sequence[Any]) -> Any:
        home, inputs = self.home, self.inputs
        driver = home.driver
        given = list(arguments)
        back: list[tuple[np.ndarray, np.ndarray]] = []
        fresh: list[tuple[np.ndarray, np.ndarray]] = []
        changed: list[np.ndarray] = []
        streams: list[int] = []
        host: list[int] = []
        blocks = home.pool.blocks
        for k in self.places:
            array = arguments[k]
            if type(array) is np.ndarray:
                if type(array.base) in blocks and k not in self.written:
                    continue
                owner = owner_of(array)
            else:
                owner = None
            if owner is not None:
                if isinstance(owner, Lent) and owner.stream:
                    streams.append(owner.stream)
                if k in self.written:
                    changed.append(array)
            elif k not in inputs:
                given[k] = shadow = brought(array, home.pool, fill=False)
                fresh.append((array, shadow))
            elif type(array) is np.ndarray and (array.dtype, array.ndim) == inputs[k]:
                host.append(k)
            else:
                return self._missed
        if host:
            if self.written.isdisjoint(host):
                for k in host:
                    given[k] = self._uploaded(k, arguments[k])
            else:
                self._upload_together(host, given)
                back = [(arguments[k], given[k]) for k in host if k in self.written]
        for stream in streams:
            driver.order(stream, driver.stream)
        flag = home.flag() if self.told else _ZERO  # which nobody looks at
        saved: list[tuple[np.ndarray, np.ndarray]] = []
        if changed and not (self.one_step and not fresh and not back):
            saved = [(array, home.copy(array)) for array in changed]
        code = MISSED
        late: tuple[np.ndarray, ...] = ()
        memories = self.link.running.memories
        try:
            if self.makes:
                memories.append(Memory(home.pool))
            code = self._called(given, flag)
            if code == DONE:
                late = tuple(memories[-1].result(k, b.node.dtype) for k, b in self._late)
                if fresh or back:
                    self._give(fresh, back)
        except BaseException:
            code = FAILED
            raise
        finally:
            if self.makes:
                memories.pop()
            if code != DONE:
                for array, before in saved:
                    where = span(array)
                    driver.copy(where.start, span(before).start, where.size)
            elif self.told:
                home.flags.append(flag)  # it has been read, and was 0
            for stream in streams:
                driver.order(driver.stream, stream)
        if not self._late:
            return code
        return late if code == DONE else None

    def _uploaded(self, k: int, array: np.ndarray) -> np.ndarray:
        """The copy of an input on the device; that of a constant is made once."""
        if k not in self.constants:
            return brought(array, self.home.pool)
        known = self._kept.get(k)
        if known is None or known[0] is not array:
            known = self._kept[k] = array, brought(array, self.home.pool)
        return known[1]

    def _upload_together(self, host: Sequence[int], given: list[Any]) -> None:
        """Upload inputs one of which is written: those that share memory share it there too.

        The program compares addresses, and refuses what it was not made for.
        """
        parts: list[Span] = []
        for k in host:
            where = span(given[k])
            for other in [p for p in parts if p.overlaps(where)]:
                parts.remove(other)
                where = where.joined(other)
            parts.append(where)
        memory = [self.home.pool.take(part.size) for part in parts]
        for part, block in zip(parts, memory, strict=True):
            if part.size:
                self.home.pool.upload(address_of(block), bytes_at(*part))
        for k in host:
            where = span(given[k])
            which = next(n for n, p in enumerate(parts) if p == where or p.overlaps(where))
            given[k] = placed(given[k], memory[which], parts[which].start)

    def _give(
        self,
        fresh: Sequence[tuple[np.ndarray, np.ndarray]],
        back: Sequence[tuple[np.ndarray, np.ndarray]],
    ) -> None:
        """Download what the host gets: all of it, before anything of it is to be seen."""
        driver = self.home.driver
        for array, shadow in fresh:
            if array.size:
                driver.download(array, span(shadow).start)
        if len(back) == 1 and back[0][0].flags.c_contiguous:
            [(array, shadow)] = back
            if array.size:
                driver.download(array, span(shadow).start)
            return
        staged = []
        for array, shadow in back:
            where = span(shadow)
            memory = np.empty(where.size, np.uint8)
            if where.size:
                driver.download(memory, where.start)
            staged.append((array, placed(shadow, memory, where.start)))
        for array, new in staged:
            np.copyto(array, new)
