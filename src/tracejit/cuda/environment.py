"""What machine code for a GPU depends on beside a kernel's text."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


@cache
def environment() -> bytes:
    """Versions of the compilers, and our own code."""
    import llvmlite
    import numba

    from tracejit.cuda.machine.ptx import linker, nvvm

    digest = hashlib.sha256()
    for part in (numba.__version__, llvmlite.__version__, nvvm().version(), linker().version()):
        digest.update(f"{part}\0".encode())
    package = Path(__file__).parent.parent
    for folder in ("cuda", "intrinsics", "lower/kernel", "rng"):
        for file in sorted(package.glob(f"{folder}/**/*.py")):
            digest.update(file.read_bytes())
    return digest.digest()
