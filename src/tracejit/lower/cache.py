"""Where compiled programs are kept: source files named by their content, in a private directory.

A file's name is the digest of its text and of all that its machine code depends on, so a stale
entry is never met. Numba keeps the machine code beside the file.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import tempfile
import warnings
from functools import cache
from pathlib import Path

from tracejit.config import config


@cache
def cache_dir() -> Path | None:
    """The cache directory, made if it is missing; None, with one warning, if it cannot be used.

    It is `$XDG_CACHE_HOME/tracejit` (`~/.cache/tracejit`): ours alone, mode 0700, no link.
    """
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    place = Path(root) / "tracejit"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = os.lstat(place)
        if not stat.S_ISDIR(status.st_mode):
            raise OSError("it is not a directory")
        if hasattr(os, "getuid") and status.st_uid != os.getuid():
            raise OSError("it belongs to another user")
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.chmod(place, 0o700)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        warnings.warn(
            f"tracejit keeps no compiled code: {place}: {error}; set XDG_CACHE_HOME to a "
            "directory of your own",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return place


@cache
def _environment() -> bytes:
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
    for file in sorted([*package.glob("cpu/*.py"), *package.glob("rng/*.py")]):
        digest.update(file.read_bytes())
    return digest.digest()


def module_name(text: str) -> str:
    """The name of the module whose source is `text`."""
    return "tracejit_" + hashlib.sha256(_environment() + text.encode()).hexdigest()[:32]


def source_file(name: str, text: str) -> Path | None:
    """The file of module `name`, written if it is missing or damaged; None if uncached."""
    place = cache_dir() if config.cache else None
    if place is None:
        return None
    path = place / f"{name}.py"
    try:
        if path.is_file() and not path.is_symlink() and path.read_text() == text:
            return path
        handle, temporary = tempfile.mkstemp(dir=place, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        return None
    return path


def forget(path: Path) -> None:
    """Remove the machine code kept for a source file."""
    for entry in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        entry.unlink(missing_ok=True)
