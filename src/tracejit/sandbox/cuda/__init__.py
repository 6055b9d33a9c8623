"""Names of Theano's back ends for GPUs, for programs that ask whether there is one.

Programs run on a GPU where ``tracejit.config.device`` names one; what they are made of is the same
as on the CPU, so that arrays of GPUs are those of ``tracejit.tensor``, and ops that move them do
nothing.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.sandbox.cuda import dnn, rng_curand
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.shared import TensorSharedVariable as CudaNdarraySharedVariable
from tracejit.symbolic.shared import shared
from tracejit.symbolic.type import TensorType
from tracejit.symbolic.variables import TensorConstant as CudaNdarrayConstant
from tracejit.symbolic.variables import TensorVariable as CudaNdarrayVariable
from tracejit.theano.flags import device_of, gpus

GpuArrayType = TensorType
GpuArrayVariable, GpuArrayConstant = CudaNdarrayVariable, CudaNdarrayConstant
GpuArraySharedVariable = CudaNdarraySharedVariable
#: Not linked against anything of Theano's.
pygpu_activated = cudnn_available = False


def CudaNdarrayType(broadcastable: Any, name: str | None = None, dtype: Any = None) -> TensorType:
    """The type of float32 arrays of a broadcast pattern."""
    return TensorType("float32" if dtype is None else dtype, broadcastable, name)


def CudaNdarray(value: Any) -> np.ndarray:
    """A float32 array."""
    return np.array(value, np.float32)


def cuda_ndarray_of(x: Any) -> Any:
    """A variable of the same array."""
    return as_tensor_variable(x)


host_from_gpu = gpu_from_host = gpu_contiguous = as_cuda_ndarray_variable = cuda_ndarray_of
as_gpuarray_variable = as_gpuarray = cuda_ndarray_of


def float32_shared_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: Any = None,
    borrow: bool = False, broadcastable: Any = None, target: str = "gpu",
) -> Any:  # fmt: skip
    """A shared variable of a float32 array. TypeError for another dtype."""
    if getattr(value, "dtype", None) != np.float32:
        raise TypeError("float32 ndarray required")
    options = {} if broadcastable is None else {"broadcastable": broadcastable}
    return shared(value, name, strict, allow_downcast, borrow=borrow, **options)


shared_constructor = gpuarray_shared_constructor = float32_shared_constructor


def use(device: str = "gpu", *args: Any, **kwargs: Any) -> None:
    """Run functions on a GPU from here on; on the CPU, with a warning, where there is none."""
    name = device_of(device)
    if name != "cpu" and not gpus():
        warnings.warn(f"there is no GPU {device!r}: functions run on the CPU", UserWarning, 2)
        return
    config.device = name


def init_dev(dev: str, name: str | None = None, preallocate: Any = None) -> None:
    """As `use`."""
    use(dev)


def __getattr__(name: str) -> Any:
    """Whether there is a GPU; and of what is missing, what it was."""
    if name in ("cuda_available", "pygpu_available"):
        return gpus() > 0
    if name in ("cuda_enabled", "nvcc_compiler_present"):
        return str(config.device) != "cpu"
    if name == "basic_ops":
        import sys

        return sys.modules[__name__]
    from tracejit.theano.names import absent

    return absent("tracejit.sandbox.cuda", name, "cuda")


__all__ = [
    "CudaNdarray",
    "CudaNdarrayConstant",
    "CudaNdarraySharedVariable",
    "CudaNdarrayType",
    "CudaNdarrayVariable",
    "GpuArrayConstant",
    "GpuArraySharedVariable",
    "GpuArrayType",
    "GpuArrayVariable",
    "as_cuda_ndarray_variable",
    "as_gpuarray",
    "as_gpuarray_variable",
    "cudnn_available",
    "dnn",
    "float32_shared_constructor",
    "gpu_contiguous",
    "gpu_from_host",
    "gpuarray_shared_constructor",
    "host_from_gpu",
    "init_dev",
    "pygpu_activated",
    "rng_curand",
    "shared_constructor",
    "use",
]
