"""What a machine has of what a GPU needs, as lines for a person: `python -m tracejit info`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from tracejit.cuda.device import probe
from tracejit.cuda.device.driver import Device
from tracejit.cuda.faults import INSTALL, version_text

#: Where the driver's part in the kernel says what there is.
_MODULE = Path("/proc/driver/nvidia/version")
_GPUS = Path("/proc/driver/nvidia/gpus")
#: What makes code, by what it is for: any one package of each is enough.
NEEDED = {
    "bindings": ("cuda-bindings",),
    "NVVM": ("nvidia-nvvm", "nvidia-cuda-nvcc-cu12"),
    "nvJitLink": ("nvidia-nvjitlink", "nvidia-nvjitlink-cu12"),
}
#: What is used where it is there; tracejit does without numba-cuda.
OPTIONAL = ("cupy-cuda13x", "cupy-cuda12x", "numba-cuda")
#: The library that each of the first ones loads, as a module and a probe: it may come from a
#: toolkit, without its package.
_LIBRARIES = {
    "NVVM": ("cuda.bindings.nvvm", "version"),
    "nvJitLink": ("cuda.bindings.nvjitlink", "version"),
}


def rows() -> list[tuple[str, str]]:
    """(label, text) pairs: packages, driver, devices, and what is missing. Raises nothing."""
    missing = [name for name in NEEDED if not _works(name)]
    found = [("cuda", _packages())]
    if "bindings" in missing:
        found += [("driver", _module()), *(("gpu", name) for name in _models())]
    else:
        found += _driver(missing)
    if missing:
        found.append(("missing", f"{', '.join(missing)}; for programs on a GPU: {INSTALL}"))
    return found


def _driver(missing: Sequence[str]) -> list[tuple[str, str]]:
    """The driver and its devices, by what it says itself."""
    module, found = _module(), []
    try:
        probe.started()
        text = f"CUDA {version_text(probe.version())}"
        found.append(("driver", f"{text}, {module}" if _MODULE.exists() else text))
        if "nvJitLink" not in missing:
            probe.require_version()
        devices = [probe.described(k, probe.handle_of(k)) for k in range(probe.count())]
        return [*found, *(("gpu", device_text(device)) for device in devices)]
    except Exception as error:  # whatever is wrong is what is asked for here
        lines = map(str.strip, str(error).splitlines() or [type(error).__name__])
        return [*(found or [("driver", module)]), ("gpu", f"none: {'; '.join(lines)}")]


def _module() -> str:
    """The version of the driver's part in the kernel."""
    try:
        first = _MODULE.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError):
        return "none"
    number = re.search(r"\b\d+\.\d+(\.\d+)?\b", first)
    return f"version {number[0]}" if number else first


def _models() -> list[str]:
    """The names of GPUs, by the driver's part in the kernel; one line that says that none is."""
    found = []
    for file in sorted(_GPUS.glob("*/information")):
        lines = dict(line.partition(":")[::2] for line in file.read_text().splitlines())
        found.append(lines.get("Model", file.parent.name).strip())
    return found or ["none"]


def device_text(device: Device) -> str:
    """What a device is, in a line.

    >>> device_text(Device(0, "NVIDIA H200", (9, 0), 132, 150 << 30))
    'cuda:0 NVIDIA H200, compute capability 9.0, 132 multiprocessors, 150.0 GiB'
    """
    cc = ".".join(map(str, device.cc))
    return (
        f"cuda:{device.number} {device.name}, compute capability {cc}, "
        f"{device.processors} multiprocessors, {device.memory / (1 << 30):.1f} GiB"
    )


def _packages() -> str:
    names = [name for several in NEEDED.values() for name in several]
    known = [(name, _version(name)) for name in (*names, *OPTIONAL)]
    there = [f"{name} {version}" for name, version in known if version]
    return ", ".join(there) or "no packages"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _works(name: str) -> bool:
    """Whether one of what compilers need is there."""
    module, function = _LIBRARIES.get(name, ("cuda.bindings.driver", ""))
    try:
        found = importlib.import_module(module)
        if function:
            getattr(found, function)()
    except Exception:  # the package, or the library behind it
        return False
    return True
