"""Intrinsics of floating sums: reordered additions, and totals that carry their rounding error.

A total is the sum of the open block, the rounded sum of those before, and what rounding has lost in
that. A block is added by Knuth's two-sum, which costs next to nothing once a block, and the error
of a long sum is that of one block. It is an error no longer where the sum is not finite.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tracejit.intrinsics.define import call_llvm

_FLOATS = (types.float32, types.float64)
_PART, _SUM, _ERROR = range(3)


def _element_of(total: Any) -> Any:
    """The element type of a total, or None."""
    if isinstance(total, types.UniTuple) and total.count == 3 and total.dtype in _FLOATS:
        return total.dtype
    return None


def _add_product(builder: ir.IRBuilder, total: ir.Value, x: ir.Value, y: ir.Value) -> ir.Value:
    product = builder.fmul(x, y, flags=("contract",))
    return builder.fadd(total, product, flags=("reassoc", "contract"))


def with_part_added(builder: ir.IRBuilder, total: ir.Value, y: ir.Value) -> ir.Value:
    """The total with `y` added to its sum, and the rounding error of that to its error."""
    x = builder.extract_value(total, _SUM)
    rounded = builder.fadd(x, y)
    z = builder.fsub(rounded, x)
    lost = builder.fadd(builder.fsub(x, builder.fsub(rounded, z)), builder.fsub(y, z))
    size = call_llvm(builder, "llvm.fabs", rounded)
    finite = builder.fcmp_ordered("<", size, ir.Constant(x.type, float("inf")))
    lost = builder.select(finite, lost, ir.Constant(x.type, 0.0))
    total = builder.insert_value(total, rounded, _SUM)
    error = builder.fadd(builder.extract_value(total, _ERROR), lost)
    return builder.insert_value(total, error, _ERROR)


@intrinsic
def radd_product(typingctx: Any, total: Any, a: Any, b: Any) -> Any:
    """``total + a * b``: the addition may be reordered, and fused with the product."""
    if not total == a == b or total not in _FLOATS:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return _add_product(builder, *args)

    return total(total, a, b), codegen


@intrinsic
def sum_open(typingctx: Any, zero: Any) -> Any:
    """A total of nothing yet, of the type of `zero`."""
    if zero not in _FLOATS:
        return None
    total = types.UniTuple(zero, 3)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return context.make_tuple(builder, total, [args[0]] * 3)

    return total(zero), codegen


@intrinsic
def sum_add(typingctx: Any, total: Any, value: Any) -> Any:
    """`total` with `value` added in its open block, where additions may be reordered."""
    if _element_of(total) != value:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        part = builder.extract_value(args[0], _PART)
        part = builder.fadd(part, args[1], flags=("reassoc",))
        return builder.insert_value(args[0], part, _PART)

    return total(total, value), codegen


@intrinsic
def sum_add_product(typingctx: Any, total: Any, a: Any, b: Any) -> Any:
    """`total` with ``a * b`` added in its open block, as `sum_add` and `radd_product` do."""
    if not _element_of(total) == a == b:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        part = _add_product(builder, builder.extract_value(args[0], _PART), *args[1:])
        return builder.insert_value(args[0], part, _PART)

    return total(total, a, b), codegen


@intrinsic
def sum_block(typingctx: Any, total: Any) -> Any:
    """`total` with its block added, and a new block open."""
    if _element_of(total) is None:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        part = builder.extract_value(args[0], _PART)
        carried = with_part_added(builder, args[0], part)
        return builder.insert_value(carried, ir.Constant(part.type, 0.0), _PART)

    return total(total), codegen


@intrinsic
def sum_carry(typingctx: Any, total: Any, value: Any) -> Any:
    """`total` with `value` added, and the rounding error kept."""
    if _element_of(total) != value:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return with_part_added(builder, *args)

    return total(total, value), codegen


@intrinsic
def sum_close(typingctx: Any, total: Any) -> Any:
    """The sum that a total stands for, its last block closed."""
    element = _element_of(total)
    if element is None:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rounded, error = (builder.extract_value(args[0], k) for k in (_SUM, _ERROR))
        none = builder.fcmp_ordered("==", error, ir.Constant(error.type, 0.0))
        return builder.select(none, rounded, builder.fadd(rounded, error))

    return element(total), codegen
