"""What is wrong where a GPU cannot be used, and the way out: one message each."""

from __future__ import annotations

from typing import Any, NamedTuple

from tracejit.errors import DeviceError, TracejitError, told
from tracejit.trace.explain import message

#: How to install what makes code for a GPU, and runs it.
INSTALL = 'pip install "tracejit[cuda]"'
_CPU = 'use device="cpu"'
_LOOK = "`python -m tracejit info` shows what there is"


class Fault(NamedTuple):
    """What the driver means by a code: whether a GPU can be used at all, and what to do."""

    text: str
    hint: str


#: By the driver's name of a code, of those that a user can do something about.
FAULTS = {
    "CUDA_ERROR_NO_DEVICE": Fault("there is no NVIDIA GPU on this machine", f"{_CPU}; {_LOOK}"),
    "CUDA_ERROR_STUB_LIBRARY": Fault(
        "libcuda.so.1 is the toolkit's stub, and no driver", "install the driver of the GPU"
    ),
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": Fault(
        "the driver's library is of another version than the kernel's module",
        "restart the machine after the driver has been updated",
    ),
    "CUDA_ERROR_SYSTEM_NOT_READY": Fault(
        "the GPU is not ready", "start NVIDIA's services (nvidia-fabricmanager), and try again"
    ),
    "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE": Fault(
        "the driver's compatibility library is not for this GPU", "install a newer driver"
    ),
    "CUDA_ERROR_DEVICE_UNAVAILABLE": Fault(
        "the GPU is in use by another process, which has it for itself", f"wait for it, or {_CPU}"
    ),
    "CUDA_ERROR_NO_BINARY_FOR_GPU": Fault(
        "the GPU does not run code of its compute capability that this compiler makes",
        f"install another version of the compiler: {INSTALL}",
    ),
    "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES": Fault(
        "a kernel is too large: its threads need more registers or memory than the GPU has",
        "split the function into several",
    ),
    "CUDA_ERROR_LAUNCH_TIMEOUT": Fault(
        "a kernel ran for longer than a GPU that has a display allows",
        "split the work, or use a GPU without a display",
    ),
    "CUDA_ERROR_ILLEGAL_ADDRESS": Fault(
        "a kernel went out of its memory: a defect of tracejit, or of other code on the GPU",
        "start the process anew, since the GPU takes nothing more of this one; please report it",
    ),
    "CUDA_ERROR_ECC_UNCORRECTABLE": Fault(
        "the GPU's memory has an error that cannot be corrected", "restart the machine"
    ),
}


def device_error(text: str, hint: str) -> TracejitError:
    """A DeviceError whose message ends with the way out."""
    return told(DeviceError(message(text, None, hint=hint)), hint)


def fault(code: Any, doing: str, reason: str) -> TracejitError:
    """The DeviceError for a code of the driver's, met while `doing` something.

    `reason` is the driver's own text for it.
    """
    known = FAULTS.get(getattr(code, "name", ""))
    if known is None:
        return device_error(f"the GPU could not {doing}: {reason}", _LOOK)
    return device_error(f"{known.text} (it could not {doing})", known.hint)


class NoMemory(DeviceError, MemoryError):
    """The GPU's memory is used up by what is not an array: code, or what the driver needs."""


def no_memory(doing: str) -> TracejitError:
    """No memory was left while `doing` something."""
    hint = f"let other processes give memory back, or {_CPU}"
    text = f"the GPU has no memory left: it could not {doing}"
    return told(NoMemory(message(text, None, hint=hint)), hint)


def no_driver(error: Exception) -> TracejitError:
    """There is no library of the driver's."""
    return device_error(
        f"there is no driver for NVIDIA's GPUs on this machine ({error})",
        f"install the driver, or {_CPU}",
    )


def driver_too_old(found: int, needed: int) -> TracejitError:
    """The driver is older than the compiler."""
    return device_error(
        f"the driver runs CUDA {version_text(found)} at most, and {version_text(needed)} is needed",
        'install a newer driver, or code for an older one: pip install "tracejit[cuda12]"'
        if needed >= 13000 and found >= 12000
        else "install a newer driver",
    )


def no_such_device(number: int, count: int) -> TracejitError:
    """There are fewer devices."""
    there = "is one, cuda:0" if count == 1 else f"are {count}, cuda:0 to cuda:{count - 1}"
    return device_error(f"there is no device cuda:{number}: there {there}", _LOOK)


def version_text(version: int) -> str:
    """A version of CUDA as the driver tells it.

    >>> version_text(13000), version_text(12090)
    ('13.0', '12.9')
    """
    return f"{version // 1000}.{version % 1000 // 10}"
