"""The kernel of a program: one function, one operation a statement, each name assigned once.

The names are canonical and no line of the user's appears, so that equal computations have equal
source; where each statement comes from is kept beside it. For ``1 / (1 + np.exp(-x))``:

    def entry(x0, b0):
        if not x0.shape[0] != 1:
            return 1
        v0 = x0.shape[0]
        for i0 in range(v0):
            v1 = x0[i0]
            v2 = negative(v1)
            v3 = exp(v2)
            v4 = 1.0 + v3
            v5 = 1.0 / v4
            b0[i0] = v5
        return 0
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from tracejit.cpu.emit.accumulate import Accumulators, Version
from tracejit.cpu.emit.calls import Calls
from tracejit.cpu.emit.chunks import Chunks
from tracejit.cpu.emit.copies import Copies
from tracejit.cpu.emit.emitting import DONE, FALSE, MISSED, Emitting, refused, unless
from tracejit.cpu.emit.expressions import loaded, stored
from tracejit.cpu.emit.guards import Guards
from tracejit.cpu.emit.heading import heading
from tracejit.cpu.emit.regions import Regions
from tracejit.cpu.emit.streams import Streams
from tracejit.cpu.passes.jam import FAR, LONG
from tracejit.cpu.passes.phases import Phase, with_slots
from tracejit.cpu.source import CPUSource, Extra
from tracejit.cpu.styles import Chunk, Jam
from tracejit.intrinsics.blocks import BLOCK
from tracejit.ir import build, dims, ops
from tracejit.ir.node import Node
from tracejit.lower.access import FLAT, Dynamic, Entry, Index, Point
from tracejit.lower.buffers import name_memory
from tracejit.lower.control import results
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Do,
    Element,
    Expr,
    Factory,
    For,
    Group,
    If,
    Kernel,
    Length,
    Return,
    Store,
    Unary,
)
from tracejit.lower.kernel.text import Text
from tracejit.lower.program import (
    Buffer,
    Computation,
    Flat,
    Kind,
    Loop,
    Program,
    computations_in,
)
from tracejit.lower.writes import are_late, written


def emit(program: Program, phases: Sequence[Phase] = (), streaming: bool = False) -> CPUSource:
    """The source of `program`; with `phases`, of an entry for a range of one of them."""
    return Emitter(program, phases, streaming).emit()


class Emitter(Emitting):
    """Walks a program's tree; holds the open blocks from the function's body inwards."""

    def __init__(
        self,
        program: Program,
        phases: Sequence[Phase] = (),
        streaming: bool = False,
        around: Emitting | None = None,
    ) -> None:
        super().__init__(with_slots(program) if phases else program, phases, streaming, around)
        self.accumulators = Accumulators(self)
        self.chunks = Chunks(self)
        self.calls = Calls(self)
        self.regions = Regions(self)
        self.copies = Copies(self)
        self.guards = Guards(self)
        self.streams = Streams(self)
        #: Whether nothing is left that could give another code than that all is done.
        self.left = False

    # The whole function ----------------------------------------------------------------------

    def emit(self) -> CPUSource:
        """Emit everything."""
        graph = self.program.graph
        self.written = set(written(graph))
        for k, node in enumerate(graph.inputs):
            self.names[node.attr[0]] = f"x{k}"
        ordered, late, kept = name_memory(self.program)
        for buffer in (b for bs in self.program.buffers.values() for b in bs if b.home):
            buffer.name = self.home(buffer)
        self.extras = [Extra(b) for b in kept]
        self.returned = [b for b in late if b.output]
        self.parameters = [f"x{k}" for k in range(len(graph.inputs))] + [b.name for b in ordered]
        self._checks()
        is_late = are_late(graph)
        for k, item in enumerate(self.program.items):
            if is_late and not self.left and _assigns(item):
                self._leave()
            if phases := self.phases:
                self.ranged = item if phases[k].rows != 0 else None
                self.open_phase(k)
            self.item(item)
            del self.path[1:]
            if self.ranged is item and isinstance(item, Loop) and item.has(Chunk):
                self.chunks.combine(item, k)
        if not self.left:
            self._leave()
        self.body.add(Return(DONE))
        parameters = self.parameters + [e.buffer.name for e in self.extras]
        parameters += ["phase", "first", "last"] if self.phases else []
        parameters += ["late"] if self.returned else []
        kernel, text = Kernel(parameters, self.factories, self.body), Text()
        text.block(kernel.body)
        head = heading(kernel, text)
        return CPUSource(
            "\n".join([*head, *text.lines, ""]),
            [*(None for _ in head), *text.origins],
            ordered,
            self.returned,
            kernel,
            text.calls,
            bool(self.phases),
            self.extras,
        )

    def inside(self, program: Program) -> Emitting:
        return Emitter(program, around=self)

    def everything(self) -> None:
        for item in self.program.items:
            self.item(item)
            del self.path[1:]

    def _leave(self) -> None:
        """Leave after the work where the entry is for other arguments, or NumPy would raise."""
        self.left = True
        if self.program.required is not None:
            self._require(self.program.required)
        if self.traps:
            self.body.body.insert(self.start, Assign("bad", FALSE))
            self.body.add(refused())

    def open_phase(self, number: int) -> None:
        """Open the block of a phase."""
        self.open(If(test=Binary("==", "phase", number)))

    def _checks(self) -> None:
        """Leave before any work where the arguments are not those that the trace was for.

        There is one branch for all checks: each further one costs Numba and LLVM more time than the
        one before.
        """
        inputs = self.program.graph.inputs
        layouts = self.program.layouts
        met: list[Expr] = [
            Call("rows", (self.names[i.attr[0]],)) for i in inputs if layouts[i.attr[0]] == "R"
        ]
        met += [self._met(check.condition) for check in self.program.graph.checks]
        arrays = [i for i in inputs if layouts[i.attr[0]]]
        gaps = [i for i in arrays if i in self.written and layouts[i.attr[0]] in ("R", "A")]
        met += [Call("distinct", (self.names[i.attr[0]],)) for i in gaps]
        for k, x in enumerate(arrays):
            # What is written into shares no memory with another array.
            for y in arrays[:k]:
                if {x, y} & self.written:
                    met.append(Call("apart", (self.names[y.attr[0]], self.names[x.attr[0]])))
        if met:
            every = met[0]
            for one in met[1:]:
                name = self.fresh("met")
                self.body.assign(name, Call("logical_and", (every, one)))
                every = name
            self.body.add(unless(every, Return(MISSED)))
        self.start = len(self.body.body)

    def _require(self, condition: Node) -> None:
        """Leave after the work where it found that the entry is for other arguments."""
        if self.phases:
            self.open_phase(len(self.phases) - 1)
        self.path[-1].add(unless(self.value(condition, ()), Return(MISSED)))
        del self.path[1:]

    def _met(self, condition: Node) -> Expr:
        """The expression that is true where a check holds."""
        sign = {"equal": "==", "not_equal": "!="}.get(condition.op.name)
        if sign is not None:
            length, one = condition.args
            if length.op is ops.DIM and one.op is ops.CONST and build.constant_value(one) == 1:
                name, axis, _ = length.attr
                return Binary(sign, Length(self.names[name], axis), 1)
        return self.value(condition, ())

    # Loops -----------------------------------------------------------------------------------

    def item(self, item: Loop | Computation) -> None:
        if isinstance(item, Computation):
            self._computation(item)
        elif len(self.path) == self.outermost:
            self._nest(item)
        else:
            self._loop(item)

    def _nest(self, loop: Loop) -> None:
        """An outermost loop: in two versions where it sums rows, which mostly are short."""
        inside = computations_in(loop)
        self._allocate(inside)
        lengths = self.accumulators.row_lengths(loop, inside)
        if not lengths:
            self._loop(loop)
            return
        each: list[Expr] = [Binary("<=", length, BLOCK) for length in lengths]
        short = functools.reduce(lambda a, b: Binary("and", a, b), each)
        long = Unary("not", short) if len(lengths) > 1 else Binary(">", lengths[0], BLOCK)
        for condition in (short, long):
            self.open(If(test=condition))
            self.accumulators.rows_short = condition is short
            self._loop(loop)
            self.path.pop()
        self.accumulators.rows_short = False

    def _loop(self, loop: Loop) -> None:
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
            self.range_of(loop, None, extent)

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

    def _allocate(self, inside: list[Computation]) -> None:
        """Allocate the arrays whose size is known only now, before the nest that fills them."""
        for c in inside:
            for buffer in self._memory(c):
                if buffer.late and buffer.name not in self.allocated:
                    self.allocated.add(buffer.name)
                    self.path[-1].assign(buffer.name, self._new_array(buffer))
                    if not buffer.output:
                        self.path[-1].add(Do(Call("large_pages", (buffer.name,))))

    def _memory(self, c: Computation) -> list[Buffer]:
        """What a computation writes, or needs while it runs."""
        control = self.program.controls.get(c.target)
        if control is None:
            return self.program.buffers[c.target]
        found = [b for n in results(c.target) for b in self.program.buffers.get(n, ())]
        return found + [b for _, b in control.memory]

    def _new_array(self, buffer: Buffer) -> Expr:
        """Memory that is given back at the end, or, for a result, an array of NumPy's."""
        extents = [self.dim(d) for d in buffer.shape]
        char = buffer.node.dtype.char
        make = "new_array" if buffer.output else "temporary"
        name = f"{make}_{char.replace('?', 't')}_{len(extents)}"
        self.factories[name] = Factory(make, (char, len(extents)))
        if buffer.output:
            extents[:0] = ["late", 1 + self.returned.index(buffer)]
        return Call(name, tuple(extents))

    def _computation(self, c: Computation) -> None:
        if c.kind in (Kind.MATMUL, Kind.LIBRARY):
            self._allocate([c])
            (self.regions.run if c.target in self.program.controls else self.calls.call)(c)
            return
        if not c.loops:
            self._allocate([c])
        if any(loop not in self.depth_of for loop in c.loops):
            return  # a copy's, of which there is none here
        self.current = c
        index = self.index_of(c)
        if c.kind is Kind.SCATTER:
            self._scatter(c, index)
            self.current = None
            return
        point = (c.value, index)
        if self.accumulators.takes_product(c) and self._known(*point) is None:
            factors = [self.value(a, index if a.ndim else ()) for a in c.value.args]
            self.accumulators.step_product(c, factors[0], factors[-1])
            self.current = None
            return
        if self.accumulators.counts(c):
            self.accumulators.step_count(c, self.value(c.value.args[0], index))
            self.current = None
            return
        if c.value is c.target and c.value.op is not ops.CONST:
            value = self._compute(*point)
        else:
            value = self.value(*point)
        if c.kind is Kind.MAP:
            self.store(c, value, index)
        else:
            self.accumulators.step(c, value, index)
        self.current = None

    def index_of(self, c: Computation) -> Index:
        """The index vector of a computation's domain over the open loops."""
        if c.loops and c.loops[0].has(Flat):
            return FLAT
        loop_of = {axis: loop for axis, loop in zip(c.order, c.loops, strict=True)}
        return tuple(Entry(0, 1, id(loop_of[k])) for k in range(len(c.domain)))

    def target_index(self, c: Computation, index: Index) -> Index:
        """Where in the target the element at `index` of the domain goes."""
        if index is FLAT:
            return FLAT if not c.reduced else ()
        assert isinstance(index, tuple)
        kept = [index[k] for k in c.kept]
        return _moved(c, kept) if c.partial else tuple(kept)

    def store(self, c: Computation, value: Expr, index: Index) -> None:
        """Store `value` as the element of the target, and remember that it is known here."""
        if c.target.op is ops.RESHAPE and c.partial:
            self._fill(c, value, index)
            return
        where = self.target_index(c, index)
        if not c.partial:
            self.path[-1].known[(c.target, where)] = value
        result = stored(value, c.target.dtype)
        for buffer in self.program.buffers[c.target]:
            put = self.streams.put(c, buffer, result)
            self.path[-1].add(put or Store(self.element(buffer, where), result, c.target.origin))

    def _fill(self, c: Computation, value: Expr, index: Index) -> None:
        """Store `value`, an element of what is reshaped, where it lies in the target's memory."""
        result = stored(value, c.target.dtype)
        assert isinstance(index, tuple)
        place = self.position(c.target.args[0], _moved(c, list(index)))
        for buffer in self.program.buffers[c.target]:
            element = Element(self.flat(buffer.name, c.target.ndim), (place,))
            self.path[-1].add(Store(element, result, c.target.origin))

    def _scatter(self, c: Computation, index: Index) -> None:
        """Put or add an element where its positions say."""
        mode, checked = c.target.attr
        value = self.value(c.value, index if c.value.ndim else ())
        places = []
        block, origin = self.path[-1], c.target.origin
        for axis, (node, check) in enumerate(zip(c.positions, checked, strict=True)):
            place = self.value(node, index if node.ndim else ())
            if check:
                length = self.dim(c.target.shape[axis])
                self.trap(Call("outside", (place, length)), len(self.path) - 1)
                wrapped = self.fresh("v")
                block.assign(wrapped, Call("wrap", (place, length)), origin)
                place = wrapped
            places.append(place)
        for buffer in self.program.buffers[c.target]:
            at = [places[k] for k in buffer.axes]
            if buffer.layout == "F":
                at.reverse()
            element, dtype, new = Element(buffer.name, tuple(at)), c.target.dtype, value
            if mode == "add":
                new = self.accumulators.sum_of(c, loaded(element, dtype), value)
            block.add(Store(element, stored(new, dtype), origin))


def _assigns(item: Loop | Computation) -> bool:
    """Whether an item writes into an array of the caller's."""
    inside = computations_in(item) if isinstance(item, Loop) else [item]
    return any(c.target.op is ops.ASSIGN for c in inside)


def _moved(c: Computation, index: list[Entry | Dynamic]) -> Index:
    """The index into the whole of which `c` computes a part."""
    entry = index[c.axis]
    assert isinstance(entry, Entry)
    index[c.axis] = entry._replace(start=dims.add(entry.start, c.offset))
    return tuple(index)
