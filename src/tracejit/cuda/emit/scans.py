"""Running reductions along a whole array, by all threads: where any order gives the same bits.

The array is gone through in tiles, a block of threads each. One kernel reduces the tiles, one goes
through what these gave, and the last one begins each tile, and each thread, where the others end.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np

from tracejit.cuda.emit.launching import Launching
from tracejit.cuda.emit.partial import THREADS, PartAccumulators, TeamEmitter, text_of
from tracejit.cuda.passes.orderless import running_from
from tracejit.cuda.source import ParameterKind
from tracejit.ir import ops
from tracejit.lower.access import Index
from tracejit.lower.emit import expressions
from tracejit.lower.kernel.statements import Binary, Constant, Expr, For, If
from tracejit.lower.program import Computation, Kind, Loop

#: Neighbours that a thread takes.
_EACH = 8
_TILE = THREADS * _EACH
_NUMBER = ParameterKind(np.dtype(np.int64))


def emit_scans(
    host: Launching, kinds: dict[str, ParameterKind], nest: Loop, scans: Sequence[Computation]
) -> bool:
    """Emit the kernels of a loop, and their launches; whether they may tell that NumPy raises."""
    count, tiles = host.fresh("v"), host.fresh("v")
    host.path[-1].assign(count, host.dim(nest.extent))
    host.path[-1].assign(tiles, Binary(">>", Binary("+", count, _TILE - 1), 11))
    parts = {}
    for c in scans:
        parts[c] = host.temporary(c.target.dtype.char, tiles)
        kinds[parts[c]] = ParameterKind(c.target.dtype, 1, "C", True)
    emitters = [ScanEmitter(host, nest, parts, count, tiles) for _ in range(2)]
    first, last = emitters
    first.reduce()
    last.run()

    def launch(emitter: ScanEmitter) -> None:
        name = f"kernel{len(host.kernels)}"
        host.kernels[name] = made = emitter.finished(name, THREADS)
        host.call_kernel(name, (tiles, 1, 1), made.kernel.parameters)

    launch(first)
    for c, part in parts.items():
        host.launch(last.between(c), (1, 1, 1), [(part, kinds[part])], THREADS)
    launch(last)
    return bool(first.traps)


class ScanEmitter(TeamEmitter):
    """Emits kernels whose blocks go through tiles of a loop, each thread through neighbours."""

    def __init__(
        self, host: Launching, nest: Loop, parts: dict[Computation, str], count: str, tiles: str
    ) -> None:
        super().__init__(host)
        self.accumulators: ScanAccumulators = ScanAccumulators(self)
        self.nest_of_tiles, self.parts_of, self.size, self.tiles = nest, parts, count, tiles
        self.scalars |= {count: _NUMBER, tiles: _NUMBER}
        #: Whether what is computed is stored, or only taken together.
        self.storing = False

    def reduce(self) -> None:
        """Emit the kernel that leaves what each tile gives."""
        tile = self._open_tile()
        self._through()
        for c, part in self.parts_of.items():
            whole = self.of_block(c)
            self.open(If(test=Binary("==", self.thread, 0)))
            self.script(f"{part}[{tile}] = {whole.values}[0]")
            self.path.pop()
        self.script("together()")
        self.path.pop()

    def run(self) -> None:
        """Emit the kernel that does it all, where `parts_of` have what comes before each tile."""
        tile = self._open_tile()
        self._through()
        for c, part in self.parts_of.items():
            found = self.accumulators.accumulator(c)
            array, before = self.shared_array(c.target.dtype.char), self.fresh("v")
            self.script(
                f"{array}[{self.thread}] = {found}\ntogether()\n"
                + self._sums(c, array, self.thread)
                + f"{before} = {self.identity(c)}\n"
                f"if {self.thread} > 0:\n    {before} = {array}[{self.thread} - 1]\n"
                f"{found} = {self.combined(c, f'{part}[{tile}]', before)}\n"
            )
        self.storing = True
        self._through()
        self.storing = False
        self.script("together()")
        self.path.pop()

    def between(self, c: Computation) -> str:
        """The text of a kernel of one block, which puts what comes before a tile into its place."""
        dtype = c.target.dtype
        char = dtype.char.replace("?", "t")
        sums = textwrap.indent(self._sums(c, "part", "t"), "        ")
        return f"""\
