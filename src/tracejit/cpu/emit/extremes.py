"""Positions of extremes: argmax and argmin.

What lies side by side in memory is searched by NumPy's own function. What does not, or is computed
in the loop, is put there first, a block at a time. So a comparison that the processor cannot
foresee comes once a block.

Complex numbers, of which real parts mostly tell, and loops that do something else too, take one
element after the other.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.styles import BlockedDraws, Jam
from tracejit.intrinsics.blocks import BLOCK
from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.access import Dynamic, Entry
from tracejit.lower.emit.accumulate import Accumulators
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Call,
    Element,
    Expr,
    Factory,
    Group,
    Store,
    plus,
)
from tracejit.lower.program import Computation, Kind, Loop


class _Row(NamedTuple):
    """Elements side by side in memory: an array, the index of the first, and how many."""

    array: Expr
    start: list[Expr]
    length: Expr
    char: str


class Extremes:
    """Statements before, in and after the loops of positions of extremes."""

    def __init__(self, emitter: Emitting, sums: Accumulators) -> None:
        self.e, self.sums = emitter, sums
        #: Memory for the open block, and where the element at hand goes there.
        self.blocks: dict[Computation, tuple[str, Expr]] = {}

    def in_memory(self, loop: Loop) -> bool:
        """Emit the calls that do all that a loop does; False where there are none that do."""
        found: list[tuple[Computation, _Row]] = []
        items = list(loop.items)
        while len(items) == 1 and isinstance(items[0], Loop):
            items = items[0].items
        for c in items:
            row = self._row(c, loop) if isinstance(c, Computation) else None
            if row is None:
                return False
            assert isinstance(c, Computation)
            found.append((c, row))
        for c, row in found:
            name = self._search(c, row.char, len(row.start))
            place = self.e.fresh("v")
            operands = (row.array, *row.start, row.length)
            self.e.path[-1].assign(place, Call(name, operands), c.target.origin)
            self.sums.finish(c, place)
        return True

    def _search(self, c: Computation, char: str, ndim: int) -> str:
        """The name of NumPy's function that searches an array of `ndim` axes."""
        op = c.target.op.name
        name = f"{op}_{char.replace('?', 't')}_{ndim}"
        self.e.factories[name] = Factory("position_in", (op, char, ndim))
        return name

    def _row(self, c: Computation, loop: Loop) -> _Row | None:
        """What `c` searches in `loop` and the loops inside, if it lies side by side in memory."""
        outer = len(c.kept)
        if c.kind is not Kind.ARG or c.loops[outer] is not loop:
            return None
        node, index = c.value, access.identity(len(c.domain))
        if node.op is ops.CAST and node.args[0].dtype.kind == "b":
            node = node.args[0]  # NumPy's function for truth values stops at the first
        while node.op is ops.VIEW and node not in self.e.program.stored:
            [(node, index)] = access.operands(node, index)
        found = self._array(node, "CR" if len(c.reduced) == 1 else "C")
        if found is None or not isinstance(index, tuple):
            return None
        array, axes = found
        start = self._start([index[k] for k in axes], [node.shape[k] for k in axes], c)
        if start is None:
            return None
        if node.op is ops.RESHAPE and node not in self.e.program.stored:
            strides = map(self.e.dim, dims.strides(node.shape))
            terms: list[Expr] = [
                Binary("*", Group(i), n) for i, n in zip(start, strides, strict=True)
            ]
            start = [functools.reduce(plus, terms)]
        count = self.e.dim(dims.product(c.domain[k] for k in c.reduced))
        return _Row(array, start, count, node.dtype.char)

    def _array(self, node: Node, layouts: str) -> tuple[Expr, Sequence[int]] | None:
        """The array that holds `node`, and which of its axes, if an input has one of `layouts`."""
        program = self.e.program
        if node in program.stored:
            buffers = program.buffers.get(node)
            if node in program.windows or not buffers or buffers[0].layout != "C":
                return None
            return buffers[0].name, buffers[0].axes
        if node.op is ops.RESHAPE:
            [base] = node.args
            return self.e.flat(self.e.array(base), base.ndim), range(node.ndim)
        if node.op is ops.INPUT and program.layouts[node.attr[0]] in tuple(layouts):
            return self.e.array(node), range(node.ndim)
        return None

    def _start(
        self, index: list[Entry | Dynamic], shape: list[Dim], c: Computation
    ) -> list[Expr] | None:
        """Where the elements begin that `c` reduces, if they are all from there on to the end."""
        outer = len(index) - len(c.reduced)
        loops = dict(zip(c.order, c.loops, strict=True))
        places: list[Expr] = []
        for k, entry in enumerate(index):
            if not isinstance(entry, Entry):
                return None
            if k < outer:
                if entry.axis in c.reduced:
                    return None
                axis = None if entry.axis is None else id(loops[entry.axis])
                places.append(self.e.position_at(entry._replace(axis=axis)))
                continue
            reduced = c.reduced[k - outer]
            whole = k == outer or (entry.start == 0 and shape[k] == c.domain[reduced])
            if (entry.step, entry.axis) != (1, reduced) or not whole:
                return None
            places.append(self.e.dim(entry.start))
        return places if outer >= 0 else None

    def by_blocks(self, loop: Loop) -> list[Computation]:
        """The computations of a loop that takes a block at a time; none where it does not."""
        inside = [c for c in loop.items if isinstance(c, Computation) and _by_blocks(c)]
        whole = len(inside) == len(loop.items)
        plain = not loop.has(BlockedDraws) and not loop.has(Jam)
        return inside if whole and plain and all(c.loops[-1] is loop for c in inside) else []

    def open_block(self, c: Computation, loop: Loop, start: Expr) -> None:
        """Before a block's elements."""
        memory, char = self.e.fresh("v"), _kernel_char(c)
        made = f"memory_{char.replace('?', 't')}"
        self.e.factories[made] = Factory("block_memory", (char,))
        self.e.insert(0, Assign(memory, Call(made, ())))
        self.blocks[c] = memory, Binary("-", self.e.var_of[loop], start)

    def takes(self, c: Computation, value: Expr) -> bool:
        """Put an element into the open block's memory; False where there is none for it."""
        if c not in self.blocks:
            return False
        memory, place = self.blocks[c]
        self.e.path[-1].add(Store(Element(memory, (place,)), value, c.target.origin))
        return True

    def close_block(self, c: Computation, start: Expr, last: Expr) -> None:
        """After a block's elements: the position of its extreme, where that is better."""
        names, (memory, _) = self.sums.found[c], self.blocks.pop(c)
        block, place, found = self.e.path[-1], self.e.fresh("v"), self.e.fresh("v")
        search = self._search(c, _kernel_char(c), 1)
        count = Call("imin", (Binary("-", last, start), BLOCK))
        block.assign(place, Call(search, (memory, 0, count)))
        block.assign(found, Element(memory, (place,)))
        better = self.sums.if_better(c, found)
        better.assign(names.best, found, c.target.origin)
        better.assign(names.place, plus(plus(names.counter, start), place))

    def pass_by(self, c: Computation, extent: Expr) -> None:
        """After a loop that takes blocks: its elements come before those of the next."""
        if len(c.reduced) > 1:
            counter = self.sums.found[c].counter
            self.e.path[-1].assign(counter, Binary("+", counter, extent))


def _kernel_char(c: Computation) -> str:
    """The dtype that values have in a kernel: float16 is float32 there."""
    return c.value.dtype.char.replace("e", "f")


def _by_blocks(c: Computation) -> bool:
    return c.kind is Kind.ARG and c.value.dtype.kind != "c"
