"""Tables in memory, and products of 64 bits by 64, for what is computed one number at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from tracejit.intrinsics.vecmath.builder import BINARY64, Bits, Real

_INT = BINARY64.int_type
_WIDE = ir.IntType(128)


class Lookup:
    """A table of words of 64 bits, which the module has once."""

    def __init__(self, builder: ir.IRBuilder, name: str, words: Sequence[int]) -> None:
        module: Any = builder.module
        self.builder = builder
        self.table = module.globals.get(name)
        if self.table is None:
            kind = ir.ArrayType(_INT, len(words))
            self.table = ir.GlobalVariable(module, kind, name)
            self.table.global_constant = True
            self.table.linkage = "internal"
            self.table.initializer = ir.Constant(kind, [_INT(w) for w in words])

    def word(self, place: Bits) -> Bits:
        """The word of a place."""
        address = self.builder.gep(self.table, [_INT(0), place.value], inbounds=True)
        return place.wrap(self.builder.load(address))

    def real(self, place: Bits) -> Real:
        """The word of a place, as the number whose bits it has."""
        return self.word(place).real()


def upper_product(a: Bits, b: Bits) -> Bits:
    """The upper half of a product of unsigned numbers."""
    builder = a.builder
    product = builder.mul(builder.zext(a.value, _WIDE), builder.zext(b.value, _WIDE))
    return a.wrap(builder.trunc(builder.lshr(product, _WIDE(64)), _INT))


def leading_zeros(a: Bits) -> Bits:
    """How many bits above the highest one are zero; a number is not zero."""
    return a.wrap(a.builder.ctlz(a.value, ir.Constant(ir.IntType(1), 0)))


def to_real(a: Bits) -> Real:
    """A number below 2**53 as a float64."""
    return Real(a.builder, BINARY64, a.builder.sitofp(a.value, BINARY64.float_type))
