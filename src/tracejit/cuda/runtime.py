"""Everything that a kernel for a GPU may name, and the host's function."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.cuda.machine.products import add_product
from tracejit.cuda.machine.samplers import philox_randint, philox_random_integers, sampler
from tracejit.cuda.machine.shared import group, groups, shared, thread, threads, together
from tracejit.cuda.machine.teams import sum_teams
from tracejit.cuda.machine.views import affine
from tracejit.intrinsics.arithmetic import *  # noqa: F403
from tracejit.intrinsics.bits import *  # noqa: F403
from tracejit.intrinsics.cast import *  # noqa: F403
from tracejit.intrinsics.define import define
from tracejit.intrinsics.half import half_load, half_round, half_store
from tracejit.intrinsics.interrupt import pause
from tracejit.intrinsics.logic import *  # noqa: F403
from tracejit.intrinsics.memory import (
    apart,
    distinct,
    flat,
    outside,
    rows,
    shaped,
    strip,
    wrap,
)
from tracejit.intrinsics.philox import (
    checked,
    philox_first,
    philox_normal,
    philox_second,
    philox_word,
)
from tracejit.intrinsics.sizes import *  # noqa: F403
from tracejit.intrinsics.sorted import search_left, search_right, sorts_before
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
from tracejit.intrinsics.vecmath.functions import *  # noqa: F403
from tracejit.rng.table import SAMPLED


def _raise(context: Any, b: ir.IRBuilder, ty: Any, flag: ir.Value) -> ir.Value:
    where = context.make_array(ty)(context, b, flag).data
    b.store(ir.Constant(where.type.pointee, 1), where)
    return ir.Constant(ir.IntType(1), 0)


#: ``raise_flag(flag)``: note that NumPy would have raised.
raise_flag = define(
    "raise_flag",
    1,
    lambda flag: types.boolean if isinstance(flag, types.Array) else None,
    _raise,
    with_context=True,
)


def draw(name: str) -> Any:
    """The function that fills an array of the host's with a distribution's numbers."""
    from tracejit.rng.fill import draw

    return draw(name)


def __getattr__(name: str) -> Any:
    """Samplers of Philox by name."""
    if name.removeprefix("philox_") in SAMPLED:
        return sampler(name.removeprefix("philox_"))
    raise AttributeError(name)


__all__ = [
    "add_product",
    "affine",
    "apart",
    "checked",
    "distinct",
    "draw",
    "flat",
    "group",
    "groups",
    "half_load",
    "half_round",
    "half_store",
    "outside",
    "pause",
    "philox_first",
    "philox_normal",
    "philox_randint",
    "philox_random_integers",
    "philox_second",
    "philox_word",
    "radd_product",
    "raise_flag",
    "rows",
    "search_left",
    "search_right",
    "shaped",
    "shared",
    "sorts_before",
    "strip",
    "sum_add",
    "sum_add_product",
    "sum_block",
    "sum_carry",
    "sum_close",
    "sum_open",
    "sum_teams",
    "temporary",
    "thread",
    "threads",
    "together",
    "wrap",
]
