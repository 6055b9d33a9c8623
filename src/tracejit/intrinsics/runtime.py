"""Everything that kernels of all targets may name."""

from __future__ import annotations

from typing import Any

from tracejit.intrinsics import arithmetic, bits, cast, logic, sizes
from tracejit.intrinsics.arithmetic import *  # noqa: F403
from tracejit.intrinsics.bits import *  # noqa: F403
from tracejit.intrinsics.cast import *  # noqa: F403
from tracejit.intrinsics.half import half_load, half_round, half_store
from tracejit.intrinsics.interrupt import pause
from tracejit.intrinsics.logic import *  # noqa: F403
from tracejit.intrinsics.memory import apart, distinct, flat, outside, rows, shaped, strip, wrap
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
from tracejit.intrinsics.temporary import temporary
from tracejit.intrinsics.vecmath import functions
from tracejit.intrinsics.vecmath.functions import *  # noqa: F403


def draw(name: str) -> Any:
    """The function that fills an array with a distribution's numbers; few programs need one."""
    from tracejit.rng.fill import draw

    return draw(name)


__all__ = [
    "apart",
    "checked",
    "distinct",
    "draw",
    "flat",
    "half_load",
    "half_round",
    "half_store",
    "outside",
    "pause",
    "philox_normal",
    "philox_word",
    "radd_product",
    "rows",
    "search_left",
    "search_right",
    "shaped",
    "strip",
    "sum_add",
    "sum_add_product",
    "sum_block",
    "sum_carry",
    "sum_close",
    "sum_open",
    "temporary",
    "wrap",
    *arithmetic.__all__,
    *bits.__all__,
    *cast.__all__,
    *functions.__all__,
    *logic.__all__,
    *sizes.__all__,
]
