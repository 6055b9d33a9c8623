"""Intrinsics about arrays and accumulators: flat views of them, checked indices, exact sums."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tracejit.cpu.intrinsic import call_llvm


@intrinsic
def flat(typingctx: Any, array: Any) -> Any:
    """The elements of a C- or Fortran-contiguous array as a 1-D array, without a copy."""
    if not isinstance(array, types.Array) or array.layout not in "CF":
        return None
    result = types.Array(array.dtype, 1, "C", readonly=not array.mutable)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        source = context.make_array(array)(context, builder, args[0])
        target = context.make_array(result)(context, builder)
        itemsize = source.itemsize
        context.populate_array(
            target,
            data=source.data,
            shape=cgutils.pack_array(builder, [source.nitems]),
            strides=cgutils.pack_array(builder, [itemsize]),
            itemsize=itemsize,
            meminfo=None,
            parent=None,
        )
        return target._getvalue()

    return result(array), codegen


@intrinsic
def wrap(typingctx: Any, index: Any, length: Any) -> Any:
    """`index`, counted from the end where negative; 0 where out of bounds (see `outside`)."""
    if index != types.int64 or length != types.int64:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        i, n = args
        zero = ir.Constant(i.type, 0)
        positive = builder.select(builder.icmp_signed("<", i, zero), builder.add(i, n), i)
        inside = builder.icmp_unsigned("<", positive, n)
        return builder.select(inside, positive, zero)

    return types.int64(index, length), codegen


@intrinsic
def outside(typingctx: Any, index: Any, length: Any) -> Any:
    """Whether `index` is no position of an axis of `length` elements."""
    if index != types.int64 or length != types.int64:
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        i, n = args
        shifted = builder.add(i, n)
        below = builder.icmp_signed("<", shifted, ir.Constant(i.type, 0))
        return builder.or_(below, builder.icmp_signed(">=", i, n))

    return types.boolean(index, length), codegen


@intrinsic
def sum_error(typingctx: Any, a: Any, b: Any) -> Any:
    """What rounding lost in ``a + b``, exactly (Knuth's two-sum); 0 where the sum is not finite."""
    if a != b or a not in (types.float32, types.float64):
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        x, y = args
        total = builder.fadd(x, y)
        part = builder.fsub(total, x)
        error = builder.fadd(builder.fsub(x, builder.fsub(total, part)), builder.fsub(y, part))
        size = call_llvm(builder, "llvm.fabs", total)
        finite = builder.fcmp_ordered("<", size, ir.Constant(x.type, float("inf")))
        return builder.select(finite, error, ir.Constant(x.type, 0.0))

    return a(a, b), codegen


@intrinsic
def wide_vectors(typingctx: Any) -> Any:
    """Ask LLVM for 512-bit vectors in the function that calls this; gives 0."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        # llvmlite refuses attribute names that it does not know; the set underneath does not.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return ir.Constant(ir.IntType(64), 0)

    return types.int64(), codegen


@intrinsic
def radd_product(typingctx: Any, total: Any, a: Any, b: Any) -> Any:
    """``total + a * b``: the addition may be reordered, and fused with the product."""
    if not total == a == b or total not in (types.float32, types.float64):
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        acc, x, y = args
        product = builder.fmul(x, y, flags=("contract",))
        return builder.fadd(acc, product, flags=("reassoc", "contract"))

    return total(total, a, b), codegen
