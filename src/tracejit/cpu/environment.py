"""What machine code depends on, for the names of compiled programs."""

from __future__ import annotations

import hashlib
import itertools
import platform
from functools import cache
from pathlib import Path


@cache
def environment() -> bytes:
    """All that machine code depends on beside the source: versions, processor, our runtime."""
    import llvmlite
    import llvmlite.binding as llvm
    import numba
    import numpy as np
    import scipy

    digest = hashlib.sha256()
    for part in (
        platform.python_version(),
        np.__version__,
        scipy.__version__,
        numba.__version__,
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
