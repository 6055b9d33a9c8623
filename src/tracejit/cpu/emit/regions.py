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

from tracejit.cpu.emit.block import Block
from tracejit.cpu.emit.emitting import MISSED, REFUSED, Emitting
from tracejit.ir import dims, ops
from tracejit.ir.node import Node
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rules import roles
from tracejit.ir.rules.control import lengths_outside
from tracejit.ir.rules.record import Roles
from tracejit.lower.control import results
from tracejit.lower.program import Computation, Control, Program


class Regions:
    """Emits what branches and loops run."""

    def __init__(self, emitter: Emitting) -> None:
        self.e = emitter

    def run(self, c: Computation) -> None:
        """Emit the branch or loop whose first result `c` computes."""
        control = self.e.program.controls[c.target]
        for inner, around in control.memory:
            inner.name = around.name
        found = _EMIT[control.node.op](self, control, results(c.target))
        for node, name in found.items():
            if node in self.e.program.stored:
                self.e.store(self.e.program.stored[node][0], name, ())

    # Kinds -----------------------------------------------------------------------------------

    def cond(self, control: Control, left: Sequence[Node]) -> dict[Node, str]:
        """Both regions, each in its branch; what they give."""
        parts = roles(control.node)
        predicate = self.e.value(parts.control[0], ())
        names = self._captures(parts)
        given = {node: self.e.fresh("c") for node in left if not node.ndim}
        both, then, otherwise = Block(), Block(f"if {predicate}:"), Block("else:")
        self.e.path[-1].body.append(both)
        self.e.path.append(both)
        pairs = zip(regions_of(control.node), control.programs, (then, otherwise), strict=True)
        for region, program, block in pairs:
            both.body.append(block)
            inner = self._inside(program, region, parts, names, block)
            for node, output in zip(left, program.graph.outputs, strict=True):
                if node.ndim:
                    self._names(program, output, self.e.array_name(node))
            self._everything(inner)
            for node, output in zip(left, program.graph.outputs, strict=True):
                if not node.ndim:
                    inner.body.add(f"{given[node]} = {inner.value(output, ())}", output.origin)
        if not then.lines():
            otherwise.header = f"if not {predicate}:"
        self.e.path.pop()
        return given

    def loop(self, control: Control, left: Sequence[Node]) -> dict[Node, str]:
        """A test and a step, again and again; the places of what is carried."""
        parts = roles(control.node)
        carried = self._carried(parts)
        names = [*carried, *self._captures(parts)]
        traps = self.e.root.traps
        if traps:
            self.e.path[-1].body.append(_refused())
        self.e.root.endless += 1
        block = self._open("while True:")
        (test, step), (condition, body) = control.programs, regions_of(control.node)
        inner = self._inside(test, condition, parts, names, block)
        self._everything(inner)
        leave = Block(f"if not {inner.value(test.graph.outputs[0], ())}:")
        leave.add("break")
        block.body.append(leave)
        inner = self._inside(step, body, parts, names, block)
        self._everything(inner)
        self._carry(inner, carried, parts)
        if self.e.root.traps > traps:
            block.body.append(_refused())
        self.e.path.pop()
        return self._places(left, carried)

    def scan(self, control: Control, left: Sequence[Node]) -> dict[Node, str]:
        """A step for each number; the places of what is carried."""
        parts = roles(control.node)
        carried = self._carried(parts)
        captures = self._captures(parts)
        sequences = [self.e.array_name(s) for s in parts.sequences]
        traps, endless = self.e.root.traps, self.e.root.endless
        index = self.e.fresh("i")
        count = self.e.value(parts.control[0], ())
        block = self._open(f"for {index} in range({count}):")
        [program], [region] = control.programs, regions_of(control.node)
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
                rows[node] = self._row(block, self.e.array_name(node), output.ndim, index)
                self._names(program, output, rows[node])
        inner = self._inside(program, region, parts, names, block)
        inner.own.update(rows.values(), elements)
        self._everything(inner)
        for node, output in stacks:
            if not output.ndim:
                text = inner.value(output, ())
                text = f"half_store({text})" if node.dtype.char == "e" else text
                inner.body.add(f"{self.e.array_name(node)}[{index}] = {text}", output.origin)
        self._carry(inner, carried, parts)
        if self.e.root.traps > traps and self.e.root.endless > endless:
            block.body.append(_refused())
        self.e.path.pop()
        return self._places(left, carried)

    # Parts -----------------------------------------------------------------------------------

    def _open(self, header: str) -> Block:
        block = Block(header)
        self.e.path[-1].body.append(block)
        self.e.path.append(block)
        return block

    def _carried(self, parts: Roles) -> list[str]:
        """The places, and the memory, of what is carried, which hold the starts."""
        starts = [self.e.array_name(s) if s.ndim else self.e.value(s, ()) for s in parts.carried]
        for k, start in enumerate(parts.carried):
            if not start.ndim:
                place = self.e.fresh("c")
                self.e.path[-1].add(f"{place} = {starts[k]}", start.origin)
                starts[k] = place
        return starts

    def _captures(self, parts: Roles) -> list[str]:
        return [self.e.array_name(a) if a.ndim else self.e.value(a, ()) for a in parts.captures]

    def _places(self, left: Sequence[Node], carried: Sequence[str]) -> dict[Node, str]:
        pairs = zip(left, carried, strict=False)
        return {node: name for node, name in pairs if not node.ndim}

    def _carry(self, inner: Emitting, carried: Sequence[str], parts: Roles) -> None:
        """Put what a step gives into the places, all at once."""
        moved = {}
        outputs = inner.program.graph.outputs
        for name, start, output in zip(carried, parts.carried, outputs, strict=False):
            if not start.ndim and (text := inner.value(output, ())) != name:
                moved[name] = text, output.origin
        for name, (text, origin) in moved.items():
            if text in moved:  # which may be put before this
                kept = inner.fresh("v")
                inner.body.add(f"{kept} = {text}", origin)
                moved[name] = kept, origin
        for name, (text, origin) in moved.items():
            inner.body.add(f"{name} = {text}", origin)

    def _element(self, block: Block, name: str, sequence: Node, index: str) -> str:
        """An element of a sequence, or a row of one."""
        if sequence.ndim > 1:
            return self._row(block, name, sequence.ndim - 1, index)
        text = f"{name}[{index}]"
        element = self.e.fresh("v")
        text = f"half_load({text})" if sequence.dtype.char == "e" else text
        block.add(f"{element} = {text}", sequence.origin)
        return element

    def _row(self, block: Block, name: str, ndim: int, index: str) -> str:
        row = self.e.fresh("s")
        block.add(f"{row} = {name}[{', '.join([index, *[':'] * ndim])}]")
        return row

    def _everything(self, inner: Emitting) -> None:
        """All of a region, which leaves the entry where a check fails."""
        self._check(inner, inner.program.conditions())
        inner.everything()
        self._check(inner, inner.program.conditions(late=True))

    def _check(self, inner: Emitting, conditions: Sequence[Node]) -> None:
        for condition in conditions:
            missed = Block(f"if not {inner.value(condition, ())}:")
            missed.add(f"return {MISSED}")
            inner.body.body.append(missed)

    def _names(self, program: Program, output: Node, name: str) -> None:
        """Let a result be computed where it belongs."""
        for buffer in program.buffers.get(output, ()):
            buffer.name = name

    def _inside(
        self, program: Program, region: Region, parts: Roles, names: Sequence[str], block: Block
    ) -> Emitting:
        """What emits a region into a block, with names for its parameters."""
        inner = self.e.inside(program)
        block.body.append(inner.body)
        inner.names = {p.attr[0]: name for p, name in zip(region.params, names, strict=True)}
        known = lengths_outside(region, parts)
        inner.lengths = {d: dims.from_node(length) for d, length in known.items()}
        for buffers in program.buffers.values():
            for buffer in buffers:
                buffer.name = inner.names[buffer.home] if buffer.home else buffer.name
        return inner


def _refused() -> Block:
    """Leave where NumPy would have raised: a ``while`` may not end with what comes of that."""
    block = Block("if told(bad):")
    block.add(f"return {REFUSED}")
    return block


_EMIT: dict[ops.Op, Callable[[Regions, Control, Sequence[Node]], dict[Node, str]]] = {
    ops.COND: Regions.cond,
    ops.WHILE: Regions.loop,
    ops.SCAN: Regions.scan,
}
