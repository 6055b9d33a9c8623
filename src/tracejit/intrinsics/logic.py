"""Comparisons, truth values and bits with NumPy's semantics, as Numba intrinsics."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.intrinsics.define import (
    BOOL,
    COMPLEX,
    INT,
    NUMBER,
    REAL,
    Emit,
    binary,
    call_llvm,
    complex_pair,
    complex_parts,
    constant,
    define,
    is_nan,
    is_signed,
    is_true,
    kind,
    truth,
    unary,
    zero,
)

__all__ = [
    "bit_and",
    "bit_or",
    "bit_xor",
    "bitwise_count",
    "compare_complex",
    "eq",
    "ge",
    "gt",
    "invert",
    "isfinite",
    "isinf",
    "isnan",
    "larger_complex",
    "larger_number",
    "le",
    "left_shift",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
    "right_shift",
    "select",
    "signbit",
    "smaller_complex",
    "smaller_number",
    "told",
]


# --- bits -----------------------------------------------------------------------------------


def _shift(b: ir.IRBuilder, ty: Any, x: ir.Value, y: ir.Value, left: bool) -> ir.Value:
    """Shifts of the width or more, or by a negative count, push every bit out."""
    in_range = b.icmp_unsigned("<", y, constant(y, x.type.width))
    count = b.select(in_range, y, zero(y))
    if left:
        return b.select(in_range, b.shl(x, count), zero(x))
    if not is_signed(ty):
        return b.select(in_range, b.lshr(x, count), zero(x))
    return b.ashr(x, b.select(in_range, y, constant(y, x.type.width - 1)))


def _bitwise_count(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
    if is_signed(ty):  # the bits of the absolute value
        x = b.select(b.icmp_signed("<", x, zero(x)), b.sub(zero(x), x), x)
    count = call_llvm(b, "llvm.ctpop", x)
    byte = ir.IntType(8)
    return count if count.type == byte else b.trunc(count, byte)


def _byte_from_int(ty: Any) -> Any:
    return types.uint8 if kind(ty) and kind(ty) in INT else None


left_shift = binary("left_shift", INT, lambda b, ty, x, y: _shift(b, ty, x, y, left=True))
right_shift = binary("right_shift", INT, lambda b, ty, x, y: _shift(b, ty, x, y, left=False))
bit_and = binary("bit_and", BOOL + INT, lambda b, ty, x, y: b.and_(x, y))
bit_or = binary("bit_or", BOOL + INT, lambda b, ty, x, y: b.or_(x, y))
bit_xor = binary("bit_xor", BOOL + INT, lambda b, ty, x, y: b.xor(x, y))
invert = unary("invert", BOOL + INT, lambda b, ty, x: b.not_(x))
bitwise_count = define("bitwise_count", 1, _byte_from_int, _bitwise_count)


# --- conditions met in a loop -----------------------------------------------------------------


def _told(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
    """The same condition, which LLVM cannot see.

    What it does with a branch it does to the loop before it, too: by a `freeze` of the condition
    there, the loop is no longer vectorised.
    """
    word = ir.IntType(64)
    same = ir.InlineAsm(ir.FunctionType(word, [word]), "", "=r,0")
    return b.icmp_unsigned("!=", b.call(same, [b.zext(x, word)]), ir.Constant(word, 0))


told = define("told", 1, truth(BOOL), _told)


# --- comparisons, truth ---------------------------------------------------------------------


def _comparable(kinds: str) -> Any:
    equal_types = truth(kinds)
    mixed = ((types.int64, types.uint64), (types.uint64, types.int64))
    return lambda x, y: types.boolean if (x, y) in mixed else equal_types(x, y)


def _compare_mixed(b: ir.IRBuilder, op: str, x: ir.Value, y: ir.Value, x_signed: bool) -> ir.Value:
    """int64 against uint64: a negative number is below every unsigned one."""
    signed = x if x_signed else y
    is_negative = b.icmp_signed("<", signed, zero(signed))
    below = op in (("<", "<=", "!=") if x_signed else (">", ">=", "!="))
    return b.select(is_negative, ir.Constant(ir.IntType(1), int(below)), b.icmp_unsigned(op, x, y))


def compare_complex(b: ir.IRBuilder, op: str, x: ir.Value, y: ir.Value) -> ir.Value:
    """NumPy's order: by real parts, by imaginary parts where those are equal; none with nan."""
    (xr, xi), (yr, yi) = complex_parts(b, x), complex_parts(b, y)
    real, imag = _compare_floats(b, op, xr, yr), _compare_floats(b, op, xi, yi)
    if op in ("==", "!="):
        return b.and_(real, imag) if op == "==" else b.or_(real, imag)
    beyond = b.and_(b.fcmp_ordered(op[0], xr, yr), b.fcmp_ordered("ord", xi, yi))
    return b.or_(beyond, b.and_(b.fcmp_ordered("==", xr, yr), imag))


