"""The kernel of a program: one function, one operation a statement, each name assigned once.

The names are canonical and no line of the user's appears, so that equal computations have equal
text; where each statement comes from is kept beside it. For ``1 / (1 + np.exp(-x))``:

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
from collections.abc import Mapping, Sequence

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.lower.access import FLAT, Dynamic, Entry, Index, read_for
from tracejit.lower.buffers import name_memory
from tracejit.lower.control import results
from tracejit.lower.emit.accumulate import Accumulators
from tracejit.lower.emit.emitting import FALSE, Emitting, refused, steps, unless
from tracejit.lower.emit.expressions import loaded, stored
from tracejit.lower.emit.regions import Regions
from tracejit.lower.emit.values import DONE, MISSED, REFUSED
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Element,
    Expr,
    Factory,
    Kernel,
    Length,
    Return,
    Statement,
    Store,
)
from tracejit.lower.kernel.undo import open_log, with_undo
from tracejit.lower.program import (
    Buffer,
    Computation,
    Flat,
    Kind,
    Lines,
    Loop,
    Program,
    computations_in,
    computations_of,
    known_places,
    known_steps,
)
from tracejit.lower.writes import are_late, flat_place, keeps_log, written


class Emitter(Emitting):
    """Walks a program's tree; holds the open blocks from the function's body inwards.

    A target gives `call`, and what it does otherwise.
    """

    #: What begins, steps and ends what computations carry.
    accumulators: Accumulators
    #: Whether the caller's arrays are written where they are, and not a device's.
    undoes = True

    def __init__(self, program: Program, around: Emitting | None = None) -> None:
        super().__init__(program, around)
        self.accumulators = Accumulators(self)
        self.regions = Regions(self)
        #: Loops that do not go over all of their iterations, in a kernel.
        self.spans: dict[Loop, tuple[Expr, Expr]] = {}
        #: The buffers that the function is given, and those that are memory between its calls.
        self.given: list[Buffer] = []
        self.kept: list[Buffer] = []
        #: Whether nothing is left that could give another code than that all is done.
        self.left = False

    # The whole function ----------------------------------------------------------------------

    def kernel(self) -> Kernel:
        """Emit everything."""
        self.name_all()
        self.checks()
        graph = self.program.graph
        logged = self.undoes and keeps_log(graph)
        is_late = logged or are_late(graph)
        if logged:
            self._open_logs()
        decisions = self.program.decisions()
        last_of = self._last_items() if decisions else {}
        for first, last, lines in self.program.turns():
            items = self.program.items[first:last]
            decisions = self._test_decisions(decisions, last_of, first)
            if is_late and not self.left and any(map(_assigns, items)):
                self.leave()
            if lines is None:
                self.outer_item(first, *items)
            else:
                self._strip(items, lines)
        if not self.left:
            self.leave()
        self.body.add(Return(DONE))
        parameters = self.parameters + self.own_parameters()
        parameters += ["late"] if self.returned else []
        kernel = Kernel(parameters, self.factories, self.body)
        return with_undo(kernel) if logged else kernel

    def _last_items(self) -> dict[Node, int]:
        """The last item that does something for what is stored: it is all there then."""
        each = enumerate(self.program.items)
        return {c.target: k for k, item in each for c in computations_of(item)}

    def _test_decisions(
        self, decisions: Sequence[Node], last_of: Mapping[Node, int], item: int
    ) -> list[Node]:
        """Leave where what has been decided is otherwise, if that is known before an item.

        The others are left for later. What follows may read where only what was decided says that
        there is something.
        """
        never = len(self.program.items)
        ready = [
            d
            for d in decisions
            if all(
                n.op is ops.INPUT or last_of.get(n, never) < item
                for n, _ in read_for([d], self.program.stored)
            )
        ]
        if ready:
            every = functools.reduce(
                lambda a, b: Call("logical_and", (a, b)), [self.value(d, ()) for d in ready]
            )
            self.path[-1].add(unless(every, Return(MISSED)))
        return [d for d in decisions if d not in ready]

    def _open_logs(self) -> None:
        """Take note of what is overwritten in the caller's arrays, from here on."""
        count = self.dim(dims.add(known_steps(self.program), known_places(self.program)))
        for k, node in enumerate(n for n in self.program.graph.inputs if n in self.written):
            name = self.names[node.attr[0]]
            assert isinstance(name, str)
            open_log(self.body, name, k, count)

    def name_all(self) -> None:
        """Name what the function is given, and memory."""
        graph = self.program.graph
        self.written = set(written(graph))
        for k, node in enumerate(graph.inputs):
            self.names[node.attr[0]] = f"x{k}"
        self.given, late, self.kept = name_memory(self.program)
        for buffer in (b for bs in self.program.buffers.values() for b in bs if b.home):
            buffer.name = self.home(buffer)
        self.returned = [b for b in late if b.output]
        self.parameters = [f"x{k}" for k in range(len(graph.inputs))]
        self.parameters += [b.name for b in self.given]

    def own_parameters(self) -> list[str]:
        """What the target's entries take besides inputs and buffers."""
        return []

    def outer_item(self, number: int, item: Loop | Computation) -> None:
        """Emit an item of the program itself."""
        self.item(item)
        del self.path[1:]

    def inside(self, program: Program) -> Emitting:
        return type(self)(program, around=self)

    def everything(self) -> None:
        for first, last, lines in self.program.turns():
            items = self.program.items[first:last]
            if lines is None:
                self.item(*items)
                del self.path[1:]
            else:
                self._strip(items, lines)

    def leave(self) -> None:
        """Leave after the work where the entry is for other arguments, or NumPy would raise."""
        self.left = True
        if self.program.required is not None:
            condition = self.value(self.program.required, ())
            code = MISSED if self.program.decisions() else REFUSED
            self.path[-1].add(unless(condition, Return(code)))
            del self.path[1:]
        if self.traps:
            self.body.body.insert(self.start, Assign("bad", FALSE))
            self.body.add(refused())

    def checks(self) -> None:
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
        elif self.lines and len(self.path) == self.outermost:
            self._in_lines(item)
        elif len(self.path) == self.outermost:
            self.nest(item)
        else:
            self.loop(item)

    def _strip(self, items: Sequence[Loop | Computation], lines: Lines) -> None:
        """Items that go by the same lines, inside of the loops over these."""
        self.lines = self.regions.lines(lines)
        self.outermost += len(self.lines)
        for item in items:
            self.item(item)
            del self.path[self.outermost :]
        self.outermost -= len(self.lines)
        del self.path[self.outermost :]
        self.lines = []

    def _in_lines(self, loop: Loop) -> None:
        """A nest whose outer loops go around: their variables have values here."""
        outer = []
        for index, _ in self.lines[:-1]:
            assert isinstance(index, str)
            outer.append(loop)
            self.var_of[loop], self.loops[id(loop)] = index, loop
            self.depth_of[loop] = self.outermost - 1
            [inner] = loop.items
            assert isinstance(inner, Loop)
            loop = inner
        self.spans[loop] = self.lines[-1]
        self.nest(loop)
        for each in outer:
            del self.depth_of[each]

    def span(self, loop: Loop) -> tuple[Expr | None, Expr]:
        """From where to where a loop goes; None is 0."""
        return self.spans.get(loop) or (None, self.dim(loop.extent))

    def nest(self, loop: Loop) -> None:
        """Emit an outermost loop."""
        self.allocate(computations_in(loop))
        self.loop(loop)

    def loop(self, loop: Loop) -> None:
        """Emit a loop, one iteration after the other."""
        first, last = self.span(loop)
        inside = computations_in(loop)
        self.var_of[loop] = self.fresh("i")
        self.loops[id(loop)] = loop
        self.accumulators.before(loop, inside)
        version = self.accumulators.open(loop, inside, first, last)
        self.path.extend(version.blocks)
        self.depth_of[loop] = len(self.path) - 1
        for item in loop.items:
            self.item(item)
        self.path.pop()
        version.close()
        del self.path[len(self.path) - len(version.blocks) + 1 :]
        del self.depth_of[loop]
        self.accumulators.after(loop, inside)

    def steps(self, loop: Loop, first: Expr | None, last: Expr) -> Block:
        """The block of a loop's iterations from `first` (None: 0) up to `last`."""
        return steps(self.var_of[loop], first, last)

    # Memory ----------------------------------------------------------------------------------

    def allocate(self, inside: list[Computation]) -> None:
        """Allocate the arrays whose size is known only now, before the nest that fills them."""
        for c in inside:
            for buffer in self._memory(c):
                if buffer.late and buffer.name not in self.allocated:
                    self.allocated.add(buffer.name)
                    self.make(buffer)

    def make(self, buffer: Buffer) -> None:
        """Make a buffer: memory given back at the end, a place in a room, or a result's array."""
        self.own.add(buffer.name)
        turned = buffer.layout == "F" and not buffer.output  # a C array with the axes reversed
        extents = [self.dim(d) for d in (buffer.shape[::-1] if turned else buffer.shape)]
        if buffer.room is not None:
            name = f"shaped_{len(extents)}"
            self.factories[name] = Factory("shaped", (len(extents),))
            self.path[-1].assign(buffer.name, Call(name, (buffer.room.name, *extents)))
            return
        self.path[-1].assign(buffer.name, self.new(buffer, extents))

    def new(self, buffer: Buffer, extents: list[Expr]) -> Call:
        """The call that makes the memory of a buffer of its own."""
        char = buffer.node.dtype.char
        make = "new_array" if buffer.output else "temporary"
        name = f"{make}_{char.replace('?', 't')}_{len(extents)}"
        self.factories[name] = Factory(make, (char, len(extents)))
        if buffer.output:
            extents[:0] = ["late", 1 + self.returned.index(buffer)]
        return Call(name, tuple(extents))

    def _memory(self, c: Computation) -> list[Buffer]:
        """What a computation writes, or needs while it runs."""
        control = self.program.controls.get(c.target)
        if control is None:
            parts = self.program.parts
            own = [parts[c.target]] if c.target in parts else []
            return self.program.buffers[c.target] + own
        found = [b for n in results(c.target) for b in self.program.buffers.get(n, ())]
        return found + [b for _, b in control.memory]

    # Computations ----------------------------------------------------------------------------

    def call(self, c: Computation) -> None:
        """Emit the call of compiled code that computes `c`."""
        raise NotImplementedError

    def put(self, c: Computation, buffer: Buffer, value: Expr) -> Statement | None:
        """What puts a value of a result elsewhere, for now; None if it is stored at once."""
        return None

    def _computation(self, c: Computation) -> None:
        if c.kind in (Kind.MATMUL, Kind.LIBRARY):
            self.allocate([c])
            (self.regions.run if c.target in self.program.controls else self.call)(c)
            return
        if not c.loops:
            self.allocate([c])
        if any(loop not in self.depth_of for loop in c.loops):
            return  # a copy's, of which there is none here
        self.current = c
        index = self.index_of(c)
        if c.kind is Kind.SCATTER:
            self._scatter(c, index)
        elif not self.accumulators.takes(c, index):
            if c.value is c.target and c.value.op is not ops.CONST:
                value = self._compute(c.value, index)
            else:
                value = self.value(c.value, index)
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
            self.known[self.path[-1]][(c.target, where)] = value
        result = stored(value, c.target.dtype)
        for buffer in self.program.buffers[c.target]:
            put = self.put(c, buffer, result)
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
        """Put an element where its positions say, or combine it with what is there."""
        _, checked = c.target.attr
        value = self.value(c.value, index if c.value.ndim else ())
        flat = self._flat_place(c)
        if flat is not None:
            place = self._place_of(c, flat, dims.product(c.target.shape), checked[0], index)
            for buffer in self.program.buffers[c.target]:
                element = Element(self.flat(buffer.name, c.target.ndim), (place,))
                self._put(c, value, element)
            return
        pairs = zip(c.positions, c.target.shape, checked, strict=True)
        self.put_at(
            c, value, [self._place_of(c, node, n, check, index) for node, n, check in pairs]
        )

    def _flat_place(self, c: Computation) -> Node | None:
        """The place in C order that a scatter takes apart, where memory lies so; else None."""
        for buffer in self.program.buffers[c.target]:
            layout = self.program.layouts[buffer.home] if buffer.home else buffer.layout
            if layout != "C" or buffer.axes != tuple(range(c.target.ndim)):
                return None
        alike = len(set(c.target.attr[1])) == 1
        return flat_place(c.positions, c.target.shape) if alike else None

    def _place_of(self, c: Computation, node: Node, length: Dim, check: bool, index: Index) -> Expr:
        """The value of a position of a scatter, which is tested where that is to be."""
        place = self.value(node, index if node.ndim else ())
        if not check:
            return place
        n = self.dim(length)
        self.trap(Call("outside", (place, n)), len(self.path) - 1)
        wrapped = self.fresh("v")
        self.path[-1].assign(wrapped, Call("wrap", (place, n)), c.target.origin)
        return wrapped

    def put_at(self, c: Computation, value: Expr, places: list[Expr]) -> None:
        """Store an element of a scatter at its place in the target, by the scatter's mode."""
        for buffer in self.program.buffers[c.target]:
            at = [places[k] for k in buffer.axes]
            if buffer.layout == "F":
                at.reverse()
            self._put(c, value, self.placed(buffer.name, tuple(at)))

    def _put(self, c: Computation, value: Expr, element: Element) -> None:
        mode, dtype, new = c.target.attr[0], c.target.dtype, value
        if mode != "set":
            new = self.accumulators.apply(ops.ELEMENTWISE[mode], c, loaded(element, dtype), value)
        self.path[-1].add(Store(element, stored(new, dtype), c.target.origin))


def _assigns(item: Loop | Computation) -> bool:
    """Whether an item writes into an array of the caller's."""
    return any(c.target.op is ops.ASSIGN for c in computations_of(item))


def _moved(c: Computation, index: list[Entry | Dynamic]) -> Index:
    """The index into the whole of which `c` computes a part."""
    entry = index[c.axis]
    assert isinstance(entry, Entry)
    index[c.axis] = entry._replace(start=dims.add(entry.start, c.offset))
    return tuple(index)
