"""As much of CuPy as calls of it need, over the host's memory, which a fake device's is."""

from __future__ import annotations

import ctypes
from contextlib import nullcontext
from types import ModuleType
from typing import Any

import numpy as np


def module(calls: list[str]) -> ModuleType:
    """A module in place of ``cupy``; what is called is added to `calls`."""
    cupy: Any = ModuleType("cupy")
    cupy.cuda = ModuleType("cupy.cuda")
    cupy.cuda.Device = lambda number: nullcontext()
    cupy.cuda.ExternalStream = lambda stream, number: nullcontext()
    cupy.cuda.UnownedMemory = lambda address, size, owner: (address, size)
    cupy.cuda.MemoryPointer = lambda memory, offset: memory[0] + offset

    def ndarray(shape: Any, dtype: Any, pointer: int, strides: Any = None) -> np.ndarray:
        dtype = np.dtype(dtype)
        if not all(shape):
            return np.empty(shape, dtype)
        strides = strides or np.empty(shape, dtype).strides
        size = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + dtype.itemsize
        memory = (ctypes.c_ubyte * size).from_address(pointer)
        return np.ndarray(shape, dtype, memory, strides=strides)

    cupy.ndarray = ndarray

    def function(name: str) -> Any:
        def call(*operands: Any, out: Any) -> None:
            calls.append(name)
            getattr(np, name)(*operands, out=out)

        return call

    for name in ("matmul", "nextafter"):
        setattr(cupy, name, function(name))
    return cupy
