"""Everything that an emitted kernel may name."""

from __future__ import annotations

from typing import Any

from tracejit.cpu.arrayloops import ufunc_over
from tracejit.cpu.cast import *  # noqa: F403
from tracejit.cpu.half import half_load, half_round, half_store
from tracejit.cpu.logic import *  # noqa: F403
from tracejit.cpu.loops import matmul_loop, ufunc_loop
from tracejit.cpu.memory import flat, outside, wrap
from tracejit.cpu.philox import philox_high, philox_low
from tracejit.cpu.scalar import *  # noqa: F403
from tracejit.cpu.sorting import argsort_rows, sort_rows
from tracejit.cpu.structure import rows
from tracejit.cpu.sums import (
    radd_product,
    sum_add,
    sum_add_product,
    sum_block,
    sum_carry,
    sum_close,
    sum_open,
)
from tracejit.cpu.vecmath import *  # noqa: F403
from tracejit.cpu.vecmath import logaddexp


def draw(name: str) -> Any:
    """The function that fills an array with a distribution's numbers; few programs need one."""
    from tracejit.rng.fill import draw

    return draw(name)


__all__ = [
    "argsort_rows",
    "draw",
    "flat",
    "half_load",
    "half_round",
    "half_store",
    "logaddexp",
    "matmul_loop",
    "outside",
    "philox_high",
    "philox_low",
    "radd_product",
    "rows",
    "sort_rows",
    "sum_add",
    "sum_add_product",
    "sum_block",
    "sum_carry",
    "sum_close",
    "sum_open",
    "ufunc_loop",
    "ufunc_over",
    "wrap",
]
