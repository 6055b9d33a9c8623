"""Calls of CuPy's, for what NVIDIA's libraries do well: products, what is computed of matrices,
transforms, and ufuncs without an expression.

Nothing else imports CuPy. It works where our arrays lie, in our stream.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from tracejit.cuda.device.driver import Driver
from tracejit.cuda.library.gufuncs import compute
from tracejit.cuda.source import LibraryCall, ParameterKind

#: CuPy's modules, by those of the functions that they have.
_MODULES = {
    "numpy": "cupy",
    "numpy.linalg": "cupy.linalg",
    "numpy.fft": "cupy.fft",
    "scipy.special": "cupyx.scipy.special",
    "scipy.linalg": "cupyx.scipy.linalg",
}


def has(module: str, function: str) -> bool:
    """Whether CuPy is installed, and has a function of a module of NumPy's or SciPy's."""
    found = _module(module)
    return found is not None and hasattr(found, function)


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(_MODULES[name])
    except (ImportError, KeyError):
        return None


def prepared(call: LibraryCall, driver: Driver) -> Callable[[int], bool]:
    """What does a call on a device, given the address of its parameters' addresses.

    It tells whether NumPy has to be asked, which may raise.
    """
    cupy: Any = importlib.import_module("cupy")
    function = getattr(_module(call.module), call.function)

    def run(pointers: int) -> bool:
        with _in_stream(cupy, driver):
            arguments = _arguments(cupy, call, pointers)
            if call.row:
                errstate = importlib.import_module("cupyx").errstate
                return compute(cupy, errstate, function, call.row, call.given, arguments)
            *operands, out = arguments
            function(*operands, out=out)
            return False

    return run


@contextmanager
def _in_stream(cupy: Any, driver: Driver) -> Iterator[None]:
    number = driver.device.number
    with cupy.cuda.Device(number), cupy.cuda.ExternalStream(driver.stream, number):
        yield


def _arguments(cupy: Any, call: LibraryCall, pointers: int) -> list[Any]:
    """The arguments of a call as CuPy's arrays, and numbers as NumPy's."""
    words = iter(call.sizes())
    count = len(call.sizes())
    places = (ctypes.c_void_p * count).from_address(pointers) if count else ()
    values = iter(ctypes.string_at(place, size) for place, size in zip(places, words, strict=True))
    found = []
    for kind, char in zip(call.kinds, call.chars, strict=True):
        dtype = np.dtype(char)
        if not kind.layout:
            stored = np.frombuffer(next(values), kind.dtype)[0]
            found.append(stored.astype(dtype))
            continue
        address, *numbers = (
            int.from_bytes(next(values), "little", signed=True) for _ in _words(kind)
        )
        shape, strides = numbers[: kind.ndim], numbers[kind.ndim :]
        found.append(_array(cupy, dtype, address, shape, strides or None))
    return found


def _words(kind: ParameterKind) -> range:
    return range(1 + kind.ndim * (1 if kind.layout == "C" else 2))


def _array(
    cupy: Any, dtype: np.dtype[Any], address: int, shape: Sequence[int], strides: Any
) -> Any:
    """An array of CuPy's over memory that is not its own."""
    size = dtype.itemsize * max(int(np.prod(shape)), 1)
    memory = cupy.cuda.UnownedMemory(address, size, None)
    pointer = cupy.cuda.MemoryPointer(memory, 0)
    return cupy.ndarray(tuple(shape), dtype, pointer, strides=strides and tuple(strides))
