"""Everything that an emitted kernel may name."""

from __future__ import annotations

from typing import Any

from tracejit.cpu.library.arrayloops import ufunc_over
from tracejit.cpu.library.correlation import correlate
from tracejit.cpu.library.gufuncs import gufunc
from tracejit.cpu.library.loops import matmul_loop, ufunc_loop
from tracejit.cpu.library.positions import position_in
from tracejit.cpu.library.selection import middle_rows
from tracejit.cpu.library.sorting import argsort_rows, sort_rows
from tracejit.intrinsics.arithmetic import *  # noqa: F403
from tracejit.intrinsics.bits import *  # noqa: F403
from tracejit.intrinsics.cast import *  # noqa: F403
from tracejit.intrinsics.fetch import fetch
from tracejit.intrinsics.half import half_load, half_round, half_store
from tracejit.intrinsics.interrupt import pause
from tracejit.intrinsics.late import new_array
from tracejit.intrinsics.lines import aside, fence, put_aside, stream
from tracejit.intrinsics.logic import *  # noqa: F403
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
from tracejit.intrinsics.memory import (
    apart,
    block_memory,
    copy_range,
    distinct,
    flat,
    large_pages,
    outside,
    rows,
    shaped,
    slab,
    strip,
    wrap,
)
from tracejit.intrinsics.panels import pack, unpack
from tracejit.intrinsics.philox import checked, philox_normal, philox_word
from tracejit.intrinsics.sizes import *  # noqa: F403
from tracejit.intrinsics.sorted import search_left, search_right
from tracejit.intrinsics.sums import (
    radd_product,
    sum_add,
    sum_add_product,
    sum_block,
    sum_carry,
    sum_close,
    sum_open,
)
from tracejit.intrinsics.team import team
from tracejit.intrinsics.temporary import temporary
from tracejit.intrinsics.undo import undo, undo_log, undo_note, undo_notes
from tracejit.intrinsics.vecmath.functions import *  # noqa: F403
from tracejit.rng.table import SAMPLED


def draw(name: str) -> Any:
    """The function that fills an array with a distribution's numbers; few programs need one."""
    from tracejit.rng.fill import draw

    return draw(name)


def __getattr__(name: str) -> Any:
    """Samplers of Philox by name."""
    if name.removeprefix("philox_") in SAMPLED:
        from tracejit.rng.philox_source import sampler

        return sampler(name.removeprefix("philox_"))
    raise AttributeError(name)


def __dir__() -> list[str]:
    return [*globals(), *(f"philox_{name}" for name in SAMPLED)]


__all__ = [
    "apart",
    "argsort_rows",
    "aside",
    "block_memory",
    "checked",
    "compress",
    "compress_rows",
    "copy_range",
    "correlate",
    "count_true",
    "distinct",
    "draw",
    "fence",
    "fetch",
    "flat",
    "gufunc",
    "half_load",
    "half_round",
    "half_store",
    "large_pages",
    "matmul_loop",
    "middle_rows",
    "new_array",
    "outside",
    "pack",
    "pause",
    "philox_normal",
    "philox_word",
    "position_in",
    "positions",
    "put_aside",
    "put_number",
    "put_true",
    "put_true_again",
    "put_true_rows",
    "radd_product",
    "rows",
    "search_left",
    "search_right",
    "shaped",
    "slab",
    "sort_rows",
    "stream",
    "strip",
    "sum_add",
    "sum_add_product",
    "sum_block",
    "sum_carry",
    "sum_close",
    "sum_open",
    "team",
    "temporary",
    "ufunc_loop",
    "ufunc_over",
    "undo",
    "undo_log",
    "undo_note",
    "undo_notes",
    "unpack",
    "wrap",
]
