"""Numbers of Philox that are tried until one fits, as loops in the kernel that needs them.

The CPU's are functions that Numba compiles (`rng.philox_source`). These are made of the same
Python; integers, which are tried by their bits, are written here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.cuda.machine.python import Source, call, sampled
from tracejit.intrinsics.define import define
from tracejit.intrinsics.philox import block_of
from tracejit.rng import legacy
from tracejit.rng.philox import GAP
from tracejit.rng.table import DISTRIBUTIONS

_INT = ir.IntType(64)


def _below(
    b: ir.IRBuilder, key: ir.Value, draw: ir.Value, place: ir.Value, most: ir.Value
) -> ir.Value:
    """An integer from 0 to `most`: masked words until one fits; 0 if `most` is not positive.

    A word is the upper half of one of 64 bits; beyond 32 bits, an integer is of two of them.
    """
    mask = most
    for shift in (1, 2, 4, 8, 16, 32):
        mask = b.or_(mask, b.lshr(mask, _INT(shift)))
    wide = b.icmp_unsigned(">", most, _INT(0xFFFFFFFF))
    step = b.select(wide, _INT(2), _INT(1))
    start = b.mul(place, _INT(GAP))
    before = b.block
    tried, done = b.append_basic_block(), b.append_basic_block()
    b.cbranch(b.icmp_signed(">", most, _INT(0)), tried, done)

    b.position_at_end(tried)
    at = b.phi(_INT)
    first, second = block_of(b, key, draw, b.add(start, b.lshr(at, _INT(1))))
    odd = b.icmp_unsigned("!=", b.and_(at, _INT(1)), _INT(0))
    word = b.lshr(b.select(odd, second, first), _INT(32))
    both = b.or_(b.shl(b.lshr(first, _INT(32)), _INT(32)), b.lshr(second, _INT(32)))
    value = b.and_(b.select(wide, both, word), mask)
    at.add_incoming(_INT(0), before)
    at.add_incoming(b.add(at, step), b.block)
    b.cbranch(b.icmp_unsigned("<=", value, most), done, tried)

    b.position_at_end(done)
    found = b.phi(_INT)
    found.add_incoming(_INT(0), before)
    found.add_incoming(value, tried)
    return found


def _integers(name: str, most: Callable[[ir.IRBuilder, ir.Value, ir.Value], ir.Value]) -> Any:
    """The intrinsic of a key, a draw, a place, and the bounds of an integer."""

    def result(*operands: Any) -> Any:
        wanted = (types.uint64,) * 3 + (types.int64,) * 2
        return types.int64 if operands == wanted else None

    def emit(b: ir.IRBuilder, ty: Any, *operands: ir.Value) -> ir.Value:
        key, draw, place, low, high = operands
        return b.add(low, _below(b, key, draw, place, most(b, low, high)))

    return define(name, 5, result, emit)


philox_randint = _integers("philox_randint", lambda b, low, high: b.sub(b.sub(high, _INT(1)), low))
philox_random_integers = _integers("philox_random_integers", lambda b, low, high: b.sub(high, low))


@functools.cache
def sampler(name: str) -> Any:
    """The intrinsic of a key, a draw, a place, and the parameters of a distribution."""
    row = DISTRIBUTIONS[name]
    kinds = {"f": types.float64, "i": types.int64}
    wanted = (types.uint64,) * 3 + tuple(kinds[k] for k in row.parameters)

    def result(*operands: Any) -> Any:
        return kinds[row.result] if operands == wanted else None

    def emit(b: ir.IRBuilder, ty: Any, *operands: ir.Value) -> ir.Value:
        return sampled(b, getattr(legacy, name), *operands)

    return define(f"philox_{name}", len(wanted), result, emit)


def _after(context: Any, b: ir.IRBuilder, tys: Any, *operands: ir.Value) -> ir.Value:
    key, draw, place, used, at, n, p = operands
    noted = context.make_array(tys[3])(context, b, used).data
    s = Source(key, draw, b.mul(place, _INT(GAP)), b.gep(noted, [at]))
    return call(b, legacy.binomial, (s, n, p))


def _counted(*operands: Any) -> Any:
    *first, used, at, n, p = operands
    fits = isinstance(used, types.Array) and (used.dtype, used.ndim) == (types.int64, 1)
    whole = all(ty == types.uint64 for ty in first) and (at, n) == (types.int64,) * 2
    return types.int64 if fits and whole and p == types.float64 else None


#: A binomial number behind those that a place has had: of a key, a draw, a place, an array of how
#: many words places have had, where it has this one's, and the parameters.
philox_binomial_after = define(
    "philox_binomial_after", 7, _counted, _after, all_types=True, with_context=True
)

__all__ = ["philox_binomial_after", "philox_randint", "philox_random_integers", "sampler"]
