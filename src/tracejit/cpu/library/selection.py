"""The elements at two places of a row in order, mostly its middle ones, without sorting the row.

What is in order already is left as it is. Else a sample tells between which two elements the
wanted ones are likely to lie. What lies beyond is counted and left out, and so on until few are
left, which NumPy sorts. No loop but the first has a branch that depends on the elements.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array

from tracejit.intrinsics.define import complex_parts, define, is_nan, is_signed, kind
from tracejit.intrinsics.elements import element_type
from tracejit.intrinsics.logic import compare_complex
from tracejit.intrinsics.temporary import memory
from tracejit.native import symbols

__all__ = ["middle_rows"]

_INT, _BIT = ir.IntType(64), ir.IntType(1)
_POINTER = ir.IntType(8).as_pointer()
#: Elements that are sorted at once: where NumPy's sort works on vectors, and where it does not.
_FEW_IN_VECTORS, _FEW = 512, 24
_IN_VECTORS = "hHiIlLqQfd"
#: Elements from which on a sample grows with them, about as their number to two thirds; how many
#: there are in a smaller one, and in the largest, as powers of two.
_MANY, _SMALLEST, _LARGEST = 4096, 3, 13
#: Pairs of neighbours that are compared before it is asked whether they are in order.
_PAIRS = 64


def _number(value: int) -> ir.Constant:
    return ir.Constant(_INT, value)


def _middle(b: ir.IRBuilder, count: ir.Value) -> list[ir.Value]:
    """The places in the middle."""
    return [b.lshr(b.sub(count, _number(1)), _number(1)), b.lshr(count, _number(1))]


class _Selection:
    """Builds ``middle(row, count, memory, sample, out, first, last)`` for elements of one dtype.

    `memory` has room for a row, and `sample` for the largest sample. Of `numbers` alone, what is
    NaN is left out first, and the middle ones are wanted.
    """

    def __init__(
        self, module: ir.Module, char: str, element: ir.Type, symbol: str, numbers: bool
    ) -> None:
        self.type, self.module, self.symbol = element_type(char), module, symbol
        self.size = np.dtype(char).itemsize
        self.few = _FEW_IN_VECTORS if char in _IN_VECTORS else _FEW
        pointer = element.as_pointer()
        shape = ir.FunctionType(ir.VoidType(), [pointer, _INT, *[pointer] * 3, _INT, _INT])
        self.function = ir.Function(module, shape, _name(char, numbers))
        self.function.linkage = "internal"
        self.row, self.count, self.memory, self.sample, self.out, *places = self.function.args
        b = self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        if numbers:
            self._take_numbers()
            places = _middle(b, self.count)
        #: What is left: where it is, how many, and which of them are wanted.
        self.source, self.left, self.first, self.last = (
            self._variable(v) for v in (self.row, self.count, *places)
        )
        self.narrow = self._variable(ir.Constant(_BIT, 0))

    def build(self) -> ir.Function:
        """The function, complete."""
        b, add = self.b, self.function.append_basic_block
        search, more, finish = add("search"), add("more"), add("finish")
        self._if_in_order()
        b.branch(search)
        b.position_at_end(search)
        few = b.icmp_signed("<=", b.load(self.left), _number(self.few))
        b.cbranch(few, finish, more)
        b.position_at_end(more)
        self._leave_out(search, finish)
        b.position_at_end(finish)
        self._finish()
        return self.function

    # Elements --------------------------------------------------------------------------------

    def _variable(self, value: ir.Value) -> ir.Value:
        where = cgutils.alloca_once(self.b, value.type)
        self.b.store(value, where)
        return where

    def _compare(self, op: str, x: ir.Value, y: ir.Value) -> ir.Value:
        """A comparison of two elements; none holds for NaN."""
        match kind(self.type):
            case "f":
                return self.b.fcmp_ordered(op, x, y)
            case "c":
                return compare_complex(self.b, op, x, y)
        signed = is_signed(self.type)
        return (self.b.icmp_signed if signed else self.b.icmp_unsigned)(op, x, y)

    def _is_nan(self, x: ir.Value) -> ir.Value:
        match kind(self.type):
            case "f":
                return is_nan(self.b, x)
            case "c":
                return self.b.or_(*(is_nan(self.b, part) for part in complex_parts(self.b, x)))
        return ir.Constant(_BIT, 0)

    def _at(self, array: ir.Value, index: ir.Value) -> ir.Value:
        return self.b.load(self.b.gep(array, [index]))

    def _sort(self, array: ir.Value, count: ir.Value) -> None:
        shape = ir.FunctionType(ir.IntType(32), [_POINTER, _INT, _POINTER])
        sort = cgutils.get_or_insert_function(self.module, shape, self.symbol)
        self.b.call(sort, [self.b.bitcast(array, _POINTER), count, ir.Constant(_POINTER, None)])

    def _give(self, low: ir.Value, high: ir.Value) -> None:
        """Return two elements."""
        for k, value in enumerate((low, high)):
            self.b.store(value, self.b.gep(self.out, [_number(k)]))
        self.b.ret_void()

    @contextmanager
    def _leaving(self, condition: ir.Value) -> Iterator[None]:
        """A block for where `condition` holds, which leaves."""
        leave, stay = map(self.function.append_basic_block, ("leave", "stay"))
        self.b.cbranch(condition, leave, stay)
        self.b.position_at_end(leave)
        yield
        self.b.position_at_end(stay)

    def _keep(
        self, source: ir.Value, left: ir.Value, keep: Callable[[ir.Value], ir.Value]
    ) -> ir.Value:
        """Move what is kept of the first `left` elements of `source` to `memory`; how many."""
        b, count = self.b, self._variable(_number(0))
        with cgutils.for_range(b, left) as loop:
            x, place = self._at(source, loop.index), b.load(count)
            b.store(x, b.gep(self.memory, [place]))  # always, as a branch would not be foreseen
            b.store(b.add(place, b.zext(keep(x), _INT)), count)
        return b.load(count)

    # Parts of the function -------------------------------------------------------------------

    def _take_numbers(self) -> None:
        """Leave out NaN; return it where there is nothing else."""
        count = self._keep(self.row, self.count, lambda x: self.b.not_(self._is_nan(x)))
        nan = self._at(self.row, _number(0))
        with self._leaving(self.b.icmp_signed("==", count, _number(0))):
            self._give(nan, nan)
        self.row, self.count = self.memory, count

    def _if_in_order(self) -> None:
        """Return the middle ones of what rises or falls, and so has no NaN, or but one element."""
        b = self.b
        pairs = b.sub(self.count, _number(1))
        rises, falls = (self._variable(ir.Constant(_BIT, 1)) for _ in range(2))
        blocks = b.lshr(b.add(pairs, _number(_PAIRS - 1)), _number(_PAIRS.bit_length() - 1))
        with cgutils.for_range(b, blocks) as loop:
            start = b.mul(loop.index, _number(_PAIRS))
            left = b.sub(pairs, start)
            here = b.select(b.icmp_signed("<", left, _number(_PAIRS)), left, _number(_PAIRS))
            with cgutils.for_range(b, here) as inner:
                k = b.add(start, inner.index)
                pair = self._at(self.row, k), self._at(self.row, b.add(k, _number(1)))
                for order, op in ((rises, "<="), (falls, ">=")):
                    b.store(b.and_(b.load(order), self._compare(op, *pair)), order)
            with b.if_then(b.not_(b.or_(b.load(rises), b.load(falls)))):
                loop.do_break()
        wanted = [b.load(k) for k in (self.first, self.last)]
        with self._leaving(b.load(rises)):
            self._give(*(self._at(self.row, k) for k in wanted))
        with self._leaving(b.load(falls)):
            self._give(*(self._at(self.row, b.sub(pairs, k)) for k in wanted))

    def _leave_out(self, search: ir.Block, finish: ir.Block) -> None:
        """Leave out what is not between two elements of a sample, or not equal to one."""
        b, add = self.b, self.function.append_basic_block
        source, left, first, last = map(b.load, (self.source, self.left, self.first, self.last))
        low, high = self._bounds(source, left, first)
        below, above, others = (self._variable(_number(0)) for _ in range(3))
        with cgutils.for_range(b, left) as loop:
            x = self._at(source, loop.index)
            counts = (below, self._compare("<", x, low)), (above, self._compare(">", x, high))
            for count, found in (*counts, (others, self._is_nan(x))):
                b.store(b.add(b.load(count), b.zext(found, _INT)), count)
        below, above, others = map(b.load, (below, above, others))
        inside = b.sub(left, b.add(b.add(below, above), others))
        upto = b.add(below, inside)
        numbers = add("numbers")
        b.cbranch(b.icmp_signed("==", others, _number(0)), numbers, finish)
        b.position_at_end(numbers)
        met = [
            b.icmp_signed("<", last, below),
            b.icmp_signed(">=", first, upto),
            b.and_(b.icmp_signed(">=", first, below), b.icmp_signed("<", last, upto)),
        ]
        with self._leaving(b.and_(met[2], b.not_(self._compare("<", low, high)))):
            self._give(low, low)
        kept: list[Callable[[ir.Value], ir.Value]] = [
            lambda x: self._compare("<", x, low),
            lambda x: self._compare(">", x, high),
            lambda x: b.and_(self._compare(">=", x, low), self._compare("<=", x, high)),
        ]
        for condition, keep, skipped in zip(met, kept, (_number(0), upto, below), strict=True):
            with self._leaving(condition):
                count = self._keep(source, left, keep)
                half = b.lshr(left, _number(1))
                b.store(b.icmp_signed(">", count, half), self.narrow)
                b.store(count, self.left)
                for wanted, place in ((self.first, first), (self.last, last)):
                    b.store(b.sub(place, skipped), wanted)
                b.store(self.memory, self.source)
                b.branch(search)
        b.branch(finish)  # the two that are wanted are not on one side

    def _bounds(
        self, source: ir.Value, left: ir.Value, first: ir.Value
    ) -> tuple[ir.Value, ir.Value]:
        """Two elements of a sample, equal ones if it is small, or has left out too little."""
        b = self.b
        many = b.and_(b.icmp_signed(">=", left, _number(_MANY)), b.not_(b.load(self.narrow)))
        bits = b.sub(_number(64), b.ctlz(left, ir.Constant(_BIT, 1)))
        power = b.udiv(b.mul(bits, _number(2)), _number(3))
        power = b.select(b.icmp_signed(">", power, _number(_LARGEST)), _number(_LARGEST), power)
        power = b.select(many, power, _number(_SMALLEST))
        size = b.shl(_number(1), power)
        with cgutils.for_range(b, size) as loop:
            place = b.lshr(b.mul(loop.index, left), power)
            b.store(self._at(source, place), b.gep(self.sample, [loop.index]))
        self._sort(self.sample, size)
        middle = b.udiv(b.shl(first, power), left)
        # Three times the deviation of a place in the sample, which is half the root of its size.
        reach = b.shl(_number(3), b.lshr(b.add(power, _number(1)), _number(1)))
        reach = b.select(many, b.lshr(reach, _number(1)), _number(0))
        top = b.sub(size, _number(1))
        start, end = b.sub(middle, reach), b.add(middle, reach)
        start = b.select(b.icmp_signed("<", start, _number(0)), _number(0), start)
        end = b.select(b.icmp_signed(">", end, top), top, end)
        return self._at(self.sample, start), self._at(self.sample, end)

    def _finish(self) -> None:
        """Sort what is left, and return those that are wanted; the last one where that is NaN."""
        b = self.b
        source, left = b.load(self.source), b.load(self.left)
        with b.if_then(b.icmp_unsigned("!=", source, self.memory)):
            cgutils.raw_memcpy(b, self.memory, source, left, _number(self.size))
        self._sort(self.memory, left)
        end = self._at(self.memory, b.sub(left, _number(1)))
        with self._leaving(self._is_nan(end)):
            self._give(end, end)
        self._give(*(self._at(self.memory, b.load(k)) for k in (self.first, self.last)))


def _name(char: str, numbers: bool) -> str:
    return f"tracejit_middle_{char}{'_numbers' if numbers else ''}"


@functools.cache
def middle_rows(char: str, numbers: bool, placed: bool = False) -> Any:
    """An intrinsic ``middle(x, length, out)``: the two middle elements of each row of `length`.

    They are one and the same of an odd number of elements, and the NaN that is last in order where
    there are some; of `numbers` alone, where there is nothing else. `x` and `out` are 1-D
    contiguous arrays of the dtype `char`. Two more operands are other places than the middle.
    """
    symbol = symbols.of_dtype("sort", char, "quicksort")
    element = element_type(char)

    def result(x: Any, length: Any, out: Any, *places: Any) -> Any:
        fits = all(place == types.int64 for place in places) and all(
            isinstance(a, types.Array) and (a.ndim, a.layout, a.dtype) == (1, "C", element)
            for a in (x, out)
        )
        return types.int64 if fits and length == types.int64 else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, *operands: ir.Value) -> ir.Value:
        x, out = (make_array(tys[k])(context, b, operands[k]) for k in (0, 2))
        length = operands[1]
        places = operands[3:] or _middle(b, length)
        function = b.module.globals.get(_name(char, numbers))
        if function is None:
            element = x.data.type.pointee
            function = _Selection(b.module, char, element, symbol, numbers).build()
        size = np.dtype(char).itemsize
        room = memory(context, b, b.add(length, _number(1 << _LARGEST)), size)
        row_memory = b.bitcast(room, x.data.type)
        sample = b.gep(row_memory, [length])
        rows = b.lshr(out.nitems, _number(1))
        with cgutils.for_range(b, rows) as loop:
            row = b.gep(x.data, [b.mul(loop.index, length)])
            pair = b.gep(out.data, [b.shl(loop.index, _number(1))])
            b.call(function, [row, length, row_memory, sample, pair, *places])
        return _number(0)

    return define(
        f"middle[{char}]", 5 if placed else 3, result, emit, all_types=True, with_context=True
    )
