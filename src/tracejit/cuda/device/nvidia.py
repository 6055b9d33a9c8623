"""NVIDIA's driver: one device, its primary context, and one stream, in which all is in order."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.cuda.device.driver import Device
from tracejit.cuda.packages import package
from tracejit.errors import DeviceError, told

#: What the driver answers where no memory is left.
_OUT_OF_MEMORY = 2
#: The oldest driver that runs what CUDA 13.0 makes.
_OLDEST = 13000


def _cuda() -> Any:
    return package("cuda.bindings.driver")


def _done(answer: tuple[Any, ...], what: str) -> Any:
    """What the driver gives; DeviceError where it says that something failed."""
    code, *values = answer
    if int(code):
        found, name = _cuda().cuGetErrorString(code)
        reason = name.decode() if not int(found) else str(code)
        raise DeviceError(f"the GPU could not {what}: {reason}")
    return values[0] if len(values) == 1 else values


class Nvidia:
    """The device of a number; see `Driver`."""

    def __init__(self, number: int = 0) -> None:
        cuda = _cuda()
        try:
            answer = cuda.cuInit(0)
        except Exception as error:  # where there is no library of the driver's
            raise told(
                DeviceError(f"there is no driver for NVIDIA's GPUs on this machine ({error})"),
                "install the driver, or use device='cpu'",
            ) from error
        if int(answer[0]):
            raise told(
                DeviceError(f"there is no GPU that can be used on this machine ({answer[0].name})"),
                "use device='cpu'; `python -m tracejit info` shows what is there",
            )
        version = _done(cuda.cuDriverGetVersion(), "tell its driver's version")
        if version < _OLDEST:
            raise told(
                DeviceError(
                    f"the driver runs CUDA {version // 1000}.{version % 1000 // 10} at most, and "
                    f"13.0 is needed"
                ),
                "install a newer driver (580 or later)",
            )
        count = _done(cuda.cuDeviceGetCount(), "be counted")
        if not 0 <= number < count:
            raise DeviceError(f"there is no device cuda:{number}: there are {count}")
        handle = _done(cuda.cuDeviceGet(number), "be found")
        kind = cuda.CUdevice_attribute
        major, minor, processors = (
            _done(cuda.cuDeviceGetAttribute(a, handle), "be asked")
            for a in (
                kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                kind.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
            )
        )
        name = _done(cuda.cuDeviceGetName(128, handle), "tell its name").rstrip(b"\0").decode()
        memory = _done(cuda.cuDeviceTotalMem(handle), "tell its memory")
        self.device = Device(number, name, (major, minor), processors, memory)
        self._context = _done(cuda.cuDevicePrimaryCtxRetain(handle), "give a context")
        self.current()
        self._stream = _done(cuda.cuStreamCreate(1), "make a stream")
        self.stream = int(self._stream)
        self.context = int(self._context)
        self.launcher, self.enter = (
            int(_done(cuda.cuGetProcAddress(name, _OLDEST, 0), "launch kernels")[0])
            for name in (b"cuLaunchKernel", b"cuCtxSetCurrent")
        )

    def current(self) -> None:  # a context belongs to a thread
        _done(_cuda().cuCtxSetCurrent(self._context), "take its context")

    def allocate(self, size: int) -> int:
        cuda = _cuda()
        self.current()
        code, address = cuda.cuMemAllocAsync(size, self._stream)
        if int(code) == _OUT_OF_MEMORY:
            free, total = _done(cuda.cuMemGetInfo(), "tell its memory")
            raise MemoryError(
                f"{size:,} bytes are needed on {self.device.name}, "
                f"and {free:,} of {total:,} are free"
            )
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

    def refused(self, code: int) -> None:
        _done((_cuda().CUresult(code),), "run a kernel")
