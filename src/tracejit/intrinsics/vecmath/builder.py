"""A small expression language over LLVM values, for elementary functions without branches.

``Real`` and ``Bits`` wrap one scalar LLVM value each and write the instructions of an
expression into the function under construction. Python numbers become constants of the
element type. Nothing here sets a fast-math flag: what is written is what is computed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from llvmlite import ir


@dataclass(frozen=True)
class Format:
    """An IEEE 754 binary format."""

    width: int
    mantissa: int  # stored bits
    float_type: ir.Type
    int_type: ir.Type

    @property
    def bias(self) -> int:
        return (1 << (self.width - self.mantissa - 2)) - 1

    @property
    def one_bits(self) -> int:
        return self.bias << self.mantissa

    @property
    def sqrt_half_bits(self) -> int:
        return self.bits(0.5**0.5)

    @property
    def smallest_normal(self) -> float:
        return float(2.0 ** (1 - self.bias))

    def bits(self, value: float) -> int:
        codes = ("<d", "<Q") if self.width == 64 else ("<f", "<I")
        return int(struct.unpack(codes[1], struct.pack(codes[0], value))[0])

    def round(self, value: float) -> float:
        """The nearest number of this format."""
        if self.width == 64:
            return value
        return float(struct.unpack("<f", struct.pack("<f", value))[0])


class _Lanes(ir.VectorType):
    """A vector type that LLVM's intrinsics are overloaded on; its constants are one number."""

    @property
    def intrinsic_name(self) -> str:
        return f"v{self.count}{self.element.intrinsic_name}"


def vectors(form: Format, lanes: int) -> Format:
    """The format of vectors of numbers."""
    return replace(
        form, float_type=_Lanes(form.float_type, lanes), int_type=_Lanes(form.int_type, lanes)
    )


BINARY64 = Format(64, 52, ir.DoubleType(), ir.IntType(64))
BINARY32 = Format(32, 23, ir.FloatType(), ir.IntType(32))


@dataclass(frozen=True)
class Mask:
    """A truth value."""

    builder: Any
    value: Any

    def __or__(self, other: Mask) -> Mask:
        return Mask(self.builder, self.builder.or_(self.value, other.value))

    def __and__(self, other: Mask) -> Mask:
        return Mask(self.builder, self.builder.and_(self.value, other.value))

    def __invert__(self) -> Mask:
        return Mask(self.builder, self.builder.not_(self.value))

    def select(self, then: Real, otherwise: Real | float) -> Real:
        other = then.coerce(otherwise)
        return then.wrap(self.builder.select(self.value, then.value, other))

    def select_bits(self, then: Bits, otherwise: Bits | int) -> Bits:
        return then.wrap(self.builder.select(self.value, then.value, then.coerce(otherwise)))


@dataclass(frozen=True)
class Bits:
    """The bit pattern of a ``Real`` as an unsigned integer."""

    builder: Any
    form: Format
    value: Any

    def coerce(self, other: Bits | int) -> Any:
        if isinstance(other, Bits):
            return other.value
        return ir.Constant(self.form.int_type, other % (1 << self.form.width))

    def wrap(self, value: Any) -> Bits:
        return Bits(self.builder, self.form, value)

    def __add__(self, other: Bits | int) -> Bits:
        return self.wrap(self.builder.add(self.value, self.coerce(other)))

    def __sub__(self, other: Bits | int) -> Bits:
        return self.wrap(self.builder.sub(self.value, self.coerce(other)))

    def __rsub__(self, other: int) -> Bits:
        return self.wrap(self.builder.sub(self.coerce(other), self.value))

    def __mul__(self, other: Bits | int) -> Bits:
        return self.wrap(self.builder.mul(self.value, self.coerce(other)))

    def __and__(self, other: Bits | int) -> Bits:
        return self.wrap(self.builder.and_(self.value, self.coerce(other)))

    def __or__(self, other: Bits | int) -> Bits:
        return self.wrap(self.builder.or_(self.value, self.coerce(other)))

    def __xor__(self, other: Bits | int) -> Bits:
        return self.wrap(self.builder.xor(self.value, self.coerce(other)))

    def __lshift__(self, count: int) -> Bits:
        return self.wrap(self.builder.shl(self.value, self.coerce(count)))

    def __rshift__(self, count: int) -> Bits:
        return self.wrap(self.builder.lshr(self.value, self.coerce(count)))

    def signs(self) -> Bits:
        """All ones where the highest bit is one, and a NaN; else all zeros."""
        return self.wrap(self.builder.ashr(self.value, self.coerce(self.form.width - 1)))

    def real(self) -> Real:
        value = self.builder.bitcast(self.value, self.form.float_type)
        return Real(self.builder, self.form, value)

    def nonzero(self) -> Mask:
        return Mask(self.builder, self.builder.icmp_unsigned("!=", self.value, self.coerce(0)))


