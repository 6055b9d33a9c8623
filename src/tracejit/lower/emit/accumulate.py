"""Accumulators: reductions, sweeps, positions of extremes, scans, in the order of their loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tracejit.ir import build, ops
from tracejit.ir.node import Node
from tracejit.lower.access import FLAT, Dynamic, Entry, Index
from tracejit.lower.emit import expressions
from tracejit.lower.emit.emitting import Emitting
from tracejit.lower.kernel.formula import fill
from tracejit.lower.kernel.statements import (
    Binary,
    Block,
    Call,
    Constant,
    Element,
    Expr,
    For,
    If,
    Store,
    Unary,
)
from tracejit.lower.program import Buffer, Computation, Flat, Kind, Loop

#: Where an array begins in another one: an index of its first axis, or none.
Lead = tuple[Expr, ...]


class Extreme(NamedTuple):
    """What has been found: the best value, its position, and how many elements came before."""

    best: str
    place: str
    counter: str


class Version(NamedTuple):
    """Blocks to open for a loop, outermost first, and what to do when the innermost is closed.

    Where there are two, `start` is the name of the index that the inner one begins with.
    """

    blocks: list[Block]
    close: Callable[[], None]
    start: Expr = 0


class Accumulators:
    """Statements before, in and after the loops of every computation that carries something."""

    def __init__(self, emitter: Emitting) -> None:
        self.e = emitter
        self.names: dict[Computation, str] = {}
        self.found: dict[Computation, Extreme] = {}
        #: Where sweeps accumulate instead of in their targets, and what comes before the index.
        self.parts_of: dict[Node, tuple[Buffer, Lead]] = {}

    # Loop hooks ------------------------------------------------------------------------------

    def before(self, loop: Loop, inside: list[Computation]) -> None:
        """Initialise what accumulates over `loop`."""
        for c in inside:
            if c.kind is Kind.SCAN:
                if c.axis == len(c.domain) - 1 and c.loops[-1] is loop:
                    self.e.path[-1].assign(self._new(c), self._zero(c))
            elif loop is self.first(c):
                self.begin(c, loop)

    def open(
        self, loop: Loop, inside: list[Computation], first: Expr | None, last: Expr
    ) -> Version:
        """Open the blocks of the iterations of `loop` from `first` (None: 0) up to `last`."""
        block = self.e.steps(loop, first, last)
        self.e.path[-1].add(block)
        return Version([block], lambda: None)

    def begin(self, c: Computation, loop: Loop) -> None:
        """Initialise what `c` accumulates, before `loop`, the first that it reduces over."""
        if c.kind is Kind.REDUCE:
            self.e.path[-1].assign(self._new(c), self.identity(c))
        elif c.kind is Kind.ARG:
            self._begin_extreme(c)
        else:
            self.clear(c, c.loops.index(loop))

    def _begin_extreme(self, c: Computation) -> None:
        found = Extreme(self.e.fresh("v"), self.e.fresh("v"), self.e.fresh("v"))
        self.found[c], self.names[c] = found, found.place
        block = self.e.path[-1]
        block.assign(found.best, self.identity(c))
        block.assign(found.place, 0)
        block.assign(found.counter, 0)

    def after(self, loop: Loop, inside: list[Computation]) -> None:
        """Finish what accumulated over `loop`."""
        for c in inside:
            if loop is self.first(c) and c.kind is not Kind.SWEEP:
                self.end(c)

    def end(self, c: Computation) -> None:
        """Store what `c` has accumulated."""
        found: Expr = self.accumulator(c)
        self.finish(c, expressions.rounded(found, c.target.dtype))

    # One element -----------------------------------------------------------------------------

    def takes(self, c: Computation, index: Index) -> bool:
        """Take the element at `index` otherwise than by its value, if that is better."""
        return False

    def step(self, c: Computation, value: Expr, index: Index) -> None:
        """Take `value`, the element at `index` of the domain, into the accumulator."""
        if c.kind is Kind.REDUCE:
            name = self.accumulator(c)
            self.e.path[-1].assign(name, self.combine(c, name, value), c.target.origin)
        elif c.kind is Kind.SWEEP:
            home, lead = self._homes(c)[0]
            place = led(self.e.element(home, self.e.target_index(c, index)), lead)
            dtype = c.target.dtype
            combined = self.combine(c, expressions.loaded(place, dtype), value)
            result = expressions.stored(expressions.rounded(combined, dtype), dtype)
            self.e.path[-1].add(Store(place, result, c.target.origin))
        elif c.kind is Kind.ARG:
            found, block = self.found[c], self.e.path[-1]
            better = self.if_better(c, value)
            better.assign(found.best, value, c.target.origin)
            better.assign(found.place, found.counter)
            block.assign(found.counter, Binary("+", found.counter, 1))
        elif c.kind is Kind.SCAN:
            self._scan(c, value, index)

    def if_better(self, c: Computation, value: Expr) -> Block:
        """A block for when `value` takes the place of the best."""
        largest = c.target.op.name == "argmax"
        best = self.found[c].best
        return if_better(self.e.path[-1], c.value.dtype.kind, largest, value, best)

    def _scan(self, c: Computation, value: Expr, index: Index) -> None:
        assert isinstance(index, tuple)
        block, name = self.e.path[-1], c.target.attr[0]
        entry = index[c.axis]
        assert isinstance(entry, Entry)
        var = self.e.position_at(entry)
        started = Binary(">", var, 0)
        if c.axis == len(c.domain) - 1:
            before = self.accumulator(c)
        else:
            before = self.e.fresh("v")
            place = self._row_before(c, index, var)
            load = expressions.loaded(place, c.target.dtype)
            block.assign(before, Call("select", (started, load, self._zero(c))))
        combined = self.apply(ops.ELEMENTWISE[name], c, before, value)
        new = self.e.fresh("v")
        block.assign(new, Call("select", (started, combined, value)), c.target.origin)
        if c.axis == len(c.domain) - 1:
            block.assign(before, new)
        self.e.store(c, new, index)

    def _row_before(self, c: Computation, index: tuple[Entry | Dynamic, ...], var: Expr) -> Element:
        """The element one step back along the axis of a scan; for the first, that element."""
        buffer = self.e.program.buffers[c.target][0]
        step = self.e.fresh("i")
        self.e.path[-1].assign(step, Call("imax", (Binary("-", var, 1), 0)))
        return self.e.element(buffer, index, {c.axis: step})

    # Details ---------------------------------------------------------------------------------

    def reduced_loops(self, c: Computation) -> list[Loop]:
        """The loops that `c` reduces over, outermost first."""
        if c.loops and c.loops[0].has(Flat):
            return c.loops
        return [loop for axis, loop in zip(c.order, c.loops, strict=True) if axis in c.reduced]

    def first(self, c: Computation) -> Loop | None:
        """The outermost loop that `c` reduces over."""
        if c.kind not in (Kind.REDUCE, Kind.SWEEP, Kind.ARG):
            return None
        reduced = self.reduced_loops(c)
        return reduced[0] if reduced else None

    def _new(self, c: Computation) -> str:
        name = self.e.fresh("v")
        self.names[c] = name
        return name

    def accumulator(self, c: Computation) -> str:
        """The name of what `c` has accumulated."""
        return self.names[c]

    def identity(self, c: Computation) -> Constant:
        """What a reduction starts from."""
        value = ops.identity(c.target.op.name, c.value.dtype)
        return expressions.scalar(value, c.value.dtype)

    def _zero(self, c: Computation) -> Constant:
        return expressions.scalar(0, c.target.dtype)

    def combine(self, c: Computation, a: Expr, b: Expr) -> Expr:
        """Two values of a reduction as one."""
        op = c.target.op
        assert isinstance(op, ops.Reduction)
        found = expressions.combined(op, c.target.dtype, a, b)
        return found if found is not None else self.apply(ops.ELEMENTWISE[op.combine], c, a, b)

    def apply(self, row: ops.Elementwise, c: Computation, a: Expr, b: Expr) -> Expr:
        """An elementwise function of two values of the target's dtype."""
        dtype = c.target.dtype
        if row.cpu is not None and dtype.kind in row.cpu_kinds:
            return expressions.rounded(fill(row.cpu, a, b), dtype)
        chars = "".join(d.char for d in build.resolve(row.ufunc, (dtype, dtype)))
        name = f"{row.name}_{chars.replace('?', 't')}"
        ufunc = row.reference_name or row.name
        self.e.use_loop(name, row.module, ufunc, f"{chars[:2]}->{chars[2]}")
        return Call(name, (a, b))

    def _homes(self, c: Computation) -> list[tuple[Buffer, Lead]]:
        """Where a sweep accumulates, and what comes before the index there."""
        part = self.parts_of.get(c.target)
        return [part] if part else [(b, ()) for b in self.e.program.buffers[c.target]]

    def clear(self, c: Computation, position: int) -> None:
        """Set the accumulators of a sweep to the identity, before its loop at `position`."""
        value = expressions.stored(self.identity(c), c.target.dtype)
        block, place = self.over_kept(c, position)
        for buffer, lead in self._homes(c):
            block.add(Store(led(kept_element(c, buffer, place), lead), value))

    def over_kept(self, c: Computation, position: int) -> tuple[Block, dict[int, str]]:
        """Loops over the kept axes of a sweep in its loop at `position`; their indices by axis."""
        block = self.e.path[-1]
        place: dict[int, str] = {}
        axes = [axis for axis in c.order[position + 1 :] if axis not in c.reduced]
        extents = [self.e.dim(c.domain[axis]) for axis in axes]  # before a block is open
        for axis, extent in zip(axes, extents, strict=True):
            place[axis] = self.e.fresh("i")
            inner = For(index=place[axis], kind="range", operands=(extent,))
            block.add(inner)
            block = inner
        for axis, outer in zip(c.order[:position], c.loops[:position], strict=True):
            place[axis] = self.e.var_of[outer]
        return block, place

    def finish(self, c: Computation, value: Expr) -> None:
        """Store what a reduction has given."""
        if not self.is_final(c, value):
            # An accumulator's name is assigned again in the next row.
            name = self.e.fresh("v")
            self.e.path[-1].assign(name, value, c.target.origin)
            value = name
        if c.loops[0].has(Flat):
            self.e.store(c, value, FLAT)
            return
        loop_of = dict(zip(c.order, c.loops, strict=True))
        index = tuple(
            Entry(0, 1, id(loop_of[k])) if k in c.kept else Entry(0, 0, None)
            for k in range(len(c.domain))
        )
        self.e.store(c, value, index)

    def is_final(self, c: Computation, value: Expr) -> bool:
        """Whether what a reduction has given is a name that is assigned once."""
        return False


def if_better(
    block: Block, kind: str, largest: bool, value: Expr, best: Expr, numbers: bool = False
) -> Block:
    """A block, at the end of `block`, for when `value` takes the place of the best.

    Of `numbers` alone, NaN does so never.
    """
    if kind == "c":
        name = f"{'larger' if largest else 'smaller'}_{'number' if numbers else 'complex'}"
        tests: list[Expr] = [Call(name, (value, best))]
    else:
        # A NaN is not below the best either: the first one wins, and then nothing does.
        tests = [Unary("not", Call("le" if largest else "ge", (value, best)))]
        if kind == "f":
            tests.append(Unary("not", Call("isnan", (value if numbers else best,))))
    for test in tests:
        inner = If(test=test)
        block.add(inner)
        block = inner
    return block


def kept_element(c: Computation, buffer: Buffer, place: Mapping[int, str]) -> Element:
    """The element of a sweep's buffer at an index for each axis of the domain."""
    return Element(buffer.name, tuple(place[c.kept[k]] for k in buffer.axes))


def led(element: Element, lead: Lead) -> Element:
    """`element` in an array that has more axes in front, at `lead` there."""
    return Element(element.array, (*lead, *element.index))
