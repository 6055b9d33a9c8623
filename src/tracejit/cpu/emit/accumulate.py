"""Accumulators: reductions, sweeps, scans and appended positions.

A floating sum has an accumulator a loop level. The innermost adds with reassociation allowed, so
that LLVM keeps several vector accumulators, over blocks of fixed length; what a block or a row
gives is added to the next level with the rounding error carried along. So the order of additions
is fixed by the shape alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tracejit.cpu.emit import expressions
from tracejit.cpu.emit.block import Block
from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.emit.extremes import Extremes, if_better
from tracejit.cpu.styles import BlockedDraws, Chunk
from tracejit.intrinsics.blocks import BLOCK
from tracejit.ir import build, ops
from tracejit.ir.node import Node
from tracejit.lower.access import FLAT, Dynamic, Entry, Index
from tracejit.lower.program import Buffer, Computation, Flat, Kind, Loop


class Version(NamedTuple):
    """Blocks to open for a loop, outermost first, and what to do when the innermost is closed.

    Where there are two, `start` is the name of the index that the inner one begins with.
    """

    blocks: list[Block]
    close: Callable[[], None]
    start: str = ""


class Accumulators:
    """Statements before, in and after the loops of every computation that carries something."""

    def __init__(self, emitter: Emitting) -> None:
        self.e = emitter
        self.names: dict[Computation, str] = {}
        self.extremes = Extremes(emitter)
        self.parts: dict[Computation, str] = {}
        #: Whether the nest is for rows of at most one block, whose sums need no levels.
        self.rows_short = False
        self.totals: dict[tuple[Computation, Loop], str] = {}
        #: Where sweeps accumulate instead of in their targets, and what comes before the index.
        self.parts_of: dict[Node, tuple[Buffer, str]] = {}
        #: Sweeps that go on, in this chunk, where the one before has stopped.
        self.goes_on: set[Computation] = set()

    def row_lengths(self, loop: Loop, inside: list[Computation]) -> list[str]:
        """The lengths of the rows that floating sums and extremes in an outermost loop run over.

        There are none to tell apart where `loop` itself is reduced over: what it leaves behind in
        a scalar must be known after either version.
        """
        if loop.has(Flat) or any(c.order[0] in c.reduced for c in inside):
            return []
        rows = [c for c in inside if self.layered(c) or _is_floating_extreme(c)]
        lengths = {self.e.dim(c.domain[c.order[-1]]) for c in rows}
        return sorted(text for text in lengths if not text.isdigit() or int(text) > BLOCK)

    # Loop hooks ------------------------------------------------------------------------------

    def before(self, loop: Loop, inside: list[Computation]) -> None:
        """Initialise what accumulates over `loop`."""
        block = self.e.path[-1]
        for c in inside:
            if c.kind is Kind.SCAN:
                if c.axis == len(c.domain) - 1 and c.loops[-1] is loop:
                    block.add(f"{self._new(c)} = {self._zero(c)}")
                continue
            if loop is not self._first(c):
                continue
            if c.kind is Kind.REDUCE and not self.layered(c):
                block.add(f"{self._new(c)} = {self.identity(c)}")
            elif c.kind is Kind.ARG:
                self.names[c] = self.extremes.start(c, self.identity(c))
            elif c.kind is Kind.SWEEP and c not in self.goes_on:
                self.clear(c, c.loops.index(loop))
        for c in inside:
            levels = self._reduced_loops(c) if self.layered(c) else []
            if loop in (levels[:-1] if self.rows_short else levels):
                self._open_level(c, loop)

    def open(
        self, loop: Loop, inside: list[Computation], first: str, last: str, cut: bool
    ) -> Version:
        """The blocks of `loop` from `first` to `last`: one, unless it is `cut`, or for a sum."""
        block, var = self.e.path[-1], self.e.var_of[loop]
        sums = [c for c in inside if self.layered(c) and self._reduced_loops(c)[-1] is loop]
        extremes = self.extremes.by_blocks(loop)
        counts = [c for c in inside if self.counts(c) and c.loops[-1] is loop]
        if self.rows_short:
            self._open_parts(block, sums)
            sums = []
        if not (cut or sums or extremes or counts or loop.has(BlockedDraws)):
            steps = f"span({first}, {last})" if first else f"range({last})"
            plain = Block(f"for {var} in {steps}:")
            block.body.append(plain)
            return Version([plain], lambda: None)
        start = self.e.fresh("i")
        if first:
            base, start = start, self.e.fresh("i")
            outer = Block(f"for {base} in blocks({last} - {first}):")
            outer.add(f"{start} = {first} + {base}")
        else:
            outer = Block(f"for {start} in blocks({last}):")
        for c in extremes:
            self.extremes.open_block(c, loop, start)
        for c in counts:
            self.parts[c] = self.e.fresh("v")
            outer.add(f"{self.parts[c]} = int16(0)")
        block.body.append(outer)
        inner = Block(f"for {var} in block({start}, {last}):")
        outer.body.append(inner)

        def close() -> None:
            self._close_block(sums, loop)
            for c in extremes:
                self.extremes.close_block(c, start, last)
            for c in counts:
                name = self.accumulator(c)
                self.e.path[-1].add(f"{name} = {name} + to_int64({self.parts[c]})", c.target.origin)

        return Version([outer, inner], close, start)

    def _open_parts(self, block: Block, sums: list[Computation]) -> None:
        for c in sums:
            self.parts[c] = self.e.fresh("v")
            block.add(f"{self.parts[c]} = {self.start(c)}")

    def _close_block(self, sums: list[Computation], loop: Loop) -> None:
        for c in sums:
            name = self.totals[(c, loop)]
            self.e.path[-1].add(f"{name} = sum_block({name})", c.target.origin)

    def after(self, loop: Loop, inside: list[Computation]) -> None:
        """Pass the sum of a level on, and finish what accumulated over `loop`."""
        for c in inside:
            if self.layered(c) and loop in self._reduced_loops(c)[1:]:
                self._carry(c, self.total(c, loop), c.loops[c.loops.index(loop) - 1])
        for c in self.extremes.by_blocks(loop):
            self.extremes.pass_by(c, self.e.dim(loop.extent))
        for c in inside:
            if loop is not self._first(c) or c.kind is Kind.SWEEP or loop.has(Chunk):
                continue
            name = self.total(c, loop) if self.layered(c) else self.accumulator(c)
            if c.kind is Kind.REDUCE and c.target.dtype.char == "e":
                name = f"half_round({name})"
            self.finish(c, name)

    # One element -----------------------------------------------------------------------------

    def takes_product(self, c: Computation) -> bool:
        """Whether the value of a sum is a product that may be fused with the addition."""
        return (
            self.layered(c)
            and c.target.dtype.char != "e"
            and c.value.op.name in ("multiply", "square")
            and c.value not in self.e.program.stored
        )

    def counts(self, c: Computation) -> bool:
        """Whether `c` alone counts what is true in memory: by blocks, in numbers that are small."""
        if c.kind is not Kind.REDUCE or (c.target.op.name, c.target.dtype.char) != ("sum", "l"):
            return False
        truth = c.value.args[0] if c.value.op is ops.CAST else c.value
        byte = truth.args[0] if truth.op is ops.CAST else truth
        read = byte.op is ops.INPUT or byte in self.e.program.stored
        fits = truth.dtype.kind == "b" and byte.dtype.itemsize == 1
        return fits and read and c.loops[-1].items == [c]

    def step_count(self, c: Computation, truth: str) -> None:
        """Take a truth value into a count."""
        part = self.parts[c]
        self.e.path[-1].add(f"{part} = radd({part}, to_int16({truth}))", c.target.origin)

    def step_product(self, c: Computation, a: str, b: str) -> None:
        """Take ``a * b`` into a sum."""
        name, add = self._sum(c)
        self.e.path[-1].add(f"{name} = {add}_product({name}, {a}, {b})", c.target.origin)

    def step(self, c: Computation, value: str, index: Index) -> None:
        """Take `value`, the element at `index` of the domain, into the accumulator."""
        block, origin = self.e.path[-1], c.target.origin
        if c.kind is Kind.REDUCE and self.layered(c):
            name, add = self._sum(c)
            block.add(f"{name} = {add}({name}, {value})", origin)
        elif c.kind is Kind.REDUCE and _is_complex_extreme(c):
            # A branch that is foreseen, where a choice would wait for the one before.
            name = self.accumulator(c)
            op = c.target.op.name
            better = if_better(block, "c", "max" in op, value, name, op.startswith("f"))
            better.add(f"{name} = {value}", origin)
        elif c.kind is Kind.REDUCE:
            name = self.accumulator(c)
            combined = self.combine(c, name, value)
            if self.rows_short and _is_floating_extreme(c):
                combined = combined.replace("(", "_row(", 1)
            block.add(f"{name} = {combined}", origin)
        elif c.kind is Kind.SWEEP:
            home, lead = self._homes(c)[0]
            place = led(self.e.element(home, self.e.target_index(c, index)), lead)
            if c.target.dtype.char == "e":
                combined = self.combine(c, f"half_load({place})", value)
                block.add(f"{place} = half_store(half_round({combined}))", origin)
            else:
                block.add(f"{place} = {self.combine(c, place, value)}", origin)
        elif c.kind is Kind.ARG:
            self.extremes.step(c, value)
        elif c.kind is Kind.SCAN:
            self._scan(c, value, index)

    def _scan(self, c: Computation, value: str, index: Index) -> None:
        assert isinstance(index, tuple)
        block, name = self.e.path[-1], c.target.attr[0]
        entry = index[c.axis]
        assert isinstance(entry, Entry)
        var = self.e.index_text(entry)
        if c.axis == len(c.domain) - 1:
            before = self.accumulator(c)
        else:
            before = self.e.fresh("v")
            place = self._row_before(c, index, var)
            load = f"half_load({place})" if c.target.dtype.char == "e" else place
            block.add(f"{before} = select({var} > 0, {load}, {self._zero(c)})")
        row = ops.ELEMENTWISE[name]
        combined = self._apply(row, c, before, value)
        new = self.e.fresh("v")
        block.add(f"{new} = select({var} > 0, {combined}, {value})", c.target.origin)
        if c.axis == len(c.domain) - 1:
            block.add(f"{before} = {new}")
        self.e.store(c, new, index)

    def _row_before(self, c: Computation, index: tuple[Entry | Dynamic, ...], var: str) -> str:
        """The element one step back along the axis of a scan; for the first, that element."""
        buffer = self.e.program.buffers[c.target][0]
        step = self.e.fresh("i")
        self.e.path[-1].add(f"{step} = imax({var} - 1, 0)")
        return self.e.element(buffer, index, {c.axis: step})

    # Details ---------------------------------------------------------------------------------

    def layered(self, c: Computation) -> bool:
        """Whether `c` is a floating sum, with an accumulator a level."""
        return c.kind is Kind.REDUCE and c.target.op.name == "sum" and c.target.dtype.kind == "f"

    def _reduced_loops(self, c: Computation) -> list[Loop]:
        if c.loops and c.loops[0].has(Flat):
            return c.loops
        return [loop for axis, loop in zip(c.order, c.loops, strict=True) if axis in c.reduced]

    def _first(self, c: Computation) -> Loop | None:
        """The outermost loop that `c` reduces over."""
        if c.kind not in (Kind.REDUCE, Kind.SWEEP, Kind.ARG):
            return None
        reduced = self._reduced_loops(c)
        return reduced[0] if reduced else None

    def _new(self, c: Computation) -> str:
        name = self.e.fresh("v")
        self.names[c] = name
        return name

    def accumulator(self, c: Computation) -> str:
        """The name of what `c` has accumulated."""
        return self.names[c]

    def identity(self, c: Computation) -> str:
        """What a reduction starts from."""
        value = ops.identity(c.target.op.name, c.value.dtype)
        return expressions.scalar_text(value, c.value.dtype)

    def _zero(self, c: Computation) -> str:
        return expressions.scalar_text(c.target.dtype.type(0), c.target.dtype)

    def start(self, c: Computation) -> str:
        """Where a sum starts, as an expression of its kernel type."""
        return "0.0" if c.target.dtype.char == "d" else "float32(0.0)"

    def _sum(self, c: Computation) -> tuple[str, str]:
        """The innermost accumulator of a floating sum, and what adds to it."""
        if self.rows_short:
            return self.parts[c], "radd"
        return self.totals[(c, self._reduced_loops(c)[-1])], "sum_add"

    def carried(self, loop: Loop) -> list[str]:
        """The names that reductions in an innermost loop assign at each step."""
        reductions = [c for c in loop.items if isinstance(c, Computation) and c.kind is Kind.REDUCE]
        return [self._sum(c)[0] if self.layered(c) else self.accumulator(c) for c in reductions]

    def _open_level(self, c: Computation, loop: Loop) -> None:
        name = self.totals[(c, loop)] = self.e.fresh("v")
        self.e.path[-1].add(f"{name} = sum_open({self.start(c)})")

    def _carry(self, c: Computation, part: str, loop: Loop) -> None:
        """Add `part` to the total of a level."""
        name = self.totals[(c, loop)]
        self.e.path[-1].add(f"{name} = sum_carry({name}, {part})", c.target.origin)

    def total(self, c: Computation, loop: Loop) -> str:
        """The sum that a level has accumulated over `loop`."""
        if self.rows_short and loop is self._reduced_loops(c)[-1]:
            return self.parts[c]
        total = self.e.fresh("v")
        self.e.path[-1].add(f"{total} = sum_close({self.totals[(c, loop)]})", c.target.origin)
        return total

    def combine(self, c: Computation, a: str, b: str) -> str:
        """Two values of a reduction as one."""
        op = c.target.op
        assert isinstance(op, ops.Reduction)
        text = expressions.combine_text(op, c.target.dtype, a, b)
        return text if text is not None else self._apply(ops.ELEMENTWISE[op.combine], c, a, b)

    def _apply(self, row: ops.Elementwise, c: Computation, a: str, b: str) -> str:
        dtype = c.target.dtype
        if row.cpu is not None and dtype.kind in row.cpu_kinds:
            text = row.cpu.format(a, b)
            return f"half_round({text})" if dtype.char == "e" else text
        chars = "".join(d.char for d in build.resolve(row.ufunc, (dtype, dtype)))
        name = f"{row.name}_{chars.replace('?', 't')}"
        self.e.use_loop(
            name, row.module, row.reference_name or row.name, f"{chars[:2]}->{chars[2]}"
        )
        return f"{name}({a}, {b})"

    def sum_of(self, c: Computation, a: str, b: str) -> str:
        """The sum of two elements of the target's dtype, in the order given."""
        return self._apply(ops.ELEMENTWISE["add"], c, a, b)

    def combine_in_order(self, c: Computation, a: str, b: str) -> str:
        """The same as `combine`, but for LLVM's freedom to reorder what rounds."""
        op = c.target.op
        assert isinstance(op, ops.Reduction)
        if op.name in ("sum", "prod") and c.target.dtype.kind in "fc":
            return self._apply(ops.ELEMENTWISE[op.combine], c, a, b)
        return self.combine(c, a, b)

    def _homes(self, c: Computation) -> list[tuple[Buffer, str]]:
        """Where a sweep accumulates, and what comes before the index there."""
        part = self.parts_of.get(c.target)
        return [part] if part else [(b, "") for b in self.e.program.buffers[c.target]]

    def clear(self, c: Computation, position: int) -> None:
        """Set the accumulators of a sweep to the identity, before its loop at `position`."""
        value = self.identity(c)
        if c.target.dtype.char == "e":
            value = f"half_store({value})"
        block, place = self.over_kept(c, position)
        for buffer, lead in self._homes(c):
            block.add(f"{led(kept_element(c, buffer, place), lead)} = {value}")

    def over_kept(self, c: Computation, position: int) -> tuple[Block, dict[int, str]]:
        """Loops over the kept axes of a sweep in its loop at `position`; their indices by axis."""
        block = self.e.path[-1]
        place: dict[int, str] = {}
        axes = [axis for axis in c.order[position + 1 :] if axis not in c.reduced]
        extents = [self.e.dim(c.domain[axis]) for axis in axes]  # before a block is open
        for axis, extent in zip(axes, extents, strict=True):
            place[axis] = self.e.fresh("i")
            inner = Block(f"for {place[axis]} in range({extent}):")
            block.body.append(inner)
            block = inner
        for axis, outer in zip(c.order[:position], c.loops[:position], strict=True):
            place[axis] = self.e.var_of[outer]
        return block, place

    def finish(self, c: Computation, value: str) -> None:
        """Store what a reduction has given."""
        name = value
        if not (self.layered(c) and not self.rows_short and value.isidentifier()):
            # An accumulator's name is assigned again in the next row.
            name = self.e.fresh("v")
            self.e.path[-1].add(f"{name} = {value}", c.target.origin)
        if c.loops[0].has(Flat):
            self.e.store(c, name, FLAT)
            return
        loop_of = dict(zip(c.order, c.loops, strict=True))
        index = tuple(
            Entry(0, 1, id(loop_of[k])) if k in c.kept else Entry(0, 0, None)
            for k in range(len(c.domain))
        )
        self.e.store(c, name, index)


def _is_floating_extreme(c: Computation) -> bool:
    """Whether `c` is an extreme along rows that is taken in vectors."""
    op, char = c.target.op.name, c.target.dtype.char
    return c.kind is Kind.REDUCE and op in ("max", "min") and char in "fd"


def _is_complex_extreme(c: Computation) -> bool:
    names = ("max", "min", "fmax_reduce", "fmin_reduce")
    return c.target.op.name in names and c.target.dtype.kind == "c"


def kept_element(c: Computation, buffer: Buffer, place: Mapping[int, str]) -> str:
    """The element of a sweep's buffer at an index for each axis of the domain."""
    return f"{buffer.name}[{', '.join(place[c.kept[k]] for k in buffer.axes)}]"


def led(element: str, lead: str) -> str:
    """`element` in an array that has one more axis in front, at `lead` there."""
    return element.replace("[", f"[{lead}, ", 1) if lead else element
