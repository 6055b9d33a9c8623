"""NumPy's order of a sort: numbers by their size, NaN last; complex ones by their parts."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.intrinsics.define import complex_parts, define, is_nan, is_signed, kind


def _before(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
    match kind(ty):
        case "f":
            return _real_before(b, x, y)
        case "c":
            (x_real, x_imag), (y_real, y_imag) = complex_parts(b, x), complex_parts(b, y)
            # Numbers with a NaN come in the order of: none, an imaginary one, a real one, both.
            less = _real_before(b, x_real, y_real)
            more = _real_before(b, y_real, x_real)
            imaginary = _real_before(b, x_imag, y_imag)
            x_nan, y_nan = (is_nan(b, part) for part in (x_imag, y_imag))
            x_none, y_none = is_nan(b, x_real), is_nan(b, y_real)
            alike = b.icmp_unsigned("==", x_none, y_none)
            whole = b.and_(alike, b.xor(x_nan, y_nan))  # only one has a NaN there
            by_parts = b.or_(less, b.and_(b.not_(more), imaginary))
            return b.select(whole, y_nan, by_parts)
    test = b.icmp_signed if is_signed(ty) else b.icmp_unsigned
    return test("<", x, y)


def _real_before(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    less = b.fcmp_ordered("<", x, y)
    return b.or_(less, b.and_(is_nan(b, y), b.not_(is_nan(b, x))))


#: ``sorts_before(x, y)``: whether NumPy's sort puts `x` before `y`, whatever their places are.
sorts_before = define(
    "sorts_before",
    2,
    lambda x, y: types.boolean if kind(x) and x == y else None,
    _before,
)

__all__ = ["sorts_before"]
