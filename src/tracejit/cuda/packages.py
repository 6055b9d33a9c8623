"""The packages that make code for a GPU, which need none; and what to install where one lacks."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from tracejit.cuda.faults import INSTALL, device_error
from tracejit.errors import NotTraceable

#: By the module that is imported: what it is asked for, and the package that has it.
_USES = {
    "cuda.bindings.nvvm": ("compile for", "cuda-bindings"),
    "cuda.bindings.nvjitlink": ("assemble code for", "cuda-bindings"),
    "cuda.bindings.driver": ("run on", "cuda-bindings"),
}
#: What has libraries for whole arrays as well: CuPy.
INSTALL_LIBRARIES = 'pip install "tracejit[cuda13]"'


def lacking(op: str, module: str = "") -> NotTraceable:
    """That an op has no kernel of ours; CuPy may have its function, of a `module`."""
    by_cupy = f"{INSTALL_LIBRARIES} has CuPy, which may have it; or " if module else ""
    return NotTraceable(f"there is no kernel for {op} on a GPU", f"{by_cupy}use device='cpu'")


def package(name: str) -> ModuleType:
    """A module of CUDA's packages; DeviceError where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        use, home = _USES[name]
        raise device_error(
            f"to {use} a GPU, {home} is needed, which is not installed ({error})", INSTALL
        ) from error


def library(name: str, module: str, probe: str, *arguments: Any) -> Any:
    """A module whose library is there as well, as a call of `probe` shows; DeviceError if not."""
    found = package(name)
    call(found, module, probe, *arguments)
    return found


def call(found: ModuleType, module: str, probe: str, *arguments: Any) -> Any:
    """What a function of a module gives; DeviceError where the library behind it is missing."""
    try:
        return getattr(found, probe)(*arguments)
    except Exception as error:
        short = str(error).strip().partition("\n")[0]
        raise device_error(f"{module} is needed, and is not found ({short})", INSTALL) from error