shared_{char} = shared("{dtype.char}", {THREADS})

def between(tiles):
    part = shared_{char}()
    t = thread()
    total = {self.identity(c)}
    for row in range((tiles.shape[0] + {THREADS - 1}) >> 8):
        tile = row * {THREADS} + t
        c = {self.identity(c)}
        if tile < tiles.shape[0]:
            c = tiles[tile]
        part[t] = c
        together()
{sums}        c = {self.identity(c)}
        if t > 0:
            c = part[t - 1]
        if tile < tiles.shape[0]:
            tiles[tile] = {self.combined(c, "total", "c")}
        total = {self.combined(c, "total", f"part[{THREADS - 1}]")}
        together()
"""

    def _open_tile(self) -> str:
        """Open the loop over tiles; its index."""
        tile, first, last = self.fresh("i"), self.fresh("v"), self.fresh("v")
        self.open(For(index=tile, kind="over_groups", operands=(self.tiles,)))
        self.script(
            f"{first} = {tile} * {_TILE} + {self.thread} * {_EACH}\n"
            f"{last} = imin({first} + {_EACH}, {self.size})"
        )
        self.reach = first, last
        for c in self.parts_of:
            name = self.accumulators.names[c] = self.fresh("v")
            self.path[-1].assign(name, self._identity(c))
        return tile

    def _through(self) -> None:
        """Emit a loop through a thread's neighbours."""
        nest = self.nest_of_tiles
        index = self.var_of[nest] = self.fresh("i")
        self.loops[id(nest)] = nest
        self.open(For(index=index, kind="span", operands=self.reach))
        self.depth_of[nest] = len(self.path) - 1
        for item in nest.items:
            self.item(item)
        self.path.pop()
        del self.depth_of[nest]

    def store(self, c: Computation, value: Expr, index: Index) -> None:
        if self.storing:
            super().store(c, value, index)
        elif not c.partial:
            self.known[self.path[-1]][(c.target, self.target_index(c, index))] = value

    # Two values as one -----------------------------------------------------------------------

    def combined(self, c: Computation, a: str, b: str) -> str:
        """The text of two values of a running reduction as one."""
        found = text_of(self.accumulators.combine(c, "first_one", "second_one"))
        return found.replace("first_one", a).replace("second_one", b)

    def identity(self, c: Computation) -> str:
        """The text of what a running reduction starts from."""
        return text_of(self._identity(c))

    def _identity(self, c: Computation) -> Constant:
        name = running_from(c)
        assert name is not None
        return expressions.scalar(ops.identity(name, c.target.dtype), c.target.dtype)

    def _sums(self, c: Computation, array: str, t: str) -> str:
        """The text of what makes each element of an array that of all up to it."""
        far, before = (self.fresh("v") for _ in range(2))
        step = self.fresh("i")
        return f"""\
for {step} in range({THREADS.bit_length() - 1}):
    {far} = 1 << {step}
    {before} = {self.identity(c)}
    if {t} >= {far}:
        {before} = {array}[{t} - {far}]
    together()
    {array}[{t}] = {self.combined(c, before, f"{array}[{t}]")}
    together()
"""


class ScanAccumulators(PartAccumulators):
    """What a thread has come to."""

    e: ScanEmitter

    def combine(self, c: Computation, a: Expr, b: Expr) -> Expr:
        return self.apply(ops.ELEMENTWISE[c.target.attr[0]], c, a, b)

    def step(self, c: Computation, value: Expr, index: Index) -> None:
        assert c.kind is Kind.SCAN
        name = self.accumulator(c)
        self.e.path[-1].assign(name, self.combine(c, name, value), c.target.origin)
        if self.e.storing:
            new = self.e.fresh("v")
            self.e.path[-1].assign(new, name)
            self.e.store(c, new, index)
