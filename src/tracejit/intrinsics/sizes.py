"""The size of a complex number, where only a limit of it is asked: seldom a root is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.intrinsics.define import call_llvm, define
from tracejit.intrinsics.vecmath.builder import BINARY64, Real
from tracejit.intrinsics.vecmath.roots import hypot

__all__ = ["size_fits", "size_greater", "size_greater_equal", "size_less", "size_less_equal"]

_DOUBLE = ir.DoubleType()
#: What the square of a size may be off by, in parts of it, and limits whose squares are numbers.
_MARGIN, _LEAST, _MOST = 2.0**-40, 1e-140, 1e140


def _number(value: float) -> ir.Constant:
    return ir.Constant(_DOUBLE, value)


def _all(b: ir.IRBuilder, *tests: ir.Value) -> ir.Value:
    result = tests[0]
    for test in tests[1:]:
        result = b.and_(result, test)
    return result


def _chosen(
    b: ir.IRBuilder, usual: ir.Value, value: ir.Value, seldom: Callable[[], ir.Value]
) -> ir.Value:
    """A truth value: the one that is known where that is `usual`."""
    before = b.block
    with b.if_then(b.not_(usual), likely=False):
        other = seldom()
        inside = b.block
    result = b.phi(ir.IntType(1))
    result.add_incoming(value, before)
    result.add_incoming(other, inside)
    return result


def _size(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    value: ir.Value = hypot(Real(b, BINARY64, x), Real(b, BINARY64, y)).value
    return value


def _square(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return b.fadd(b.fmul(x, x), b.fmul(y, y))


def _compared(sign: str) -> Any:
    def emit(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value, limit: ir.Value) -> ir.Value:
        square, bound = _square(b, x, y), b.fmul(limit, limit)
        below = b.fcmp_ordered("<", square, b.fmul(bound, _number(1 - _MARGIN)))
        above = b.fcmp_ordered(">", square, b.fmul(bound, _number(1 + _MARGIN)))
        usual = _all(
            b,
            b.or_(below, above),
            b.fcmp_ordered(">", limit, _number(_LEAST)),
            b.fcmp_ordered("<", limit, _number(_MOST)),
        )
        known = below if sign.startswith("<") else above
        return _chosen(b, usual, known, lambda: b.fcmp_ordered(sign, _size(b, x, y), limit))

    return emit


def _fits(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value) -> ir.Value:
    infinity = _number(float("inf"))

    def exactly() -> ir.Value:
        size, *parts = (call_llvm(b, "llvm.fabs", v) for v in (_size(b, x, y), x, y))
        tests = [b.fcmp_unordered("!=", size, infinity)]
        tests += [b.fcmp_ordered("==", part, infinity) for part in parts]
        return b.or_(b.or_(*tests[:2]), tests[2])

    usual = b.fcmp_ordered("<", _square(b, x, y), infinity)
    return _chosen(b, usual, ir.Constant(ir.IntType(1), 1), exactly)


def _truth(*operands: Any) -> Any:
    return types.boolean if all(ty == types.float64 for ty in operands) else None


size_less = define("size_less", 3, _truth, _compared("<"))
size_less_equal = define("size_less_equal", 3, _truth, _compared("<="))
size_greater = define("size_greater", 3, _truth, _compared(">"))
size_greater_equal = define("size_greater_equal", 3, _truth, _compared(">="))
size_fits = define("size_fits", 2, _truth, _fits)
