"""Casts between kernel types, as `ndarray.astype` makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.intrinsics.define import (
    NUMBER,
    Emit,
    call_llvm,
    complex_pair,
    complex_parts,
    constant,
    define,
    is_signed,
    is_true,
    kind,
    zero,
)
from tracejit.intrinsics.half import round_double, round_single

__all__ = [
    "to_bool",
    "to_complex64",
    "to_complex128",
    "to_float32",
    "to_float64",
    "to_half",
    "to_int8",
    "to_int16",
    "to_int32",
    "to_int64",
    "to_uint8",
    "to_uint16",
    "to_uint32",
    "to_uint64",
]

_FLOATS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}
_PART = {types.complex64: types.float32, types.complex128: types.float64}


def _resize(b: ir.IRBuilder, value: ir.Value, width: int, signed: bool) -> ir.Value:
    target = ir.IntType(width)
    if width <= value.type.width:
        return value if width == value.type.width else b.trunc(value, target)
    return b.sext(value, target) if signed else b.zext(value, target)


def _truncate(b: ir.IRBuilder, value: ir.Value, width: int) -> ir.Value:
    """To a signed integer; values out of range and nan give the smallest one.

    That is the result of the x86 instruction.  A bare `fptosi` would give poison instead, which
    LLVM may turn into anything once it reaches an index or a branch.
    """
    target = ir.IntType(width)
    limit = constant(value, 2.0 ** (width - 1))
    fits = b.fcmp_ordered("<", call_llvm(b, "llvm.fabs", value), limit)
    smallest = ir.Constant(target, -(1 << (width - 1)))
    return b.select(fits, b.fptosi(value, target), smallest)


def _float_to_int(b: ir.IRBuilder, value: ir.Value, ty: Any) -> ir.Value:
    """As compilers for x86 do it, so NumPy's result for most values out of range too."""
    if ty not in (types.uint32, types.uint64):
        through = 64 if ty == types.int64 else 32
        return _resize(b, _truncate(b, value, through), ty.bitwidth, signed=True)
    # The upper half of the range is moved down, and the top bit put back.
    width = ty.bitwidth
    limit = constant(value, 2.0 ** (width - 1))
    high = b.fcmp_ordered(">=", value, limit)
    low = _truncate(b, b.select(high, b.fsub(value, limit), value), width)
    return b.xor(low, b.select(high, constant(low, 1 << (width - 1)), zero(low)))


def _to_int(ty: Any) -> Emit:
    def emit(b: ir.IRBuilder, source: Any, x: ir.Value) -> ir.Value:
        match kind(source):
            case "f":
                return _float_to_int(b, x, ty)
            case "c":
                return _float_to_int(b, complex_parts(b, x)[0], ty)
        return _resize(b, x, ty.bitwidth, is_signed(source))

    return emit


def _to_float(ty: Any) -> Emit:
    target = _FLOATS[ty]

    def emit(b: ir.IRBuilder, source: Any, x: ir.Value) -> ir.Value:
        if kind(source) == "c":
            x = complex_parts(b, x)[0]
        if x.type == target:
            return x
        match kind(source):
            case "f" | "c":
                return (b.fpext if ty == types.float64 else b.fptrunc)(x, target)
            case "i":
                return b.sitofp(x, target)
        return b.uitofp(x, target)

    return emit


def _to_complex(ty: Any) -> Emit:
    part = _to_float(_PART[ty])

    def emit(b: ir.IRBuilder, source: Any, x: ir.Value) -> ir.Value:
        if kind(source) == "c":
            parts = (part(b, _PART[source], value) for value in complex_parts(b, x))
            return complex_pair(b, *parts)
        real = part(b, source, x)
        return complex_pair(b, real, zero(real))

    return emit


def _to_half(context: Any, b: ir.IRBuilder, source: Any, x: ir.Value) -> ir.Value:
    if kind(source) == "c":
        x = complex_parts(b, x)[0]
    if isinstance(x.type, ir.DoubleType):
        return round_double(context, b, x)
    # An integer that float32 rounds is far beyond the largest half: nothing is rounded twice.
    return round_single(context, b, _to_float(types.float32)(b, _PART.get(source, source), x))


def _cast(name: str, ty: Any, emit: Callable[..., ir.Value], with_context: bool = False) -> Any:
    return define(
        name,
        1,
        lambda source: ty if kind(source) and kind(source) in NUMBER else None,
        emit,
        with_context=with_context,
    )


to_bool = _cast("to_bool", types.boolean, is_true)
to_int8 = _cast("to_int8", types.int8, _to_int(types.int8))
to_int16 = _cast("to_int16", types.int16, _to_int(types.int16))
to_int32 = _cast("to_int32", types.int32, _to_int(types.int32))
to_int64 = _cast("to_int64", types.int64, _to_int(types.int64))
to_uint8 = _cast("to_uint8", types.uint8, _to_int(types.uint8))
to_uint16 = _cast("to_uint16", types.uint16, _to_int(types.uint16))
to_uint32 = _cast("to_uint32", types.uint32, _to_int(types.uint32))
to_uint64 = _cast("to_uint64", types.uint64, _to_int(types.uint64))
to_float32 = _cast("to_float32", types.float32, _to_float(types.float32))
to_float64 = _cast("to_float64", types.float64, _to_float(types.float64))
to_complex64 = _cast("to_complex64", types.complex64, _to_complex(types.complex64))
to_complex128 = _cast("to_complex128", types.complex128, _to_complex(types.complex128))
# The value of a kernel's float16: a float32 that half precision holds.
to_half = _cast("to_half", types.float32, _to_half, with_context=True)
