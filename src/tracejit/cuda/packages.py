"""The packages that make code for a GPU, which need none; and what to install where one lacks."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from tracejit.errors import DeviceError, NotTraceable, told

#: By the module that is imported: what it is asked for, and the package that has it.
_USES = {
    "cuda.bindings.nvvm": ("compile for", "cuda-bindings"),
    "cuda.bindings.nvjitlink": ("assemble code for", "cuda-bindings"),
    "cuda.pathfinder": ("compile for", "cuda-pathfinder"),
    "cuda.bindings.driver": ("run on", "cuda-bindings"),
}
INSTALL = 'pip install "tracejit[cuda]"'
#: What has libraries for whole arrays as well: CuPy.
INSTALL_LIBRARIES = 'pip install "tracejit[cuda13]"'


def lacking(op: str) -> NotTraceable:
    """That an op has no kernel of ours."""
    return NotTraceable(
        f"there is no kernel for {op} on a GPU",
        f"products and sorts by CuPy come with {INSTALL_LIBRARIES}; for this, use device='cpu'",
    )


def package(name: str) -> ModuleType:
    """A module of CUDA's packages; DeviceError where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        use, home = _USES[name]
        raise told(
            DeviceError(f"to {use} a GPU, {home} is needed, which is not installed ({error})"),
            INSTALL,
        ) from error


def library(name: str, module: str, probe: str, *arguments: Any) -> Any:
    """A module whose library is there as well, as a call of `probe` shows; DeviceError if not."""
    found = package(name)
    try:
        getattr(found, probe)(*arguments)
    except Exception as error:
        raise told(
            DeviceError(f"{module} is needed, and is not found ({error})"), INSTALL
        ) from error
    return found
