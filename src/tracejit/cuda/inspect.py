"""What functions are made of for a GPU, where there need be none."""

from __future__ import annotations

from typing import Any

from tracejit.call import slow
from tracejit.call.function import Function
from tracejit.cuda.compile import kernel_ptx
from tracejit.cuda.device.driver import Device
from tracejit.cuda.machine.ptx import require_known
from tracejit.cuda.source import CUDASource, GridKernel
from tracejit.cuda.target import CUDA
from tracejit.errors import DeviceError
from tracejit.lower.registry import register
from tracejit.theano.flags import change_flags

_NAME = "no device"


class Nowhere:
    """A driver for no GPU: kernels may be compiled for it, and that is all."""

    stream = launcher = enter = context = 0

    def __init__(self, cc: tuple[int, int]) -> None:
        self.device = Device(0, _NAME, cc, 1, 0)

    def load(self, code: bytes, ptx: str, name: str) -> int:
        return 0

    def memory_info(self) -> tuple[int, int]:
        return 0, 0

    def device_of(self, address: int) -> int | None:
        return None

    def _none(self, *args: Any, **kwargs: Any) -> Any:
        raise DeviceError("there is no GPU to run on")

    allocate = free = current = upload = pinned = send = wait = download = copy = _none
    order = synchronize = graph = update = replay = forget = refused = _none


def ptx(f: Any, args: Any, kwargs: Any, cc: tuple[int, int]) -> dict[str, str]:
    """See `tracejit.cuda.ptx`."""
    require_known(cc)
    own = Function(f.__wrapped__ if isinstance(f, Function) else f, on_unsupported="error")
    register(_NAME, lambda: CUDA(Nowhere(cc)))
    with change_flags(device=_NAME):
        path: Any = slow.path_for(own, args, kwargs)
    source = path.executable.emitted
    assert isinstance(source, CUDASource)
    kernels = source.kernels.items()
    return {name: kernel_ptx(k, cc) for name, k in kernels if isinstance(k, GridKernel)}
