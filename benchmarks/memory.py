"""Memory of this process, as the kernel counts it."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

MEGABYTE = 1e6


def resident() -> float:
    """Megabytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / MEGABYTE


def peak() -> float:
    """The most megabytes that this process has had in memory.

    Not as ``getrusage`` tells it, which begins a program with the peak of the process that forked.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [line] = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / MEGABYTE


def peak_above(call: Callable[[], Any]) -> float:
    """The most megabytes that `call` adds to the process while it runs.

    The kernel's high-water mark is reset before the call where the kernel lets us; where it does
    not, the compiler's own peak can only make the figure larger.
    """
    before = resident()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    result = call()
    above = peak() - before
    del result
    return above