def _below(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """Whether a complex number is less than another by its real part alone, and none is nan."""
    (xr, xi), (yr, yi) = complex_parts(b, x), complex_parts(b, y)
    return b.and_(b.fcmp_ordered("<", xr, yr), b.fcmp_ordered("ord", xi, yi))


def _beats(name: str, op: str, numbers: bool) -> Any:
    """Whether a complex number takes the place of the best so far.

    The first nan does, and then nothing; of `numbers` alone, none does, and every number takes its
    place. By branches, which the processor foresees: real parts mostly tell.
    """

    def emit(b: ir.IRBuilder, ty: Any, x: ir.Value, best: ir.Value) -> ir.Value:
        start = b.block
        add = b.function.append_basic_block
        better, equal, end = (add(f"{name}.{part}") for part in ("better", "equal", "end"))
        low, high = (x, best) if op == "<=" else (best, x)
        b.cbranch(_below(b, low, high), end, better)
        b.position_at_end(better)
        b.cbranch(_below(b, high, low), end, equal)
        b.position_at_end(equal)
        known = _classify(is_nan, 0)(b, ty, x if numbers else best)
        told = b.not_(b.or_(compare_complex(b, op, x, best), known))
        b.branch(end)
        b.position_at_end(end)
        result = b.phi(ir.IntType(1))
        for value, block in ((0, start), (1, better), (told, equal)):
            constant = ir.Constant(ir.IntType(1), value) if isinstance(value, int) else value
            result.add_incoming(constant, block)
        return result

    return define(name, 2, truth(COMPLEX), emit)


def _comparison(name: str, op: str) -> Any:
    def emit(b: ir.IRBuilder, tys: Any, x: ir.Value, y: ir.Value) -> ir.Value:
        ty, other = tys
        if ty != other:
            return _compare_mixed(b, op, x, y, is_signed(ty))
        match kind(ty):
            case "f":
                return _compare_floats(b, op, x, y)
            case "c":
                return compare_complex(b, op, x, y)
        return (b.icmp_signed if is_signed(ty) else b.icmp_unsigned)(op, x, y)

    return define(name, 2, _comparable(NUMBER), emit, all_types=True)


def _compare_floats(b: ir.IRBuilder, op: str, x: ir.Value, y: ir.Value) -> ir.Value:
    return (b.fcmp_unordered if op == "!=" else b.fcmp_ordered)(op, x, y)


def _logical(method: str) -> Emit:
    return lambda b, ty, x, y: getattr(b, method)(is_true(b, ty, x), is_true(b, ty, y))


def _classify(test: Any, of_exact: int, all_parts: bool = False) -> Emit:
    """A test of floating-point values; exact types answer `of_exact`."""

    def emit(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
        match kind(ty):
            case "f":
                return test(b, x)
            case "c":
                real, imag = (test(b, part) for part in complex_parts(b, x))
                return b.and_(real, imag) if all_parts else b.or_(real, imag)
        return ir.Constant(ir.IntType(1), of_exact)

    return emit


def _compare_magnitude(op: str) -> Any:
    return lambda b, x: b.fcmp_ordered(op, call_llvm(b, "llvm.fabs", x), constant(x, math.inf))


def _signbit(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
    match kind(ty):
        case "f":
            bits = b.bitcast(x, ir.IntType(64 if isinstance(x.type, ir.DoubleType) else 32))
            return b.icmp_signed("<", bits, zero(bits))
        case "i":
            return b.icmp_signed("<", x, zero(x))
    return ir.Constant(ir.IntType(1), 0)


def _select(b: ir.IRBuilder, ty: Any, c: ir.Value, x: ir.Value, y: ir.Value) -> ir.Value:
    if isinstance(x.type, ir.LiteralStructType):
        pairs = zip(complex_parts(b, x), complex_parts(b, y), strict=True)
        return complex_pair(b, *(b.select(c, p, q) for p, q in pairs))
    return b.select(c, x, y)


eq = _comparison("eq", "==")
ne = _comparison("ne", "!=")
lt = _comparison("lt", "<")
le = _comparison("le", "<=")
gt = _comparison("gt", ">")
ge = _comparison("ge", ">=")
larger_complex = _beats("larger_complex", "<=", numbers=False)
smaller_complex = _beats("smaller_complex", ">=", numbers=False)
larger_number = _beats("larger_number", "<=", numbers=True)
smaller_number = _beats("smaller_number", ">=", numbers=True)
logical_and = define("logical_and", 2, truth(NUMBER), _logical("and_"))
logical_or = define("logical_or", 2, truth(NUMBER), _logical("or_"))
logical_xor = define("logical_xor", 2, truth(NUMBER), _logical("xor"))
logical_not = define("logical_not", 1, truth(NUMBER), lambda b, ty, x: b.not_(is_true(b, ty, x)))
isnan = define("isnan", 1, truth(NUMBER), _classify(is_nan, 0))
isinf = define("isinf", 1, truth(NUMBER), _classify(_compare_magnitude("=="), 0))
isfinite = define(
    "isfinite", 1, truth(NUMBER), _classify(_compare_magnitude("<"), 1, all_parts=True)
)
signbit = define("signbit", 1, truth(REAL), _signbit)
select = define(
    "select",
    3,
    lambda c, x, y: x if c == types.boolean and kind(x) and x == y else None,
    _select,
)
