"""Everything that a kernel for a GPU may name, and the host's function."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.cuda.machine.products import add_product
from tracejit.cuda.machine.samplers import (
    philox_binomial_after,
    philox_randint,
    philox_random_integers,
    sampler,
)
from tracejit.cuda.machine.shared import group, groups, shared, thread, threads, together
from tracejit.cuda.machine.teams import sum_teams
from tracejit.cuda.machine.views import affine
from tracejit.intrinsics.define import define
from tracejit.intrinsics.philox import philox_first, philox_second
from tracejit.intrinsics.runtime import *  # noqa: F403
from tracejit.intrinsics.sorted import sorts_before
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


def __getattr__(name: str) -> Any:
    """Samplers of Philox by name."""
    if name.removeprefix("philox_") in SAMPLED:
        return sampler(name.removeprefix("philox_"))
    raise AttributeError(name)


__all__ = [
    "add_product",
    "affine",
    "group",
    "groups",
    "philox_binomial_after",
    "philox_first",
    "philox_randint",
    "philox_random_integers",
    "philox_second",
    "raise_flag",
    "shared",
    "sorts_before",
    "sum_teams",
    "thread",
    "threads",
    "together",
]