@dataclass(frozen=True)
class Real:
    """A floating-point value."""

    builder: Any
    form: Format
    value: Any

    def wrap(self, value: Any) -> Real:
        return Real(self.builder, self.form, value)

    def coerce(self, other: Real | float) -> Any:
        if isinstance(other, Real):
            return other.value
        return ir.Constant(self.form.float_type, self.form.round(float(other)))

    def constant(self, value: float) -> Real:
        return self.wrap(self.coerce(value))

    def __add__(self, other: Real | float) -> Real:
        return self.wrap(self.builder.fadd(self.value, self.coerce(other)))

    __radd__ = __add__

    def __sub__(self, other: Real | float) -> Real:
        return self.wrap(self.builder.fsub(self.value, self.coerce(other)))

    def __rsub__(self, other: float) -> Real:
        return self.wrap(self.builder.fsub(self.coerce(other), self.value))

    def __mul__(self, other: Real | float) -> Real:
        return self.wrap(self.builder.fmul(self.value, self.coerce(other)))

    __rmul__ = __mul__

    def __truediv__(self, other: Real | float) -> Real:
        return self.wrap(self.builder.fdiv(self.value, self.coerce(other)))

    def __rtruediv__(self, other: float) -> Real:
        return self.wrap(self.builder.fdiv(self.coerce(other), self.value))

    def __neg__(self) -> Real:
        return self.wrap(self.builder.fneg(self.value))

    # Comparisons are false for NaN.
    def __lt__(self, other: Real | float) -> Mask:
        return self._compare("<", other)

    def __gt__(self, other: Real | float) -> Mask:
        return self._compare(">", other)

    def equals(self, other: Real | float) -> Mask:
        return self._compare("==", other)

    def _compare(self, sign: str, other: Real | float) -> Mask:
        compare = self.builder.fcmp_ordered
        return Mask(self.builder, compare(sign, self.value, self.coerce(other)))

    def at_most(self, limit: float) -> Real:
        """The smaller of the two; NaN stays NaN."""
        return (self > limit).select(self.constant(limit), self)

    def at_least(self, limit: float) -> Real:
        """The larger of the two; NaN stays NaN."""
        return (self < limit).select(self.constant(limit), self)

    def bits(self) -> Bits:
        value = self.builder.bitcast(self.value, self.form.int_type)
        return Bits(self.builder, self.form, value)

    def _intrinsic(self, name: str, *others: Real) -> Real:
        declared = self.builder.module.declare_intrinsic(
            name, [self.form.float_type], _function_type(self.form, len(others) + 1)
        )
        return self.wrap(self.builder.call(declared, [self.value, *(o.value for o in others)]))

    def absolute(self) -> Real:
        return self._intrinsic("llvm.fabs")

    def sqrt(self) -> Real:
        return self._intrinsic("llvm.sqrt")

    def truncated(self) -> Real:
        """The integer next to it towards zero."""
        return self._intrinsic("llvm.trunc")

    def copysign(self, sign: Real) -> Real:
        return self._intrinsic("llvm.copysign", sign)

    def fma(self, factor: Real | float, addend: Real | float) -> Real:
        """self * factor + addend with one rounding."""
        return self._intrinsic(
            "llvm.fma", self.wrap(self.coerce(factor)), self.wrap(self.coerce(addend))
        )

    def square(self) -> Real:
        return self * self

    def polynomial(self, coefficients: Sequence[float]) -> Real:
        """Horner's rule; coefficients in rising powers of ``self``."""
        result = self.constant(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = result.fma(self, coefficient)
        return result

    def to(self, form: Format) -> Real:
        """Converted to another format."""
        if form.width > self.form.width:
            value = self.builder.fpext(self.value, form.float_type)
        elif form.width < self.form.width:
            value = self.builder.fptrunc(self.value, form.float_type)
        else:
            value = self.value
        return Real(self.builder, form, value)


def _function_type(form: Format, arguments: int) -> ir.FunctionType:
    return ir.FunctionType(form.float_type, [form.float_type] * arguments)


def new_function(module: Any, name: str, kind: Any) -> Any:
    """A function of values only, for LLVM's loop vectoriser to find."""
    function = ir.Function(module, kind, name)
    # Kept although nothing refers to it before the vectoriser does; shared between modules.
    function.linkage = "weak_odr"
    for attribute in ("noinline", "nounwind", "willreturn", "memory(none)"):
        set.add(function.attributes, attribute)
    return function
