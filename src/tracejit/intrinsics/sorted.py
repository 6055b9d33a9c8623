"""NumPy's order of a sort: numbers by their size, NaN last; complex ones by their parts."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from tracejit.intrinsics.define import complex_parts, define, is_nan, is_signed, kind
from tracejit.intrinsics.elements import element_address

_INT = ir.IntType(64)


def before(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
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
    before,
)


def _search(
    context: Any, b: ir.IRBuilder, tys: Any, array: ir.Value, value: ir.Value, right: bool
) -> ir.Value:
    """How many elements of a sorted array come before a value, or do not come after it."""
    model = context.data_model_manager[tys[0].dtype]
    place = context.data_model_manager[tys[0]].get_field_position("shape")
    count = b.extract_value(b.extract_value(array, place), 0)
    found = cgutils.alloca_once_value(b, count)

    def element(at: ir.Value) -> ir.Value:
        address = element_address(context, b, tys[0], array, (at,), rows=tys[0].layout == "C")
        return model.from_data(b, b.load(address))

    def comes(at: ir.Value) -> ir.Value:
        x = element(at)
        return b.not_(before(b, tys[1], value, x)) if right else before(b, tys[1], x, value)

    def real_comes(at: ir.Value) -> ir.Value:  # NaN is greater than all numbers
        return b.fcmp_ordered("<=" if right else "<", element(at), value)

    def is_number(at: ir.Value) -> ir.Value:
        return b.not_(is_nan(b, element(at)))

    if kind(tys[1]) != "f":
        _halve(b, count, found, comes)
        return b.load(found)
    with b.if_else(is_nan(b, value), likely=False) as (none, number):
        with none:
            if not right:
                _halve(b, count, found, is_number)
        with number:
            _halve(b, count, found, real_comes)
    return b.load(found)


def _halve(b: ir.IRBuilder, count: ir.Value, found: ir.Value, comes: Any) -> None:
    """Find the first place that does not come: by choices, as jumps would not be foreseen."""
    left = cgutils.alloca_once_value(b, count)
    b.store(_INT(0), found)
    more, step, last, end = (
        b.append_basic_block(name) for name in ("search", "step", "last", "ended")
    )
    b.cbranch(b.icmp_signed(">", count, _INT(0)), more, end)
    b.position_at_end(more)
    size, start = b.load(left), b.load(found)
    b.cbranch(b.icmp_signed(">", size, _INT(1)), step, last)
    b.position_at_end(step)
    half = b.lshr(size, _INT(1))
    at = b.add(start, half)
    chosen = b.select(comes(b.sub(at, _INT(1))), at, start)
    chosen.set_metadata("unpredictable", b.module.add_metadata([]))
    b.store(chosen, found)
    b.store(b.sub(size, half), left)
    b.branch(more)
    b.position_at_end(last)
    b.store(b.add(start, b.zext(comes(start), _INT)), found)
    b.branch(end)
    b.position_at_end(end)


def _searching(side: str) -> Any:
    def result(array: Any, value: Any) -> Any:
        fits = isinstance(array, types.Array) and array.ndim == 1 and array.dtype == value
        return types.int64 if fits and kind(value) else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, array: ir.Value, value: ir.Value) -> ir.Value:
        return _search(context, b, tys, array, value, side == "right")

    return define(f"search_{side}", 2, result, emit, all_types=True, with_context=True)


#: ``search_left(array, value)``: how many elements of a sorted array come before a value.
search_left = _searching("left")
#: ``search_right(array, value)``: how many do not come after it.
search_right = _searching("right")

__all__ = ["search_left", "search_right", "sorts_before"]
