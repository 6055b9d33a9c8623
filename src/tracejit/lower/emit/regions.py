"""Branches and loops: each region is emitted into a block of its own, by an emitter inside.

    c0 = 1.0
    for i0 in range(v0):
        v1 = x0[i0]
        v2 = c0 * v1
        b0[i0] = v2
        c0 = v2

A scalar that is carried is a place; an array is carried in its memory. A row of a sequence, or of
what is stacked, is a part of the array around. A region's scalars are names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracejit.ir import dims, ops
from tracejit.ir.node import Node, Origin
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rules import roles
from tracejit.ir.rules.control import lengths_outside
from tracejit.ir.rules.record import Roles
from tracejit.lower.control import results
from tracejit.lower.emit.emitting import Emitting, refused, unless
from tracejit.lower.emit.expressions import loaded, stored
from tracejit.lower.emit.panels import Panels
from tracejit.lower.emit.values import MISSED
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
    Forever,
    If,
    Leave,
    Part,
    Return,
    Store,
    Unary,
)
from tracejit.lower.program import Computation, Control, Lines, Program, has_loops
from tracejit.native.interrupts import INTERRUPTED


class Regions:
    """Emits what branches and loops run."""

    def __init__(self, emitter: Emitting) -> None:
        self.e = emitter

    def run(self, c: Computation) -> None:
        """Emit the branch or loop whose first result `c` computes."""
        control = self.e.program.controls[c.target]
        for inner, around in control.memory:
            inner.name = around.name if inner.room is None else self.e.fresh("s")
        for inner in control.own:
            inner.name = self.e.fresh("s")
        found = _EMIT[control.node.op](self, control, results(c.target))
        for node, name in found.items():
            if node in self.e.program.stored:
                self.e.store(self.e.program.stored[node][0], name, ())

    # Kinds -----------------------------------------------------------------------------------

    def cond(self, control: Control, left: Sequence[Node]) -> dict[Node, Expr]:
        """Both regions, each in its branch; what they give."""
        parts = roles(control.node)
        predicate = self.e.value(parts.control[0], ())
        names = self._captures(parts)
        given = {node: self.e.fresh("c") for node in left if not node.ndim}
        branch, otherwise = If(test=predicate), Block()
        self.e.open(branch)
        pairs = zip(regions_of(control.node), control.programs, (branch, otherwise), strict=True)
        for region, program, block in pairs:
            inner = self._inside(program, region, parts, names, block)
            for node, output in zip(left, program.graph.outputs, strict=True):
                if node.ndim:
                    self._names(program, output, self.e.array(node))
            self._everything(inner)
            for node, output in zip(left, program.graph.outputs, strict=True):
                if not node.ndim:
                    inner.body.assign(given[node], inner.value(output, ()), output.origin)
        self.e.path.pop()
        if branch.is_empty():
            branch.test, branch.body = Unary("not", predicate), otherwise.body
        else:
            branch.otherwise = otherwise
        return dict(given)

    def loop(self, control: Control, left: Sequence[Node]) -> dict[Node, Expr]:
        """A test and a step, again and again; the places of what is carried."""
        parts = roles(control.node)
        carried = self._carried(parts)
        names = [*carried, *self._captures(parts)]
        traps = self.e.root.traps
        if traps:
            self.e.path[-1].add(refused())
        self.e.root.endless += 1
        watch = self._watched(control, endless=True)
        block = Forever()
        self.e.open(block)
        (test, step), (condition, body) = control.programs, regions_of(control.node)
        inner = self._inside(test, condition, parts, names, block)
        self._everything(inner)
        block.add(unless(inner.value(test.graph.outputs[0], ()), Leave()))
        inner = self._inside(step, body, parts, names, block)
        self._everything(inner)
        self._carry(inner, carried, parts)
        if self.e.root.traps > traps:
            block.add(refused())
        self._watch(block, watch)
        self.e.path.pop()
        return self._places(left, carried)

    def scan(self, control: Control, left: Sequence[Node]) -> dict[Node, Expr]:
        """A step for each number; the places of what is carried."""
        parts = roles(control.node)
        carried = self._carried(parts)
        captures = self._captures(parts)
        sequences = [self.e.array(s) for s in parts.sequences]
        traps, endless = self.e.root.traps, self.e.root.endless
        index = self.e.fresh("i")
        count = self.e.value(parts.control[0], ())
        watch = self._watched(control) if control.lines is None else None
        lines, opened = self.e.lines, 0
        if control.lines is not None and not lines:
            lines = self.lines(control.lines)
            opened = len(lines)
        given = [*carried, index, *sequences, *captures]
        around = control.lines or Lines(())
        for k in around.fetched:
            self._fetch(given[k], lines)
        [program], [region] = control.programs, regions_of(control.node)
        panels = Panels(self.e, lines, around, region.params, given)
        block = panels.steps(index, count)
        elements = [
            self._element(block, name, s, index)
            for name, s in zip(sequences, parts.sequences, strict=True)
        ]
        names = [*carried, index, *elements, *captures]
        outputs = program.graph.outputs[len(carried) :]
        stacks = list(zip(left[len(carried) :], outputs, strict=True))
        rows = {}
        for node, output in stacks:
            if output.ndim:
                rows[node] = self._row(block, self.e.array(node), output.ndim, index)
                self._names(program, output, rows[node])
        inner = self._inside(program, region, parts, names, block)
        inner.own.update(rows.values(), elements)
        inner.lines = panels.lines
        inner.panels.update(panels.names)
        self._everything(inner)
        for node, output in stacks:
            if not output.ndim:
                value = stored(inner.value(output, ()), node.dtype)
                element = Element(self.e.array(node), (index,))
                inner.body.add(Store(element, value, output.origin))
        self._carry(inner, carried, parts)
        if self.e.root.traps > traps and self.e.root.endless > endless:
            block.add(refused())
        self._watch(block, watch)
        self.e.path.pop()
        panels.close()
        for _ in range(opened):
            self.e.path.pop()
        return self._places(left, carried)

    # Parts -----------------------------------------------------------------------------------

    def _fetch(self, array: Expr, lines: Sequence[tuple[Expr, Expr]]) -> None:
        """Have the rows of an array that are gone through side by side fetched."""
        if array in self.e.fetched:
            return
        self.e.fetched.add(array)
        name = f"fetch_{len(lines) + 1}"
        self.e.factories[name] = Factory("fetch", (len(lines) + 1,))
        index = [first for first, _ in lines]
        self.e.path[-1].add(Do(Call(name, (array, *index, lines[-1][1]))))

    def lines(self, around: Lines) -> list[tuple[Expr, Expr]]:
        """Open the loops over lines: from where to where each goes, inside."""
        self.e.fetched.clear()
        found: list[tuple[Expr, Expr]] = []
        for k, d in enumerate(around.extents):
            length, index = self.e.dim(d), self.e.fresh("i")
            beside = around.beside if k + 1 == len(around.extents) else 0
            if not beside:
                self.e.open(For(index=index, kind="range", operands=(length,)))
                found.append((index, Binary("+", index, 1)))
                continue
            count = Binary(">>", Binary("+", length, (1 << beside) - 1), beside)
            self.e.open(For(index=index, kind="range", operands=(count,)))
            first, last = self.e.fresh("i"), self.e.fresh("i")
            self.e.path[-1].assign(first, Binary("<<", index, beside))
            end = Binary("+", first, 1 << beside)
            self.e.path[-1].assign(last, Call("imin", (end, length)))
            found.append((first, last))
        return found

    def _watched(self, control: Control, endless: bool = False) -> tuple[str, str] | None:
        """Places for a loop that signals may end: the steps since it asked, and when to ask.

        That is one with loops inside, in which a test at each step is nothing.
        """
        if not (endless and not self.e.looping) and not any(map(has_loops, control.programs)):
            return None
        self.e.factories["pause_after"] = Factory("pause", ())
        done, least = self.e.fresh("c"), self.e.fresh("c")
        for name, value in ((least, 1), (done, 0)):  # once, however often the loop is begun
            self.e.root.body.body.insert(self.e.root.start, Assign(name, value))
        return done, least

    def _watch(self, block: Block, watch: tuple[str, str] | None) -> None:
        """Leave, at the end of a step, where a signal handler has raised something."""
        if watch is None:
            return
        done, least = watch
        block.assign(done, Binary("+", done, 1))
        ask = If(test=Binary(">=", done, least))
        ask.assign(least, Call("pause_after", (done,)))
        ask.assign(done, 0)
        ask.add(If([Return(INTERRUPTED)], test=Binary("<", least, 0)))
        block.add(ask)

    def _carried(self, parts: Roles) -> list[Expr]:
        """The places, and the memory, of what is carried, which hold the starts."""
        starts = [self.e.array(s) if s.ndim else self.e.value(s, ()) for s in parts.carried]
        for k, start in enumerate(parts.carried):
            if not start.ndim:
                place = self.e.fresh("c")
                self.e.path[-1].assign(place, starts[k], start.origin)
                starts[k] = place
        return starts

    def _captures(self, parts: Roles) -> list[Expr]:
        return [self.e.array(a) if a.ndim else self.e.value(a, ()) for a in parts.captures]

    def _places(self, left: Sequence[Node], carried: Sequence[Expr]) -> dict[Node, Expr]:
        pairs = zip(left, carried, strict=False)
        return {node: name for node, name in pairs if not node.ndim}

    def _carry(self, inner: Emitting, carried: Sequence[Expr], parts: Roles) -> None:
        """Put what a step gives into the places, all at once."""
        moved: dict[str, tuple[Expr, Origin | None]] = {}
        outputs = inner.program.graph.outputs
        for name, start, output in zip(carried, parts.carried, outputs, strict=False):
            if not start.ndim and (value := inner.value(output, ())) != name:
                assert isinstance(name, str)
                moved[name] = value, output.origin
        for name, (value, origin) in moved.items():
            if value in moved:  # which may be put before this
                kept = inner.fresh("v")
                inner.body.assign(kept, value, origin)
                moved[name] = kept, origin
        for name, (value, origin) in moved.items():
            inner.body.assign(name, value, origin)

    def _element(self, block: Block, array: Expr, sequence: Node, index: str) -> str:
        """An element of a sequence, or a row of one."""
        if sequence.ndim > 1:
            return self._row(block, array, sequence.ndim - 1, index)
        name = self.e.fresh("v")
        element = loaded(Element(array, (index,)), sequence.dtype)
        block.assign(name, element, sequence.origin)
        return name

    def _row(self, block: Block, array: Expr, ndim: int, index: str) -> str:
        row = self.e.fresh("s")
        block.assign(row, Part(array, (index,), ndim))
        return row

    def _everything(self, inner: Emitting) -> None:
        """All of a region, which leaves the entry where a check fails."""
        self._check(inner, inner.program.conditions())
        inner.everything()
        self._check(inner, inner.program.conditions(late=True))

    def _check(self, inner: Emitting, conditions: Sequence[Node]) -> None:
        for condition in conditions:
            inner.body.add(unless(inner.value(condition, ()), Return(MISSED)))

    def _names(self, program: Program, output: Node, name: Expr) -> None:
        """Let a result be computed where it belongs."""
        assert isinstance(name, str)
        for buffer in program.buffers.get(output, ()):
            buffer.name = name

    def _inside(
        self, program: Program, region: Region, parts: Roles, names: Sequence[Expr], block: Block
    ) -> Emitting:
        """What emits a region into a block, with names for its parameters."""
        inner = self.e.inside(program)
        inner.looping = self.e.looping or isinstance(block, For | Forever)
        block.add(inner.body)
        inner.names = {p.attr[0]: name for p, name in zip(region.params, names, strict=True)}
        known = lengths_outside(region, parts)
        inner.lengths = {d: dims.from_node(length) for d, length in known.items()}
        for buffers in program.buffers.values():
            for buffer in buffers:
                buffer.name = inner.home(buffer)
                if buffer.late:
                    inner.own.add(buffer.name)
        return inner


_EMIT: dict[ops.Op, Callable[[Regions, Control, Sequence[Node]], dict[Node, Expr]]] = {
    ops.COND: Regions.cond,
    ops.WHILE: Regions.loop,
    ops.SCAN: Regions.scan,
}
