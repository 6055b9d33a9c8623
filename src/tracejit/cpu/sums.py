"""Intrinsics of floating sums: reordered additions, and totals that carry their rounding error.

A total is a pair: the rounded sum, and what rounding has lost so far. Adding to it is Knuth's
two-sum. That is done once a block of elements, so it costs next to nothing, and the error of a
long sum is that of one block.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tracejit.cpu.intrinsic import call_llvm

_FLOATS = (types.float32, types.float64)


def _pair_of(total: Any) -> Any:
    """The element type of a total, or None."""
    if isinstance(total, types.UniTuple) and total.count == 2 and total.dtype in _FLOATS:
        return total.dtype
    return None


@intrinsic
def radd_product(typingctx: Any, total: Any, a: Any, b: Any) -> Any:
    """``total + a * b``: the addition may be reordered, and fused with the product."""
    if not total == a == b or total not in _FLOATS:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        acc, x, y = args
        product = builder.fmul(x, y, flags=("contract",))
        return builder.fadd(acc, product, flags=("reassoc", "contract"))

    return total(total, a, b), codegen


@intrinsic
def sum_open(typingctx: Any, zero: Any) -> Any:
    """A total of nothing yet, of the type of `zero`."""
    if zero not in _FLOATS:
        return None
    pair = types.UniTuple(zero, 2)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return context.make_tuple(builder, pair, [args[0], args[0]])

    return pair(zero), codegen


@intrinsic
def sum_carry(typingctx: Any, total: Any, part: Any) -> Any:
    """`total` and `part`, with the rounding error kept; no error where the sum is not finite."""
    if _pair_of(total) != part:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        pair, y = args
        x = builder.extract_value(pair, 0)
        rounded = builder.fadd(x, y)
        z = builder.fsub(rounded, x)
        lost = builder.fadd(builder.fsub(x, builder.fsub(rounded, z)), builder.fsub(y, z))
        size = call_llvm(builder, "llvm.fabs", rounded)
        finite = builder.fcmp_ordered("<", size, ir.Constant(x.type, float("inf")))
        lost = builder.select(finite, lost, ir.Constant(x.type, 0.0))
        pair = builder.insert_value(pair, rounded, 0)
        error = builder.fadd(builder.extract_value(pair, 1), lost)
        return builder.insert_value(pair, error, 1)

    return total(total, part), codegen


@intrinsic
def sum_close(typingctx: Any, total: Any) -> Any:
    """The sum that a total stands for."""
    element = _pair_of(total)
    if element is None:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        rounded, error = (builder.extract_value(args[0], k) for k in (0, 1))
        none = builder.fcmp_ordered("==", error, ir.Constant(error.type, 0.0))
        return builder.select(none, rounded, builder.fadd(rounded, error))

    return element(total), codegen
