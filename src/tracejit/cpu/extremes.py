"""Positions of extremes: argmax and argmin.

A block of elements at a time: its extreme first, in vectors, and where that is a better one its
first position, in vectors too, from the values computed again. So a comparison that the processor
cannot foresee comes once a block, and a block that cannot win is read once.

Elements that have no such reduction (complex numbers), and loops that do something else too, take
one element after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tracejit.cpu import expressions
from tracejit.cpu.block import Block
from tracejit.ir import ops
from tracejit.lower.program import Computation, Kind, Loop

if TYPE_CHECKING:
    from tracejit.cpu.emit import Emitter


class _Names(NamedTuple):
    """What has been found: the best value, its position, and how many elements came before."""

    best: str
    place: str
    counter: str


class Extremes:
    """Statements before, in and after the loops of positions of extremes."""

    def __init__(self, emitter: Emitter) -> None:
        self.e = emitter
        self.names: dict[Computation, _Names] = {}
        #: The extreme of the open block.
        self.blocks: dict[Computation, str] = {}

    def start(self, c: Computation, identity: str) -> str:
        """Begin; the name of what will be the position."""
        names = self.names[c] = _Names(self.e.fresh("v"), self.e.fresh("v"), self.e.fresh("v"))
        block = self.e.path[-1]
        block.add(f"{names.best} = {identity}")
        block.add(f"{names.place} = 0")
        block.add(f"{names.counter} = 0")
        return names.place

    def by_blocks(self, loop: Loop) -> list[Computation]:
        """The computations of a loop that takes a block at a time; none where it does not."""
        inside = [c for c in loop.items if isinstance(c, Computation) and _has_reduction(c)]
        whole = len(inside) == len(loop.items) and not loop.draws and not loop.twins
        return inside if whole and all(c.loops[-1] is loop for c in inside) else []

    def open_block(self, c: Computation, identity: str, outer: Block) -> None:
        """Before a block's elements."""
        name = self.blocks[c] = self.e.fresh("v")
        outer.add(f"{name} = {identity}")

    def step(self, c: Computation, value: str) -> None:
        """Take an element into account."""
        if c in self.blocks:
            name = self.blocks[c]
            self.e.path[-1].add(f"{name} = {_extreme(c, name, value)}", c.target.origin)
            return
        names, block = self.names[c], self.e.path[-1]
        better = self._if_better(c, value)
        better.add(f"{names.best} = {value}", c.target.origin)
        better.add(f"{names.place} = {names.counter}")
        block.add(f"{names.counter} = {names.counter} + 1")

    def close_block(self, c: Computation, loop: Loop, start: str, last: str) -> None:
        """After a block's elements: the position of its extreme, where that is better."""
        names, found = self.names[c], self.blocks.pop(c)
        better = self._if_better(c, found)
        better.add(f"{names.best} = {found}", c.target.origin)
        place, index, outer = self.e.fresh("v"), self.e.fresh("i"), self.e.var_of[loop]
        better.add(f"{place} = {last}")
        search = Block(f"for {index} in block({start}, {last}):")
        better.body.append(search)
        depth, self.e.var_of[loop] = self.e.depth_of[loop], index
        self.e.path += [better, search]
        self.e.depth_of[loop] = len(self.e.path) - 1
        value = self.e.value(c.value, self.e.index_of(c))
        hit = f"eq({value}, {found})"
        if c.value.dtype.kind == "f":
            hit = f"logical_or({hit}, isnan({value}))"
        search.add(f"{place} = imin({place}, select({hit}, {index}, {last}))", c.target.origin)
        del self.e.path[-2:]
        self.e.depth_of[loop], self.e.var_of[loop] = depth, outer
        better.add(f"{names.place} = {names.counter} + {place}")

    def pass_by(self, c: Computation, extent: str) -> None:
        """After a loop that takes blocks: its elements come before those of the next."""
        if len(c.reduced) > 1:
            counter = self.names[c].counter
            self.e.path[-1].add(f"{counter} = {counter} + {extent}")

    def _if_better(self, c: Computation, value: str) -> Block:
        """A block for when `value` takes the place of the best."""
        best = self.names[c].best
        # A NaN is not below the best either: the first one wins, and then nothing does.
        better = Block(f"if not {self._not_better(c)}({value}, {best}):")
        self.e.path[-1].body.append(better)
        if c.value.dtype.kind in "fc":
            inner = Block(f"if not isnan({best}):")
            better.body.append(inner)
            return inner
        return better

    def _not_better(self, c: Computation) -> str:
        """The comparison under which a value does not take the place of the best."""
        return "le" if _largest(c) else "ge"


def _largest(c: Computation) -> bool:
    return c.target.op.name == "argmax"


def _extreme(c: Computation, a: str, b: str) -> str | None:
    reduction = ops.REDUCTIONS["max" if _largest(c) else "min"]
    return expressions.combine_text(reduction, c.value.dtype, a, b)


def _has_reduction(c: Computation) -> bool:
    return c.kind is Kind.ARG and c.value.dtype.kind != "c"
