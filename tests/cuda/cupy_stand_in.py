"""As much of CuPy as calls of it need, over the host's memory, which a fake device's is.

Like CuPy's, functions for matrices do not raise for what has no result, but where they are asked
to; those of a `silent` one never do. They take no more than CuPy's do.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any

import numpy as np
import scipy.linalg

#: What runs in CuPy as in NumPy, and what is called of a library of NVIDIA's.
_PLAIN = """asarray ascontiguousarray broadcast_to diagonal eye isfinite stack tril triu where"""
_LINEAR = "solve inv det slogdet cholesky qr svd eigh eigvalsh eig eigvals"
_FOURIER = "fft ifft rfft irfft"


def modules(calls: list[str], silent: bool = False, without: str = "") -> dict[str, ModuleType]:
    """Modules in place of CuPy's, by name; what is called is added to `calls`.

    Functions of `without` it has not.
    """
    cupy = _base()
    made = {
        name: ModuleType(name)
        for name in ("cupyx", "cupy.linalg", "cupy.fft", "cupyx.scipy", "cupyx.scipy.linalg")
    }
    raising = [False]

    @contextmanager
    def errstate(*, linalg: str) -> Iterator[None]:
        assert linalg == "raise"
        before, raising[0] = raising[0], not silent
        yield
        raising[0] = before

    made["cupyx"].errstate = errstate  # type: ignore[attr-defined]

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*operands: Any, **options: Any) -> Any:
            calls.append(name)
            try:
                return function(*operands, **options)
            except np.linalg.LinAlgError:
                if raising[0]:
                    raise
                return _unfinished(name, *operands)

        return call

    def ufunc(name: str) -> Callable[..., Any]:
        def call(*operands: Any, **options: Any) -> Any:
            calls.append(name)
            return getattr(np, name)(*operands, **options)

        return call

    def give(module: ModuleType, name: str, function: Any) -> None:
        if name not in without.split():
            setattr(module, name, function)

    for name in ("matmul", "nextafter"):
        give(cupy, name, ufunc(name))
    for name in _PLAIN.split():
        give(cupy, name, getattr(np, name))
    for name in _LINEAR.split():
        own = globals().get(f"_{name}", getattr(np.linalg, name))
        give(made["cupy.linalg"], name, noted(name, own))
    for name in _FOURIER.split():
        give(made["cupy.fft"], name, noted(name, getattr(np.fft, name)))
    for name in ("solve_triangular", "lu_factor", "lu_solve"):
        own = noted(name, getattr(scipy.linalg, name))
        give(made["cupyx.scipy.linalg"], name, own)
    cupy.linalg, cupy.fft = made["cupy.linalg"], made["cupy.fft"]
    return {"cupy": cupy, **made}


def _base() -> Any:
    """What an array of CuPy's needs."""
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
    return cupy


def _unfinished(name: str, a: np.ndarray, *others: Any) -> Any:
    """What CuPy leaves of a computation that has failed."""
    if name == "cholesky":
        found = np.tril(a)
        found[..., -1, -1] = -1  # at which it has stopped
        return found
    assert name in ("solve", "inv"), name
    return np.full((others or (a,))[0].shape, np.inf, a.dtype)


def _solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    assert a.flags.c_contiguous and (a.ndim == b.ndim) and a.shape[:-1] == b.shape[:-1]
    return np.linalg.solve(a, b)


def _cholesky(a: np.ndarray) -> np.ndarray:
    return np.linalg.cholesky(a)


def _eigh(a: np.ndarray, UPLO: str = "L") -> Any:
    return tuple(np.linalg.eigh(a, UPLO))


def _svd(a: np.ndarray, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Without its check: cuSOLVER's gives something for what is not finite."""
    safe = np.where(np.isfinite(a), a, 1)
    found = np.linalg.svd(safe, full_matrices=full_matrices, compute_uv=compute_uv)
    return tuple(found) if compute_uv else found
