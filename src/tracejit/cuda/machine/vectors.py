"""Loops by vectors: packs of neighbouring elements, whose loads and stores are one instruction.

if all addresses are multiples of what is moved at a time:
    for each whole pack: load vectors, do what the loop does for each element, store vectors
for each element that is left: do what the loop does
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir

from tracejit.cuda.passes.vectors import Accesses
from tracejit.intrinsics import elements
from tracejit.intrinsics.build import Builder, Value
from tracejit.lower.kernel.statements import Element

_INT, _NUMBER = ir.IntType(64), ir.IntType(32)
#: NVVM fails to make vectors of these into others, of float16: two of them are a word.
_HALF = ir.IntType(16)


class Pack:
    """The elements that a thread has of each array in one step of a loop, `width` of them.

    Made where the builder's index is that of the first one; `lane` is which one is computed.
    """

    def __init__(self, builder: Builder, accesses: Accesses, width: int) -> None:
        self.builder, self.width, self.lane = builder, width, 0
        self.loads = {e: self._loaded(e) for e in accesses.loads}
        self.places = {e: address(builder, e) for e in accesses.stores}
        self.stores: dict[Element, list[ir.Value]] = {e: [] for e in accesses.stores}

    def load(self, e: Element) -> Value:
        """The element of the lane."""
        ty, lanes = self.loads[e]
        model = self.builder.context.data_model_manager[ty.dtype]
        return ty.dtype, model.from_data(self.builder.b, lanes[self.lane])

    def store(self, e: Element, value: Value) -> None:
        """Keep what the lane stores."""
        kind, given = value
        model = self.builder.context.data_model_manager[kind]
        self.stores[e] += _numbers(self.builder.b, model.as_data(self.builder.b, given))

    def end(self) -> None:
        """Store what all lanes have kept."""
        b = self.builder.b
        for e, numbers in self.stores.items():
            _, place = self.places[e]
            if numbers[0].type == _HALF and self.width > 1:
                numbers = [_joined(b, *two) for two in zip(*[iter(numbers)] * 2, strict=True)]
            vector: ir.Value = ir.Constant(ir.VectorType(numbers[0].type, len(numbers)), None)
            for k, number in enumerate(numbers):
                vector = b.insert_element(vector, number, _NUMBER(k))
            where = b.bitcast(place, vector.type.as_pointer())
            stored = b.store(vector, where, align=_bytes(self.builder, e, self.width))
            elements.tell_scope(b, stored, self.builder.scope_of(e))

    def _loaded(self, e: Element) -> tuple[Any, list[ir.Value]]:
        b = self.builder.b
        ty, place = address(self.builder, e)
        data = place.type.pointee
        parts = data.elements if isinstance(data, ir.BaseStructType) else [data]
        vector = ir.VectorType(parts[0], self.width * len(parts))
        by_words = data == _HALF and self.width > 1
        if by_words:
            vector = ir.VectorType(_NUMBER, self.width // 2)
        where = b.bitcast(place, vector.as_pointer())
        found = b.load(where, align=_bytes(self.builder, e, self.width))
        elements.tell_scope(b, found, self.builder.scope_of(e))
        numbers = [b.extract_element(found, _NUMBER(k)) for k in range(vector.count)]
        if by_words:
            numbers = [part for number in numbers for part in _split(b, number)]
        if len(parts) == 1:
            return ty, numbers
        lanes = []
        for lane in range(self.width):
            value: ir.Value = ir.Constant(data, ir.Undefined)
            for k in range(len(parts)):
                value = b.insert_value(value, numbers[lane * len(parts) + k], k)
            lanes.append(value)
        return ty, lanes


def are_aligned(builder: Builder, accesses: Accesses, width: int) -> ir.Value:
    """Whether vectors lie where they may be loaded and stored, from where the builder's index is.

    All begin where they do by a number of whole packs, so it is the same for all of them.
    """
    b = builder.b
    bits = []
    for e in dict.fromkeys([*accesses.loads, *accesses.stores]):
        at = b.ptrtoint(address(builder, e)[1], _INT)
        bits.append(b.and_(at, _INT(_bytes(builder, e, width) - 1)))
    return b.icmp_unsigned("==", functools.reduce(b.or_, bits), _INT(0))


def address(builder: Builder, e: Element) -> tuple[Any, ir.Value]:
    """An array's type, and where an element of it is."""
    ty, array = builder.value(e.array)
    index = tuple(builder.value(i)[1] for i in e.index)
    return ty, elements.element_address(builder.context, builder.b, ty, array, index, False)


def _bytes(builder: Builder, e: Element, width: int) -> int:
    """How much of an array a pack has."""
    ty = builder.value(e.array)[0]
    return width * builder.context.get_abi_sizeof(builder.context.get_data_type(ty.dtype))


def _split(b: ir.IRBuilder, word: ir.Value) -> list[ir.Value]:
    return [b.trunc(word, _HALF), b.trunc(b.lshr(word, _NUMBER(16)), _HALF)]


def _joined(b: ir.IRBuilder, low: ir.Value, high: ir.Value) -> ir.Value:
    return b.or_(b.zext(low, _NUMBER), b.shl(b.zext(high, _NUMBER), _NUMBER(16)))


def _numbers(b: ir.IRBuilder, data: ir.Value) -> list[ir.Value]:
    """What a vector has of a value: a complex number is two."""
    if isinstance(data.type, ir.BaseStructType):
        return [b.extract_value(data, k) for k in range(len(data.type.elements))]
    return [data]
