"""NVIDIA's driver: one device, its primary context, and one stream, in which all is in order."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.cuda.device import probe
from tracejit.cuda.device.driver import Launch
from tracejit.cuda.device.probe import done as _done
from tracejit.cuda.device.probe import driver as _cuda

#: What the driver answers where no memory is left.
_OUT_OF_MEMORY = 2
#: As which version of CUDA has them, functions are called by their addresses.
_FUNCTIONS = 12000


class Nvidia:
    """The device of a number; see `Driver`."""

    def __init__(self, number: int = 0) -> None:
        cuda = probe.started()
        probe.require_version()
        handle = probe.handle_of(number)
        self.device = probe.described(number, handle)
        self._context = _done(cuda.cuDevicePrimaryCtxRetain(handle), "give a context")
        self.current()
        self._stream = _done(cuda.cuStreamCreate(1), "make a stream")
        self.stream = int(self._stream)
        self.context = int(self._context)
        self.launcher, self.enter = (
            int(_done(cuda.cuGetProcAddress(name, _FUNCTIONS, 0), "launch kernels")[0])
            for name in (b"cuLaunchKernel", b"cuCtxSetCurrent")
        )

    def current(self) -> None:  # a context belongs to a thread
        _done(_cuda().cuCtxSetCurrent(self._context), "take its context")

    def allocate(self, size: int) -> int:
        cuda = _cuda()
        self.current()
        code, address = cuda.cuMemAllocAsync(size, self._stream)
        if int(code) == _OUT_OF_MEMORY:
            raise MemoryError(f"{size:,} bytes")
        return int(_done((code, address), f"give {size:,} bytes"))

    def free(self, address: int) -> None:
        self.current()
        _done(_cuda().cuMemFreeAsync(address, self._stream), "take memory back")

    def memory_info(self) -> tuple[int, int]:
        self.current()
        free, total = _done(_cuda().cuMemGetInfo(), "tell its memory")
        return free, total

    def device_of(self, address: int) -> int | None:
        cuda = _cuda()
        self.current()
        kind = cuda.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
        code, number = cuda.cuPointerGetAttribute(kind, address)
        return None if int(code) else int(number)

    def upload(self, address: int, array: np.ndarray) -> None:
        self.current()
        start = array.__array_interface__["data"][0]
        _done(
            _cuda().cuMemcpyHtoDAsync(address, start, array.nbytes, self._stream), "be written to"
        )

    def pinned(self, size: int) -> int:
        self.current()
        return int(_done(_cuda().cuMemHostAlloc(size, 0), f"pin {size:,} bytes of the host's"))

    def send(self, address: int, start: int, size: int) -> Any:
        cuda = _cuda()
        self.current()
        _done(cuda.cuMemcpyHtoDAsync(address, start, size, self._stream), "be written to")
        event = _done(cuda.cuEventCreate(2), "make an event")  # without a time
        _done(cuda.cuEventRecord(event, self._stream), "note how far a stream is")
        return event

    def wait(self, sent: Any) -> None:
        cuda = _cuda()
        self.current()
        try:
            _done(cuda.cuEventSynchronize(sent), "finish")
        finally:
            cuda.cuEventDestroy(sent)

    def download(self, array: np.ndarray, address: int) -> None:
        cuda = _cuda()
        self.current()
        start = array.__array_interface__["data"][0]
        _done(cuda.cuMemcpyDtoHAsync(start, address, array.nbytes, self._stream), "be read from")
        _done(cuda.cuStreamSynchronize(self._stream), "finish")

    def copy(self, to: int, address: int, size: int) -> None:
        self.current()
        _done(_cuda().cuMemcpyDtoDAsync(to, address, size, self._stream), "copy memory")

    def order(self, before: int, after: int) -> None:
        if before == after:
            return
        cuda = _cuda()
        self.current()
        event = _done(cuda.cuEventCreate(2), "make an event")  # without a time
        try:
            _done(cuda.cuEventRecord(event, before), "note how far a stream is")
            _done(cuda.cuStreamWaitEvent(after, event, 0), "let a stream wait")
        finally:
            cuda.cuEventDestroy(event)

    def synchronize(self) -> None:
        self.current()
        _done(_cuda().cuStreamSynchronize(self._stream), "finish")

    def load(self, code: bytes, ptx: str, name: str) -> int:
        cuda = _cuda()
        self.current()
        module = _done(cuda.cuModuleLoadData(code), f"load {name}")
        return int(_done(cuda.cuModuleGetFunction(module, name.encode()), f"find {name}"))

    def graph(self, launches: Sequence[Launch]) -> Any:
        cuda = _cuda()
        self.current()
        graph = _done(cuda.cuGraphCreate(0), "make a graph")
        try:
            nodes: list[Any] = []
            for launch in launches:
                before = nodes[-1:]
                node = cuda.cuGraphAddKernelNode(graph, before, len(before), _node(launch))
                nodes.append(_done(node, "add to a graph"))
            made = _done(cuda.cuGraphInstantiate(graph, 0), "make a graph")
        except BaseException:
            cuda.cuGraphDestroy(graph)
            raise
        return made, graph, nodes

    def update(self, graph: Any, number: int, launch: Launch) -> None:
        made, _, nodes = graph
        self.current()
        answer = _cuda().cuGraphExecKernelNodeSetParams(made, nodes[number], _node(launch))
        _done(answer, "change a graph")

    def replay(self, graph: Any) -> None:
        self.current()
        _done(_cuda().cuGraphLaunch(graph[0], self._stream), "launch a graph")

    def forget(self, graph: Any) -> None:
        self.current()
        _done(_cuda().cuGraphExecDestroy(graph[0]), "take a graph back")
        _done(_cuda().cuGraphDestroy(graph[1]), "take a graph back")

    def refused(self, code: int) -> None:
        _done((_cuda().CUresult(code),), "run a kernel")


def _node(launch: Launch) -> Any:
    """A launch as graphs are given it; its parameters are copied out of their memory."""
    node = _cuda().CUDA_KERNEL_NODE_PARAMS()
    node.func = launch.kernel
    node.gridDimX, node.gridDimY, node.gridDimZ = launch.shape[:3]
    node.blockDimX, node.blockDimY, node.blockDimZ = launch.shape[3:]
    node.kernelParams = ctypes.addressof(launch.parameters)
    return node
