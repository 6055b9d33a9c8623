"""The stable text form of a `Program`: its loops, what they compute at each point, its memory."""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.ir.printer import Names
from tracejit.lower.access import memory_of
from tracejit.lower.control import LEFT, results
from tracejit.lower.program import Buffer, Computation, Control, Kind, Lines, Loop, Program


def to_text(program: Program) -> str:
    """`program` as text: loops, a line for each node that a computation evaluates, and buffers.

    >>> import numpy as np
    >>> from tracejit.ir import build, dims
    >>> from tracejit.ir.graph import Graph
    >>> from tracejit.lower.registry import target
    >>> from tracejit.lower.schedule import schedule
    >>> x = build.input("x", np.dtype(np.float64), (dims.dim("x", 0),))
    >>> total = build.reduce("sum", build.elementwise("exp", x), (0,))
    >>> print(to_text(schedule(Graph((x,), (total,)), {"x": "C"}, target())))
    inputs x:float64[x.0] C
    for i0 < x.0, chunked:
        %0:float64[x.0] = exp x
        reduce %1:float64 <- sum %0
    memory
        %1 output
    """
    return "\n".join(_Printer(program).lines())


def _step(c: Computation, around: tuple[Loop, ...]) -> str:
    """Which of the steps that its loops take at a time a computation is of."""
    loops = around[len(around) - len(c.loops) :]
    steps = [(loop, *loop.copies).index(own) for loop, own in zip(loops, c.loops, strict=False)]
    return f" step {tuple(steps)}" if any(steps) else ""


class _Printer:
    def __init__(self, program: Program, word: str = "inputs") -> None:
        self.program, self.word = program, word
        self.names = Names()

    def lines(self) -> list[str]:
        p, names = self.program, self.names
        inputs = [
            f"{names.of(i)}:{names.type(i)} {p.layouts[i.attr[0]]}".rstrip() for i in p.graph.inputs
        ]
        found = [f"{self.word} {', '.join(inputs)}".rstrip()]
        for first, last, lines in p.turns():
            inside = [line for item in p.items[first:last] for line in self.item(item, ())]
            if lines is not None:
                found.append(f"strips{self.along(lines)}:")
                inside = [f"    {line}" for line in inside]
            found += inside
        if self.word != "inputs":
            checks = p.graph.checks
            found += [f"check {names.of(c.condition)}  # {c.reason}" for c in checks]
            found.append(f"return {', '.join(map(names.of, p.graph.outputs))}")
        if not any(p.buffers.values()) and self.word != "inputs":
            return found
        found.append("memory")
        memory: dict[int, tuple[Buffer, list[Node]]] = {}
        for node, buffers in p.buffers.items():
            for b in buffers:
                memory.setdefault(id(b), (b, []))[1].append(node)
        found += [f"    {self.buffer(b, nodes)}" for b, nodes in memory.values()]
        for node, b in p.parts.items():
            found.append(f"    parts of {names.of(node)} ({self.shape(b)})")
        for node, before in p.inplace.items():
            found.append(f"    {names.of(node)} over {names.of(before)}")
        for arena in p.arenas:
            if len(arena) > 1:
                found.append("    together " + ", ".join(names.of(b.node) for b in arena))
        return found

    def item(self, item: Loop | Computation, around: tuple[Loop, ...]) -> list[str]:
        depth = len(around)
        pad = "    " * depth
        if isinstance(item, Computation):
            lines = [pad + line for line in self.computation(item)]
            return [*lines[:-1], *(line + _step(item, around) for line in lines[-1:])]
        words = item.style.words(self.names.of)
        head = ", ".join([f"for i{depth} < {self.names.dim(item.extent)}", *words])
        found = [f"{pad}{head}:"]
        for inner in item.items:
            found += self.item(inner, (*around, item))
        return found

    def computation(self, c: Computation) -> list[str]:
        """The lines of what is evaluated at a point, and of what is done with it."""
        names = self.names
        if c.target in self.program.controls:
            return self.control(self.program.controls[c.target], results(c.target))
        if c.target.op is LEFT:
            return []
        if c.kind in (Kind.MATMUL, Kind.LIBRARY):
            return [f"{c.kind.value} {names.line(c.target)}"]
        found: list[str] = []
        for value in (c.value, *c.positions):
            for node in self._inlined(value, c.target):
                line = names.line(node)
                if node is c.target:
                    return [*found, f"map {line}{self._where(c)}"]
                found.append(line)
        what = {Kind.REDUCE: "op", Kind.SWEEP: "op", Kind.ARG: "op", Kind.SCAN: "attr"}
        how = c.target.op.name if what.get(c.kind) == "op" else ""
        if c.kind in (Kind.SCAN, Kind.SCATTER):
            how = str(c.target.attr[0])
        at = "".join(f" at {names.of(p)}" for p in c.positions)
        value_text = " ".join(filter(None, [how, names.of(c.value)]))
        target = f"{names.of(c.target)}:{names.type(c.target)}"
        return [*found, f"{c.kind.value} {target} <- {value_text}{at}{self._where(c)}"]

    def control(self, control: Control, left: Sequence[Node]) -> list[str]:
        """A branch or a loop, and the program of each of its regions."""
        names, node = self.names, control.node
        given = ", ".join(f"{names.of(n)}:{names.type(n)}" for n in left)
        head = f"{node.op.name} {given} <- {names.operands(node)}"
        if control.lines is not None:
            packed = [f" p{panel.param}" for panel in control.lines.panels]
            head += self.along(control.lines) + (" packed" if packed else "") + "".join(packed)
        found = [head]
        for word, program in zip(node.op.regions, control.programs, strict=True):
            head, *inside = _Printer(program, word).lines()
            found += [f"    {head}", *(f"        {line}" for line in inside)]
        return found

    def along(self, lines: Lines) -> str:
        """The lengths of loops over lines, and how many go side by side."""
        beside = f" by {1 << lines.beside}" if lines.beside else ""
        return f" along ({', '.join(map(self.names.dim, lines.extents))}){beside}"

    def _where(self, c: Computation) -> str:
        """What is not the usual of axes and places."""
        text = ""
        if c.kind is not Kind.SCATTER and c.order != tuple(range(len(c.domain))):
            text += f" order {c.order}"
        if c.kind is Kind.SCAN:
            text += f" along {c.axis}"
        if c.offset != 0:
            text += f" from {self.names.dim(c.offset)} of axis {c.axis}"
        return text

    def _inlined(self, value: Node, target: Node) -> list[Node]:
        """What is computed at a point below `value` and not read from memory, operands first."""
        stored = self.program.stored
        order: list[Node] = []
        seen: set[Node] = set()
        stack = [(value, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
                continue
            kept = node in stored and node is not target
            if node in seen or kept or self.names.inline(node) is not None:
                continue
            seen.add(node)
            stack.append((node, True))
            if node.op is ops.RESHAPE and memory_of(node, target, stored) is not node:
                continue
            stack += [(a, False) for a in reversed(node.args)]
        return order

    def buffer(self, b: Buffer, nodes: list[Node]) -> str:
        """The nodes that a piece of memory is for, its shape and what it is."""
        shape = self.shape(b)
        layout = b.layout if len(b.shape) > 1 else ""
        flags = [f for f in ("output", "late", "kept") if getattr(b, f)]
        flags += [f"in {b.home}"] if b.home else []
        text = ", ".join(map(self.names.of, nodes))
        return " ".join(filter(None, [text, f"({shape})" if shape else "", layout, *flags]))

    def shape(self, b: Buffer) -> str:
        """The lengths of a piece of memory."""
        return ", ".join(map(self.names.dim, b.shape))
