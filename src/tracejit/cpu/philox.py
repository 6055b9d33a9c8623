"""Philox4x32-10 as instructions in the loop that needs the numbers (see `rng.philox`)."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.cpu.intrinsic import define
from tracejit.rng.philox import MULTIPLIERS, ROUNDS, WEYL

_INT = ir.IntType(64)


def _number(value: int) -> ir.Constant:
    return ir.Constant(_INT, value)


def _words(b: ir.IRBuilder, key: Any, draw: Any, index: Any) -> list[ir.Value]:
    low, shift = _number(0xFFFFFFFF), _number(32)
    c = [b.and_(index, low), b.lshr(index, shift), b.and_(draw, low), b.lshr(draw, shift)]
    k = [b.and_(key, low), b.lshr(key, shift)]
    for r in range(ROUNDS):
        p, q = b.mul(_number(MULTIPLIERS[0]), c[0]), b.mul(_number(MULTIPLIERS[1]), c[2])
        first, second = (
            b.and_(b.add(k[j], _number(r * WEYL[j] & 0xFFFFFFFF)), low) for j in (0, 1)
        )
        c = [
            b.xor(b.xor(b.lshr(q, shift), c[1]), first),
            b.and_(q, low),
            b.xor(b.xor(b.lshr(p, shift), c[3]), second),
            b.and_(p, low),
        ]
    return c


def _result(*operands: Any) -> Any:
    return types.uint64 if all(ty == types.uint64 for ty in operands) else None


def _half(which: int) -> Any:
    def emit(b: ir.IRBuilder, ty: Any, *operands: ir.Value) -> ir.Value:
        words = _words(b, *operands)
        return b.or_(b.shl(words[which], _number(32)), words[which + 1])

    return emit


philox_high = define("philox_high", 3, _result, _half(0))
philox_low = define("philox_low", 3, _result, _half(2))

__all__ = ["philox_high", "philox_low"]
