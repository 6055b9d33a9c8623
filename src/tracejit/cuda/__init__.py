"""A GPU as a target: a kernel for each loop nest, which any machine can compile.

Where there is no GPU, `ptx` shows what one would run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracejit.lower.registry import register
from tracejit.lower.registry import target as registered
from tracejit.native.apart import imported

if TYPE_CHECKING:
    from tracejit.lower.target import Target

#: The names of devices: of the first one, and of each by its number.
DEVICES = ("cuda", *(f"cuda:{number}" for number in range(8)))


#: What else is asked for by name, and where it is.
_LATER = {
    "DeviceArray": "array",
    "DeviceInfo": "transfer",
    "device_info": "transfer",
    "from_dlpack": "transfer",
    "synchronize": "transfer",
    "to_device": "transfer",
}


def _target(device: str) -> Target:
    if device == "cuda:0":
        return registered("cuda")  # which is the same
    driver = imported("tracejit.cuda.device.nvidia").Nvidia(int(device.partition(":")[2] or 0))
    found: Target = imported("tracejit.cuda.target").CUDA(driver, device)
    return found


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(imported(f"tracejit.cuda.{_LATER[name]}"), name)
    return value


def ptx(f: Any, *args: Any, cc: tuple[int, int] = (9, 0), **kwargs: Any) -> dict[str, str]:
    """The PTX of each kernel that `f` is for these arguments, by its name, in their order.

    It is for GPUs of compute capability `cc`, and later ones, and needs none. UnsupportedError
    where `f` does not compile for a GPU, `DeviceError` where NVIDIA's compiler is not installed.

    >>> import numpy as np
    >>> import tracejit
    >>> [text] = tracejit.cuda.ptx(lambda x: 2 * x + 1, np.arange(3.0)).values()
    >>> ".target sm_90" in text
    True
    """
    found: dict[str, str] = imported("tracejit.cuda.inspect").ptx(f, args, kwargs, cc)
    return found


for _device in DEVICES:
    register(_device, lambda device=_device: _target(device))  # type: ignore[misc]

__all__ = ["DEVICES", "ptx", *_LATER]
