"""Kernels of PTX as libraries of the processor's; what they have done that no kernel may."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from translate import Translation

#: What a launch says that a kernel has done.
FAULTS = {
    1: "threads have ended that others wait for",
    2: "threads of a block wait at different barriers",
    3: "threads wait for each other for ever",
    4: "threads touch an element of shared memory at once, and one writes it",
    5: "blocks touch an element of an array, and one writes it",
    6: "a vector does not lie where it may be loaded or stored",
}


class Fault(Exception):
    """What no kernel may do, and one has done."""


class _Counts:
    """How many "loads" and "stores" of elements all kernels have made, and "vectors" of these."""

    def __init__(self) -> None:
        self.libraries: list[Any] = []

    def __getitem__(self, name: str) -> int:
        return sum(ctypes.c_uint64.in_dll(found, name).value for found in self.libraries)

    def clear(self) -> None:
        for found in self.libraries:
            for name in ("loads", "stores", "vectors"):
                ctypes.c_uint64.in_dll(found, name).value = 0


counts = _Counts()


@functools.cache
def library(ptx: str) -> Any:
    """A kernel's PTX as C: ``launch(parameters, grid, block, order)``, which gives 0 or a fault."""
    found = compiled(Translation(ptx).text())
    counts.libraries.append(found)
    return found


def compiled(text: str) -> Any:
    """The library of C's text."""
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    place = Path(tempfile.gettempdir()) / f"tracejit_ptx_{name}.so"
    if not place.exists():
        flags = "-O1 -ffp-contract=off -mfma -shared -fPIC -fwrapv -fno-strict-aliasing -w".split()
        made = place.with_suffix(f".{os.getpid()}")  # other processes may be about it, too
        command = ["gcc", *flags, "-x", "c", "-", "-o", str(made), "-lm"]
        subprocess.run(command, input=text.encode(), check=True)
        made.rename(place)
    return ctypes.CDLL(str(place))
