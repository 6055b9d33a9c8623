"""The driver and the devices of a machine: whether there is what a program needs."""

from __future__ import annotations

from typing import Any

from tracejit.cuda import faults
from tracejit.cuda.device.driver import Device
from tracejit.cuda.machine.ptx import linker
from tracejit.cuda.packages import package

#: The oldest driver for each compiler of ours, by its major version: it runs what later minor
#: versions make.
_OLDEST = {12: 12000, 13: 13000}


def driver() -> Any:
    """NVIDIA's driver, as functions of Python's; DeviceError where its package is missing."""
    return package("cuda.bindings.driver")


def done(answer: tuple[Any, ...], doing: str) -> Any:
    """What the driver gives; DeviceError where it says that something failed."""
    code, *values = answer
    if getattr(code, "name", "") == "CUDA_ERROR_OUT_OF_MEMORY":
        raise faults.no_memory(doing)
    if int(code):
        raise faults.fault(code, doing, reason_of(code))
    return values[0] if len(values) == 1 else values


def reason_of(code: Any) -> str:
    """The driver's own text for a code."""
    found, text = driver().cuGetErrorString(code)
    return str(code) if int(found) or text is None else text.decode()


def started() -> Any:
    """The driver, ready for use; DeviceError where there is none, or no GPU."""
    cuda = driver()
    try:
        answer = cuda.cuInit(0)
    except Exception as error:  # where there is no library of the driver's
        raise faults.no_driver(error) from error
    done(answer, "be used")
    return cuda


def version() -> int:
    """The newest version of CUDA that the driver runs, as it tells it: 13000 for 13.0."""
    return int(done(driver().cuDriverGetVersion(), "tell its driver's version"))


def require_version() -> None:
    """DeviceError where the driver is older than the compiler."""
    major = int(linker().version()[0])
    found, needed = version(), _OLDEST.get(major, major * 1000)
    if found < needed:
        raise faults.driver_too_old(found, needed)


def count() -> int:
    """How many devices there are."""
    return int(done(driver().cuDeviceGetCount(), "be counted"))


def handle_of(number: int) -> Any:
    """The driver's name of a device; DeviceError where there is none of that number."""
    there = count()
    if not 0 <= number < there:
        raise faults.no_such_device(number, there)
    return done(driver().cuDeviceGet(number), "be found")


def described(number: int, handle: Any) -> Device:
    """What a device is."""
    cuda = driver()
    kind = cuda.CUdevice_attribute
    major, minor, processors = (
        done(cuda.cuDeviceGetAttribute(attribute, handle), "be asked")
        for attribute in (
            kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
            kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            kind.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
        )
    )
    name = done(cuda.cuDeviceGetName(128, handle), "tell its name").rstrip(b"\0").decode()
    memory = done(cuda.cuDeviceTotalMem(handle), "tell its memory")
    return Device(number, name, (major, minor), processors, memory)
