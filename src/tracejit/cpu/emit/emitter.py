"""The entry of a program for the CPU: its loops by blocks, jams, chunks, lines, in phases."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

from tracejit.cpu.emit.accumulate import Accumulators
from tracejit.cpu.emit.calls import Calls
from tracejit.cpu.emit.chunks import Chunks
from tracejit.cpu.emit.copies import Copies
from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.emit.guards import Guards
from tracejit.cpu.emit.heading import heading
from tracejit.cpu.emit.streams import Streams
from tracejit.cpu.passes.jam import FAR, LONG
from tracejit.cpu.passes.phases import Phase, with_slots
from tracejit.cpu.source import CPUSource, Extra
from tracejit.cpu.styles import Jam
from tracejit.intrinsics.blocks import BLOCK
from tracejit.lower.access import Point
from tracejit.lower.emit.accumulate import Version
from tracejit.lower.kernel.statements import (
    Binary,
    Block,
    Call,
    Do,
    Expr,
    For,
    Group,
    If,
    Kernel,
    Statement,
    Unary,
)
from tracejit.lower.kernel.text import Text
from tracejit.lower.program import Buffer, Computation, Kind, Loop, Program, computations_in
from tracejit.lower.styles import Chunk

#: What an entry for a range is told: which phase, and its first and last iteration.
_RANGE = ("phase", "first", "last")


def emit(program: Program, phases: Sequence[Phase] = (), streaming: bool = False) -> CPUSource:
    """The source of `program`; with `phases`, of an entry for a range of one of them."""
    return Emitter(program, phases, streaming).emit()


def printed(kernel: Kernel, given: list[Buffer], returned: list[Buffer]) -> CPUSource:
    """The source of a kernel that is given buffers, and makes those that it returns."""
    text = Text()
    text.block(kernel.body)
    head = heading(kernel, text)
    return CPUSource(
        kernel,
        "\n".join([*head, *text.lines, ""]),
        [*(None for _ in head), *text.origins],
        given,
        returned,
        calls=text.calls,
    )


class Emitter(Emitting):
    """Adds how the CPU goes through loops, and its calls."""

    accumulators: Accumulators

    def __init__(
        self,
        program: Program,
        phases: Sequence[Phase] = (),
        streaming: bool = False,
        around: Emitting | None = None,
    ) -> None:
        super().__init__(with_slots(program) if phases else program, phases, streaming, around)
        self.accumulators = Accumulators(self)
        self.chunks = Chunks(self, self.accumulators)
        self.calls = Calls(self)
        self.copies = Copies(self)
        self.guards = Guards(self, self.accumulators)
        self.streams = Streams(self)

    # The whole function ----------------------------------------------------------------------

    def emit(self) -> CPUSource:
        """Emit everything."""
        source = printed(self.kernel(), self.given, self.returned)
        return replace(source, ranged=bool(self.phases), extras=self.extras)

    def checks(self) -> None:
        self.extras = [Extra(b) for b in self.kept]
        super().checks()

    def own_parameters(self) -> list[str]:
        return [e.buffer.name for e in self.extras] + (list(_RANGE) if self.phases else [])

    def outer_item(self, number: int, item: Loop | Computation) -> None:
        if phases := self.phases:
            self.ranged = item if phases[number].rows != 0 else None
            self.open_phase(number)
        super().outer_item(number, item)
        if self.ranged is item and isinstance(item, Loop) and item.has(Chunk):
            self.chunks.combine(item, number)

    def leave(self) -> None:
        if self.phases and self.program.required is not None:
            self.open_phase(len(self.phases) - 1)
        super().leave()

    def open_phase(self, number: int) -> None:
        """Open the block of a phase."""
        self.open(If(test=Binary("==", "phase", number)))

    def make(self, buffer: Buffer) -> None:
        super().make(buffer)
        if not buffer.output and buffer.room is None:
            self.path[-1].add(Do(Call("large_pages", (buffer.name,))))

    def call(self, c: Computation) -> None:
        self.calls.call(c)

    def put(self, c: Computation, buffer: Buffer, value: Expr) -> Statement | None:
        return self.streams.put(c, buffer, value)

    # Loops -----------------------------------------------------------------------------------

    def nest(self, loop: Loop) -> None:
        """An outermost loop: in two versions where it sums rows, which mostly are short."""
        inside = computations_in(loop)
        self.allocate(inside)
        lengths = self.accumulators.row_lengths(loop, inside)
        if not lengths:
            self.loop(loop)
            return
        each: list[Expr] = [Binary("<=", length, BLOCK) for length in lengths]
        short = functools.reduce(lambda a, b: Binary("and", a, b), each)
        long = Unary("not", short) if len(lengths) > 1 else Binary(">", lengths[0], BLOCK)
        for condition in (short, long):
            self.open(If(test=condition))
            self.accumulators.rows_short = condition is short
            self.loop(loop)
            self.path.pop()
        self.accumulators.rows_short = False

    def loop(self, loop: Loop) -> None:
        extent = self.dim(loop.extent)
        if self.accumulators.extremes.in_memory(loop):
            return
        if loop.has(Chunk):
            self.chunks.run(loop, extent)
        elif self.streaming:
            self.streams.run(loop, extent)
        elif loop is self.ranged:
            self.range_of(loop, "first", "last")
        else:
            self.range_of(loop, *self.span(loop))

    def range_of(self, loop: Loop, first: Expr | None, last: Expr) -> None:
        """The iterations of a loop from `first` (None: 0) up to `last`."""
        if self.copies.run(loop, first, last):
            return
        # Without those of copies that are not there, where what they leave is done one by one.
        inside = [
            c
            for c in computations_in(loop)
            if loop not in c.loops
            or all(outer in self.depth_of for outer in c.loops[: c.loops.index(loop)])
        ]
        self.var_of[loop] = self.fresh("i")
        self.loops[id(loop)] = loop
        self.accumulators.before(loop, inside)
        if (jam := loop.get(Jam)) is not None:
            self._jammed(loop, jam, first, last)
        else:
            points = self.guards.points(loop)
            version = self.accumulators.open(loop, inside, first, last, bool(points))
            self._steps(loop, inside, version, last, points)

    def _steps(
        self,
        loop: Loop,
        inside: list[Computation],
        version: Version,
        extent: Expr,
        guarded: list[Point],
    ) -> None:
        """What a loop does at each step, and what becomes of it."""
        self.starts[loop] = version.start
        for c in loop.draws:
            self.calls.draw_blocks(c, version, extent)
        self.path.extend(version.blocks)
        self.depth_of[loop] = len(self.path) - 1
        if guarded:
            self.guards.emit(loop, guarded, version.start, extent)
        else:
            for item in loop.items:
                self.item(item)
        self.path.pop()
        version.close()
        del self.path[len(self.path) - len(version.blocks) + 1 :]
        del self.depth_of[loop]
        self.accumulators.after(loop, inside)

    def _jammed(self, loop: Loop, jam: Jam, first: Expr | None, last: Expr) -> None:
        """A loop that takes several steps at a time."""
        steps, var = len(jam.copies) + 1, self.var_of[loop]
        group = self.fresh("i")
        shift = steps.bit_length() - 1
        count: Expr = last
        start: Expr = Binary("<<", group, shift)
        if first is not None:
            count, start = Group(Binary("-", last, first)), Binary("+", first, start)
        groups: Expr = Binary(">>", Binary("+", count, steps - 1), shift)
        if jam.remainder:
            whole, far = Binary(">>", count, shift), self._far(loop)
            groups = self.fresh("i")
            several = whole if far is None else Call("select", (far, 0, whole))
            self.path[-1].assign(groups, several)
        block = For(index=group, kind="range", operands=(groups,))
        block.assign(var, start)
        for k, copy in enumerate(jam.copies, 1):
            self.loops[id(copy)], self.var_of[copy] = copy, self.fresh("i")
            step: Expr = Binary("+", var, k)
            if not jam.remainder:
                step = Call("imin", (step, Binary("-", last, 1)))
            block.assign(self.var_of[copy], step)
        self._open_items(block, loop, jam.copies)
        if jam.remainder:
            rest = self.var_of[loop] = self.fresh("i")
            done: Expr = Binary("<<", groups, shift)
            if first is not None:
                done = Binary("+", first, done)
            self._open_items(For(index=rest, kind="span", operands=(done, last)), loop, ())

    def _far(self, loop: Loop) -> Expr | None:
        """The condition under which a loop's rows come from memory; None where they do not."""
        inside = computations_in(loop)
        for item in self.program.items:
            if not isinstance(item, Loop) or loop not in item.members:
                continue
            if len(item.members) > 1 and any(c.kind is Kind.SWEEP for c in inside):
                return None  # another loop over the block has just fetched them
            rows, row = self.dim(loop.extent), self.dim(inside[0].loops[-1].extent)
            size = Call("select", (Binary(">", row, LONG), 0, Binary("*", rows, row)))
            return Binary(">", size, FAR)
        return None

    def _open_items(self, block: Block, loop: Loop, copies: Sequence[Loop]) -> None:
        """The items of a loop in a block of its own."""
        self.open(block)
        for each in (loop, *copies):
            self.depth_of[each] = len(self.path) - 1
        for item in loop.items:
            self.item(item)
        self.path.pop()
        for each in (loop, *copies):
            del self.depth_of[each]
