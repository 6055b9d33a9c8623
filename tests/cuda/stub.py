"""NVIDIA's driver as its Python package offers it, over the host's memory; calls fail as told.

Kernels are loaded and launched, and do nothing.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from typing import Any

import numpy as np
from cuda.bindings import driver as real

SUCCESS = real.CUresult.CUDA_SUCCESS


class Stub:
    """In the place of `cuda.bindings.driver`; `fail` has codes by the names of calls."""

    CUresult = real.CUresult
    CUdevice_attribute = real.CUdevice_attribute

    def __init__(self, version: int = 13000, devices: int = 1, **fail: str) -> None:
        self.version, self.devices, self.fail = version, devices, fail
        self.memory: dict[int, np.ndarray] = {}
        self.calls: Counter[str] = Counter()
        self.functions: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            self.calls[name] += 1
            if name in self.fail:
                code = getattr(real.CUresult, f"CUDA_ERROR_{self.fail[name]}")
                return code, None
            made = getattr(self, f"_{name}", None)
            values = (1,) if made is None else made(*arguments)
            return (SUCCESS, *values)

        return call

    def cuGetErrorString(self, code: Any) -> tuple[Any, bytes]:
        return SUCCESS, f"what the driver says of {code.name}".encode()

    def _cuGetProcAddress(self, name: bytes, version: int, flags: int) -> tuple[int, int]:
        """The address of what counts and fails like the call of Python's."""
        what = name.decode()

        def call(*arguments: int) -> int:
            return int(getattr(self, what)(*arguments)[0])

        words = [ctypes.c_uint64] * {"cuLaunchKernel": 11, "cuCtxSetCurrent": 1}[what]
        function = ctypes.CFUNCTYPE(ctypes.c_int32, *words)(call)
        self.functions.append(function)
        return ctypes.cast(function, ctypes.c_void_p).value or 0, 0

    def _cuDriverGetVersion(self) -> tuple[int]:
        return (self.version,)

    def _cuDeviceGetCount(self) -> tuple[int]:
        return (self.devices,)

    def _cuDeviceGet(self, number: int) -> tuple[int]:
        return (number,)

    def _cuDeviceGetAttribute(self, attribute: Any, device: int) -> tuple[int]:
        kind = real.CUdevice_attribute
        known = {
            kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: 9,
            kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: 0,
            kind.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: 132,
        }
        return (known.get(attribute, 1),)

    def _cuDeviceGetName(self, length: int, device: int) -> tuple[bytes]:
        return (b"NVIDIA Stub 200".ljust(length, b"\0"),)

    def _cuDeviceTotalMem(self, device: int) -> tuple[int]:
        return (141 << 30,)

    def _cuMemGetInfo(self) -> tuple[int, int]:
        return 1000, 141 << 30

    def _cuMemAllocAsync(self, size: int, stream: Any) -> tuple[int]:
        block = np.zeros(size + 256, np.uint8)
        address = -(-block.ctypes.data // 256) * 256
        self.memory[address] = block
        return (address,)

    def _cuMemFreeAsync(self, address: int, stream: Any) -> tuple[()]:
        del self.memory[int(address)]
        return ()

    def _cuMemcpyHtoDAsync(self, to: int, of: int, size: int, stream: Any) -> tuple[()]:
        ctypes.memmove(int(to), int(of), size)
        return ()

    def _cuMemcpyDtoHAsync(self, to: int, of: int, size: int, stream: Any) -> tuple[()]:
        ctypes.memmove(int(to), int(of), size)
        return ()
