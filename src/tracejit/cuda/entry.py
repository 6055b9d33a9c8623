"""The entry of a program on a GPU: its host's function over arrays in the device's memory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from tracejit.cuda.device.driver import Driver
from tracejit.cuda.device.link import Link, bytes_at
from tracejit.cuda.device.made import Late
from tracejit.cuda.machine.host import FAILED
from tracejit.cuda.source import CUDASource
from tracejit.ir.graph import Graph
from tracejit.lower.emit.expressions import storage
from tracejit.lower.emit.values import DONE, MISSED


class DeviceMemory:
    """Memory of a device's for an array; `shadow` is an array of NumPy's at that address.

    The host must not look into a shadow: it has a data pointer, lengths, strides and a dtype.
    """

    def __init__(self, driver: Driver, like: np.ndarray, stack: ExitStack) -> None:
        self.driver, self.like = driver, like
        self.low, self.size = _span(like)
        self.base = driver.allocate(max(self.size, 1))
        stack.callback(driver.free, self.base)
        self.__array_interface__ = {
            "version": 3,
            "typestr": like.dtype.str,
            "shape": like.shape,
            "strides": None if like.flags.c_contiguous else like.strides,
            "data": (self.base - self.low, not like.flags.writeable),
        }
        self.shadow = np.asarray(self)

    def upload(self) -> None:
        """Copy the array to the device."""
        if self.size:
            self.driver.upload(self.base, self._bytes())

    def download(self) -> None:
        """Copy what the device has into the array."""
        if self.size:
            self.driver.download(self._bytes(), self.base)

    def _bytes(self) -> np.ndarray:
        """The memory that the array's elements lie in, as it is."""
        start = self.like.__array_interface__["data"][0] + self.low
        return bytes_at(start, self.size)


def _span(array: np.ndarray) -> tuple[int, int]:
    """From where, counted from the first element, an array's memory goes, and its length."""
    if not array.size:
        return 0, 0
    reach = [s * (n - 1) for n, s in zip(array.shape, array.strides, strict=True)]
    low = sum(min(r, 0) for r in reach)
    return low, sum(max(r, 0) for r in reach) + array.itemsize - low


def _late(driver: Driver, dtype: np.dtype[Any], result: Late) -> np.ndarray:
    """A result that the program has made, downloaded."""
    array = np.empty(result.shape, dtype)
    if array.size:
        driver.download(array, result.address)
    return array


class Entry:
    """What a driver calls: inputs and buffers of NumPy's, in this order; the code of the call."""

    def __init__(
        self,
        source: CUDASource,
        graph: Graph,
        layouts: Mapping[str, str],
        function: Any,
        link: Link,
    ) -> None:
        self.source, self.function, self.link = source, function, link
        self.inputs = [(storage(n.dtype), n.ndim, layouts[n.attr[0]]) for n in graph.inputs]
        names = source.kernel.parameters
        self.written = {k for k, name in enumerate(names) if source.kinds[name].written}
        self.device = np.array(link.table(source.kernels), np.int64)
        self.device.setflags(write=False)

    def __call__(self, *arguments: Any) -> Any:
        if not self._fits(arguments):
            return None if self.source.late else MISSED
        driver = self.link.driver
        with ExitStack() as stack:
            made = stack.enter_context(self.link.running.memory(driver))
            given = list(arguments)
            arrays = {}
            for k, value in enumerate(given):
                if isinstance(value, np.ndarray):
                    memory = arrays[k] = DeviceMemory(driver, value, stack)
                    given[k] = memory.shadow
                    if k < len(self.inputs):
                        memory.upload()
            flag = DeviceMemory(driver, np.zeros(1, np.int32), stack)
            flag.upload()
            code = int(self.function(*given, flag.shadow, self.device))
            if code == FAILED:
                self.link.failed()
            if code == DONE:
                for k in self.written:
                    if k in arrays:
                        arrays[k].download()
                if self.source.late:
                    late = enumerate(self.source.late, 1)
                    return tuple(_late(driver, b.node.dtype, made.results[k]) for k, b in late)
            return None if self.source.late else code

    def _fits(self, arguments: tuple[Any, ...]) -> bool:
        """Whether the arguments are worth to be uploaded; the function looks again."""
        return all(
            not layout or (isinstance(a, np.ndarray) and (a.dtype, a.ndim) == (dtype, ndim))
            for a, (dtype, ndim, layout) in zip(arguments, self.inputs, strict=False)
        )
