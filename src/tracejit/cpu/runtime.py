"""Everything that an emitted kernel may name."""

from __future__ import annotations

from typing import Any

from tracejit.cpu.library.arrayloops import ufunc_over
from tracejit.cpu.library.convolution import convolve
from tracejit.cpu.library.correlation import correlate
from tracejit.cpu.library.gufuncs import gufunc
from tracejit.cpu.library.hostcalls import host_call, host_result
from tracejit.cpu.library.loops import matmul_loop, ufunc_loop
from tracejit.cpu.library.positions import position_in
from tracejit.cpu.library.selection import middle_rows
from tracejit.cpu.library.sorting import argsort_rows, sort_rows
from tracejit.intrinsics.fetch import fetch
from tracejit.intrinsics.late import new_array
from tracejit.intrinsics.lines import aside, fence, put_aside, stream
from tracejit.intrinsics.masks import (
    compress,
    compress_rows,
    count_true,
    positions,
    put_number,
    put_true,
    put_true_again,
    put_true_rows,
)
from tracejit.intrinsics.memory import block_memory, copy_range, large_pages, slab
from tracejit.intrinsics.panels import pack, unpack
from tracejit.intrinsics.runtime import *  # noqa: F403
from tracejit.intrinsics.team import team
from tracejit.intrinsics.undo import undo, undo_log, undo_note, undo_notes
from tracejit.rng.table import SAMPLED


def __getattr__(name: str) -> Any:
    """Samplers of Philox by name."""
    if name.removeprefix("philox_") in SAMPLED:
        from tracejit.rng.philox_source import sampler

        return sampler(name.removeprefix("philox_"))
    raise AttributeError(name)


def __dir__() -> list[str]:
    return [*globals(), *(f"philox_{name}" for name in SAMPLED)]


__all__ = [
    "argsort_rows",
    "aside",
    "block_memory",
    "compress",
    "compress_rows",
    "convolve",
    "copy_range",
    "correlate",
    "count_true",
    "fence",
    "fetch",
    "gufunc",
    "host_call",
    "host_result",
    "large_pages",
    "matmul_loop",
    "middle_rows",
    "new_array",
    "pack",
    "position_in",
    "positions",
    "put_aside",
    "put_number",
    "put_true",
    "put_true_again",
    "put_true_rows",
    "slab",
    "sort_rows",
    "stream",
    "team",
    "ufunc_loop",
    "ufunc_over",
    "undo",
    "undo_log",
    "undo_note",
    "undo_notes",
    "unpack",
]
