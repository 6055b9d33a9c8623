"""Running reductions whose order counts, along a whole array: a block of threads goes through it.

Each thread of the block computes what is taken at one of its next places, into shared memory. One
thread goes through these in their order, without waiting for memory, and then each goes on with
what its place has come to. So running reductions of running ones are no more than that.
"""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from tracejit.cuda.emit.launching import Launching
from tracejit.cuda.emit.partial import THREADS, PartAccumulators, TeamEmitter, text_of
from tracejit.cuda.source import ParameterKind
from tracejit.ir import ops
from tracejit.lower.access import Index
from tracejit.lower.emit import expressions
from tracejit.lower.kernel.statements import Binary, Constant, Element, Expr, For, If
from tracejit.lower.program import Computation, Kind, Loop, computations_in

#: How many elements are read ahead of those that are taken.
_AHEAD = 8
_NUMBER = ParameterKind(np.dtype(np.int64))


def emit_chains(host: Launching, nest: Loop) -> bool:
    """Emit the kernel of a loop, and its launch; whether it may tell that NumPy raises."""
    count = host.fresh("v")
    host.path[-1].assign(count, host.dim(nest.extent))
    emitter = ChainEmitter(host, count)
    emitter.run(nest)
    name = f"kernel{len(host.kernels)}"
    host.kernels[name] = made = emitter.finished(name, THREADS)
    host.call_kernel(name, (1, 1, 1), made.kernel.parameters)
    return bool(emitter.traps)


class ChainEmitter(TeamEmitter):
    """Emits a kernel of one block, whose threads take neighbours; `count` names how many are."""

    def __init__(self, host: Any, count: str) -> None:
        super().__init__(host)
        self.accumulators: ChainAccumulators = ChainAccumulators(self)
        self.scalars[count] = _NUMBER
        self.size = count
        #: Where a tile begins, and which place is a thread's.
        self.first, self.place = self.fresh("v"), self.fresh("v")

    def run(self, nest: Loop) -> None:
        """Emit the loop. Threads behind its end compute its last place, and store nothing."""
        for c in computations_in(nest):
            if c.kind is Kind.SCAN:
                name = self.accumulators.names[c] = self.fresh("v")
                self.path[-1].assign(name, self._nothing(c))
        tile, index, place = self.fresh("i"), self.fresh("i"), self.place
        self.open(For(index=tile, kind="range", operands=(self._tiles(),)))
        self.script(
            f"{self.first} = {tile} * {THREADS}\n"
            f"{place} = {self.first} + {self.thread}\n"
            f"{index} = imin({place}, {self.size} - 1)"
        )
        self.var_of[nest], self.loops[id(nest)] = index, nest
        self.depth_of[nest] = len(self.path) - 1
        for item in nest.items:
            self.item(item)
        self.path.pop()

    def _tiles(self) -> str:
        """The name of how many tiles there are."""
        name = self.fresh("v")
        self.script(f"{name} = ({self.size} + {THREADS - 1}) >> {THREADS.bit_length() - 1}")
        return name

    def store(self, c: Computation, value: Expr, index: Index) -> None:
        self.open(If(test=Binary("<", self.place, self.size)))
        super().store(c, value, index)
        self.path.pop()
        if not c.partial:
            self.known[self.path[-1]][(c.target, self.target_index(c, index))] = value

    def taken(self, c: Computation, value: Expr) -> str:
        """Emit what takes the `value` of each thread in turn; the name of what it has come to."""
        dtype, total = c.target.dtype, self.accumulators.accumulator(c)
        array, k, end, new = (
            self.shared_array(dtype.char),
            self.fresh("i"),
            self.fresh("v"),
            self.fresh("v"),
        )

        def load(place: str) -> str:
            return text_of(expressions.loaded(Element(array, (place,)), dtype))

        def stored(e: Expr) -> str:
            return text_of(expressions.stored(e, dtype))

        ahead = [self.fresh("v") for _ in range(_AHEAD)]
        many = "".join(f"{name} = {load(f'{k} + {n}')}\n" for n, name in enumerate(ahead))
        for n, name in enumerate(ahead):
            many += f"{total} = {self.combined(c, total, name)}\n"
            many += f"{array}[{k} + {n}] = {stored(total)}\n"
        self.script(
            f"""\
{array}[{self.thread}] = {stored(value)}
together()
if {self.thread} == 0:
    {end} = imin({self.size} - {self.first}, {THREADS})
    {k} = 0
    if {self.first} == 0:
        {total} = {load("0")}
        {k} = 1
    while True:
        if {k} + {_AHEAD} > {end}:
            break
{textwrap.indent(many, " " * 8)}\
        {k} = {k} + {_AHEAD}
    while True:
        if {k} >= {end}:
            break
        {total} = {self.combined(c, total, load(k))}
        {array}[{k}] = {stored(total)}
        {k} = {k} + 1
together()
{new} = {load(self.thread)}
"""
        )
        return new

    def _nothing(self, c: Computation) -> Constant:
        return expressions.scalar(0, c.target.dtype)

    def combined(self, c: Computation, a: str, b: str) -> str:
        """The text of two values of a running reduction as one."""
        row = ops.ELEMENTWISE[c.target.attr[0]]
        found = text_of(self.accumulators.apply(row, c, "first_one", "second_one"))
        return found.replace("first_one", a).replace("second_one", b)


class ChainAccumulators(PartAccumulators):
    """What each place has come to."""

    e: ChainEmitter

    def step(self, c: Computation, value: Expr, index: Index) -> None:
        self.e.store(c, self.e.taken(c, value), index)
