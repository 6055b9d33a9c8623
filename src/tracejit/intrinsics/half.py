"""Half precision for kernels.

Kernels compute float16 in float32 registers whose values half precision holds.  LLVM's own half
type becomes one instruction where the processor converts in hardware (F16C, AArch64), and a call
of a support routine that a JIT process may not have elsewhere, so there the conversion is written
out in integer arithmetic; it is free of branches too.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.intrinsics.define import constant, define

__all__ = [
    "half_from_float64",
    "half_load",
    "half_round",
    "half_store",
    "narrow",
    "round_double",
    "round_single",
    "widen",
]

_U16, _U32, _U64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_SINGLE = ir.FloatType()


def _in_hardware(context: Any) -> bool:
    triple, _, features = context.codegen().magic_tuple()
    return "+f16c" in features.split(",") or triple.startswith(("aarch64", "arm64"))


def _widen_in_software(b: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    word = b.zext(bits, _U32)
    magnitude = b.and_(word, constant(word, 0x7FFF))
    shifted = b.shl(magnitude, constant(word, 13))
    # The exponent is too small by 112 now; the product is exact, for subnormal halves as well.
    scaled = b.bitcast(b.fmul(b.bitcast(shifted, _SINGLE), ir.Constant(_SINGLE, 2.0**112)), _U32)
    special = b.or_(shifted, constant(word, 0x7F800000))
    is_special = b.icmp_unsigned(">=", magnitude, constant(word, 0x7C00))
    sign = b.shl(b.and_(word, constant(word, 0x8000)), constant(word, 16))
    return b.bitcast(b.or_(b.select(is_special, special, scaled), sign), _SINGLE)


def _narrow_in_software(b: ir.IRBuilder, value: ir.Value) -> ir.Value:
    word = b.bitcast(value, _U32)
    magnitude = b.and_(word, constant(word, 0x7FFFFFFF))
    # Normal results: round to even at bit 13, the carry goes on into the exponent.
    odd = b.and_(b.lshr(magnitude, constant(word, 13)), constant(word, 1))
    rebased = b.add(magnitude, constant(word, (0xFFF - (112 << 23)) & 0xFFFFFFFF))
    normal = b.lshr(b.add(rebased, odd), constant(word, 13))
    # Subnormal results: the addition of 1/2 rounds at the last place of a half.
    shifted = b.fadd(b.bitcast(magnitude, _SINGLE), ir.Constant(_SINGLE, 0.5))
    subnormal = b.sub(b.bitcast(shifted, _U32), constant(word, 0x3F000000))
    is_nan = b.icmp_unsigned(">", magnitude, constant(word, 0x7F800000))
    special = b.select(is_nan, constant(word, 0x7E00), constant(word, 0x7C00))
    is_tiny = b.icmp_unsigned("<", magnitude, constant(word, 113 << 23))
    is_large = b.icmp_unsigned(">=", magnitude, constant(word, 143 << 23))
    half = b.select(is_large, special, b.select(is_tiny, subnormal, normal))
    sign = b.lshr(b.and_(word, constant(word, 0x80000000)), constant(word, 16))
    return b.trunc(b.or_(half, sign), _U16)


def widen(context: Any, b: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    """The float32 value of a half."""
    if _in_hardware(context):
        return b.fpext(b.bitcast(bits, ir.HalfType()), _SINGLE)
    return _widen_in_software(b, bits)


def narrow(context: Any, b: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """The half nearest to a float32 value, ties to even."""
    if _in_hardware(context):
        return b.bitcast(b.fptrunc(value, ir.HalfType()), _U16)
    return _narrow_in_software(b, value)


def round_single(context: Any, b: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """A float32 value, rounded to half precision."""
    return widen(context, b, narrow(context, b, value))


def round_double(context: Any, b: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """A float64 value, rounded once to half precision, as a float32 value.

    The significand is cut to the 24 bits of float32, and its last bit set if anything was lost
    (rounding to odd).  The conversion to float32 is then exact, or in a range where every half is
    zero or infinite, and the second rounding sees on which side of a tie the value was.
    """
    bits = b.bitcast(value, _U64)
    below = (1 << 29) - 1
    lost = b.and_(bits, constant(bits, below))
    sticky = b.and_(b.add(lost, constant(bits, below)), constant(bits, below + 1))
    kept = b.or_(b.and_(bits, constant(bits, ~below & (1 << 64) - 1)), sticky)
    return round_single(context, b, b.fptrunc(b.bitcast(kept, ir.DoubleType()), _SINGLE))


def _exactly(source: Any, target: Any) -> Any:
    return lambda operand: target if operand == source else None


half_load = define(
    "half_load",
    1,
    _exactly(types.uint16, types.float32),
    lambda context, b, ty, x: widen(context, b, x),
    with_context=True,
)
half_store = define(
    "half_store",
    1,
    _exactly(types.float32, types.uint16),
    lambda context, b, ty, x: narrow(context, b, x),
    with_context=True,
)
half_round = define(
    "half_round",
    1,
    _exactly(types.float32, types.float32),
    lambda context, b, ty, x: round_single(context, b, x),
    with_context=True,
)
half_from_float64 = define(
    "half_from_float64",
    1,
    _exactly(types.float64, types.float32),
    lambda context, b, ty, x: round_double(context, b, x),
    with_context=True,
)
