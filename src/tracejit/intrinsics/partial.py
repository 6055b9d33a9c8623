"""The order of floating sums and products: partial ones, which every target makes alike.

Of as many elements as fill rounds, element k of a loop goes into partial result ``k mod n``, one
after the other; then the second half of the results is added to the first, and so on. There are as
many as two vectors of 512 bits hold: `PARTIAL`. The elements that are left are added one after the
other; or, where elementary functions take longer than that, as one more round, whose result is
added. A vectoriser does just that; a loop that it cannot go through has the results in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types

#: How many partial results there are, by the type of the numbers; of several types, the fewest.
PARTIAL = {types.float32: 32, types.float64: 16}
_INT = ir.IntType(64)
_ADD, _MULTIPLY = ("fadd", -0.0), ("fmul", 1.0)
#: What makes floating numbers partial results: the instruction, and what it leaves as it is.
ORDERED = {
    **dict.fromkeys(("radd", "radd_product", "sum_add", "sum_add_product"), _ADD),
    "rmul": _MULTIPLY,
}


def partial_numbers(kind: Any) -> int:
    """How many numbers of a place of this type are partial results.

    Of a total it is the one in front, which a loop adds to; a complex number is two sums.
    """
    if isinstance(kind, types.Complex):
        return 2
    return int(getattr(kind, "dtype", kind) in PARTIAL)


class Partial(NamedTuple):
    """A place of type `kind` that the steps of a loop update by an `operation`."""

    place: ir.Value
    operation: str
    kind: Any

    @property
    def results(self) -> int:
        """How many partial results there are."""
        return PARTIAL[
            getattr(self.kind, "underlying_float", getattr(self.kind, "dtype", self.kind))
        ]

    def others(self, b: ir.IRBuilder, first: ir.Value) -> ir.Value:
        """What a partial result that is not the first begins with."""
        return self.each(b, first, lambda x: ir.Constant(x.type, ORDERED[self.operation][1]))

    def combined(self, b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
        """Two partial results as one."""
        return self.each(b, x, getattr(b, ORDERED[self.operation][0]), y)

    def halved(self, b: ir.IRBuilder, found: list[ir.Value]) -> ir.Value:
        """All partial results as one."""
        while len(found) > 1:
            half = len(found) // 2
            found = [self.combined(b, found[k], found[k + half]) for k in range(half)]
        return found[0]

    def each(self, b: ir.IRBuilder, x: ir.Value, f: Callable[..., ir.Value], *y: Any) -> ir.Value:
        """`x` with `f` of each of its numbers in the number's place."""
        if x.type in (ir.FloatType(), ir.DoubleType()):
            return f(x, *y)
        for k in range(partial_numbers(self.kind)):
            x = b.insert_value(x, f(*(b.extract_value(v, k) for v in (x, *y))), k)
        return x


class Update(NamedTuple):
    """The instructions of a step that updates a place: a load and a store."""

    of: Partial
    load: ir.Instruction
    store: ir.Instruction


def keep_in_memory(
    b: ir.IRBuilder, updates: list[Update], index: ir.Value, before: ir.Block, count: int
) -> Callable[[], None]:
    """Let each step update one of `count` partial results in memory.

    The loop is built, and comes after the block `before`; `index` counts its steps. What is
    returned is called where the builder is behind it.
    """
    memory: list[tuple[Partial, ir.Value]] = []
    for of, load, store in updates:
        with b.goto_entry_block():
            places = b.alloca(ir.ArrayType(of.place.type.pointee, count))
        memory.append((of, places))
        with b.goto_block(before):
            first = b.load(of.place)
            others = of.others(b, first)
            for k in range(count):
                b.store(others if k else first, b.gep(places, [_INT(0), _INT(k)]))
        with b.goto_block(load.parent):
            b.position_before(load)
            where = b.gep(places, [_INT(0), b.and_(index, _INT(count - 1))])
        load.operands = [where]
        store.operands = [store.operands[0], where]

    def close() -> None:
        for of, places in memory:
            found = [b.load(b.gep(places, [_INT(0), _INT(k)])) for k in range(count)]
            b.store(of.halved(b, found), of.place)

    return close


def set_aside(b: ir.IRBuilder, updated: list[Partial]) -> Callable[[], None]:
    """Let places begin anew; what is returned adds what they held before."""
    held = [b.load(p.place) for p in updated]
    for p, value in zip(updated, held, strict=True):
        b.store(p.others(b, value), p.place)

    def close() -> None:
        for p, value in zip(updated, held, strict=True):
            b.store(p.combined(b, value, b.load(p.place)), p.place)

    return close
