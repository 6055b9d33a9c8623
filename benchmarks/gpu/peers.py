"""The same programs by others, where they are installed: CuPy's `fuse`, JAX, torch.compile."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

from benchmarks.gpu.programs import Program


class Peer(NamedTuple):
    """Another compiler: `compiled(program)` is what it makes of ``program(xp)``."""

    name: str
    compiled: Callable[[Callable[[Any], Program]], Program]
    upload: Callable[[Any], Any]
    wait: Callable[[], None]
    download: Callable[[Any], Any]


def peers() -> Iterator[Peer | tuple[str, str]]:
    """Those that are there; of the others, the name and why not."""
    for name, make in (("CuPy", _cupy), ("JAX", _jax), ("torch", _torch)):
        try:
            yield make()
        except Exception as error:  # whatever is wrong with another package is its own
            yield name, f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _cupy() -> Peer:
    cupy = importlib.import_module("cupy")
    special = importlib.import_module("cupyx.scipy.special")
    xp = _names(cupy, erf=special.erf)

    def compiled(program: Callable[[Any], Program]) -> Program:
        f = program(xp)
        # What is reduced inside is not fused.
        fused: Program = cupy.fuse()(f) if f.__name__ in _FUSED else f
        return fused

    def wait() -> None:
        cupy.cuda.Device().synchronize()

    cupy.zeros(1)  # raises where there is no GPU
    return Peer("CuPy fuse", compiled, cupy.asarray, wait, cupy.asnumpy)


#: Programs that are elementwise.
_FUSED = ("elementwise", "functions", "black_scholes")


def _jax() -> Peer:
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    jax = importlib.import_module("jax")
    numpy = importlib.import_module("jax.numpy")
    jax.config.update("jax_enable_x64", True)
    xp = _names(numpy, erf=jax.scipy.special.erf)
    last: list[Any] = []

    def compiled(program: Callable[[Any], Program]) -> Program:
        f = jax.jit(program(xp))

        def call(*arguments: Any) -> Any:
            last[:] = [f(*arguments)]
            return last[0]

        return call

    def wait() -> None:
        for x in last:
            jax.block_until_ready(x)

    import numpy as np

    return Peer("JAX", compiled, numpy.asarray, wait, np.asarray)


def _torch() -> Peer:
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        raise RuntimeError("torch sees no GPU")
    xp = SimpleNamespace(
        exp=torch.exp, log=torch.log, sqrt=torch.sqrt, tanh=torch.tanh, erf=torch.erf,
        where=torch.where, int32=torch.int32,
        amax=lambda x, axis, keepdims: torch.amax(x, axis, keepdim=keepdims),
        sum=lambda x, *axis, keepdims=False: torch.sum(x, *axis, keepdim=keepdims)
        if axis else torch.sum(x),
        zeros=lambda shape, dtype: torch.zeros(shape, dtype=dtype, device="cuda"),
    )  # fmt: skip

    def compiled(program: Callable[[Any], Program]) -> Program:
        made: Program = torch.compile(program(xp))
        return made

    def upload(x: Any) -> Any:
        return torch.as_tensor(x, device="cuda")

    def download(x: Any) -> Any:
        return x.cpu().numpy()

    return Peer("torch.compile", compiled, upload, torch.cuda.synchronize, download)


def _names(module: Any, **more: Any) -> Any:
    """What programs call, of a module."""
    names = ("exp", "log", "sqrt", "tanh", "amax", "sum", "where", "zeros", "int32")
    return SimpleNamespace(**{name: getattr(module, name) for name in names}, **more)
