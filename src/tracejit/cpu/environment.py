"""What machine code depends on, for the names of compiled programs."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import itertools
import platform
from functools import cache
from pathlib import Path


@cache
def environment() -> bytes:
    """All that machine code depends on beside the source: versions, processor, our runtime."""
    import llvmlite
    import llvmlite.binding as llvm
    import numpy as np

    digest = hashlib.sha256()
    for part in (
        platform.python_version(),
        np.__version__,
        _version("scipy", "version.py"),
        _version("numba", "_version.py"),
        llvmlite.__version__,
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    ):
        digest.update(part.encode() + b"\0")
    package = Path(__file__).parent.parent
    folders = ("cpu", "intrinsics", "lower/kernel", "native", "rng")
    parts = (sorted(package.glob(f"{folder}/**/*.py")) for folder in folders)
    for file in itertools.chain(*parts):
        digest.update(file.read_bytes())
    return digest.digest()


def _version(package: str, file: str) -> str:
    """What tells a package's version: its `file` does, which takes no import."""
    found = importlib.util.find_spec(package)
    for folder in found.submodule_search_locations or () if found is not None else ():
        with contextlib.suppress(OSError):
            return (Path(folder) / file).read_text(encoding="utf-8")
    version: str = importlib.import_module(package).__version__
    return version
