"""One loop nest as a kernel: the loops that threads share go over a grid, the others as they are.

What is known before the launch is a parameter; what a kernel reads in memory is that of the device.
"""

from __future__ import annotations

from typing import Any

from tracejit.cuda.emit.launching import grid_kernel
from tracejit.cuda.emit.steps import Steps, Within
from tracejit.cuda.emit.sums import DeviceChunks, TeamSums
from tracejit.cuda.packages import lacking
from tracejit.cuda.passes.memory import is_kept
from tracejit.cuda.passes.pairs import by_pairs
from tracejit.cuda.passes.teams import THREADS, is_shared
from tracejit.cuda.passes.vectors import by_vectors
from tracejit.cuda.source import FLAG, GridKernel, ParameterKind, scalar_kind
from tracejit.ir.node import Node
from tracejit.lower.access import Index
from tracejit.lower.emit.accumulate import Accumulators
from tracejit.lower.emit.emitter import Emitter
from tracejit.lower.emit.emitting import FALSE
from tracejit.lower.kernel.statements import (
    Assign,
    Block,
    Call,
    Do,
    Element,
    Expr,
    For,
    If,
    Kernel,
    Store,
)
from tracejit.lower.kernel.verify import read_in
from tracejit.lower.program import Buffer, Computation, Loop, Program


class DeviceEmitter(Emitter):
    """Emits an item of a program; `host` computes what is known before."""

    def __init__(
        self,
        program: Program,
        host: Any,
        grid: list[Loop],
        team: int = 1,
        around: DeviceEmitter | None = None,
    ) -> None:
        super().__init__(program, around)
        self.regions = Steps(self)
        sums = TeamSums(self)
        self.accumulators: Accumulators = sums
        self.chunks = DeviceChunks(self, sums)
        self.host, self.team = host, team
        self.names, self.own, self.written = host.names, host.own, host.written
        self.count = host.count
        self.axis_of = {id(loop): axis for loop, axis in zip(reversed(grid), "xyz", strict=False)}
        #: Of memory that iterations use in turn, an array that has some for each chunk, and which
        #: chunk it is.
        self.rows: dict[str, str] = {}
        self.chunk = ""
        #: Scalars that the host gives, by name.
        self.scalars: dict[str, ParameterKind] = {}

    def inside(self, program: Program) -> DeviceEmitter:
        program.strips.clear()  # lines are for caches
        return DeviceEmitter(program, Within(self), [], around=self)

    def element(self, buffer: Buffer, *where: Any, **moved: Any) -> Element:
        found = super().element(buffer, *where, **moved)
        if not isinstance(found.array, str) or found.array not in self.rows:
            return found
        return Element(self.rows[found.array], (self.chunk, *found.index))

    def made(self, name: str) -> GridKernel | None:
        """The kernel of what has been emitted; None where that is nothing."""
        if not any(isinstance(s, Block | Store | Do) for s in self.body.statements()):
            return None
        return self.finished(name, THREADS if self.chunks.is_by_blocks() else 0)

    def finished(self, name: str, threads: int = 0) -> GridKernel:
        """The kernel of what has been emitted, for blocks of so many threads."""
        if self.traps:
            self.body.body.insert(0, Assign("bad", FALSE))
            told = If(test=Call("told", ("bad",)))
            told.add(Do(Call("raise_flag", (FLAG,))))
            self.body.add(told)
        kinds = {**self.host.kinds, **self.scalars}
        read = read_in(self.body)
        used = [name for name in kinds if name in read]
        width = 1
        if not threads:
            width = 2 if by_pairs(self.body) else by_vectors(self.body, kinds)
        kernel = Kernel(used, self.factories, self.body)
        return grid_kernel(name, kernel, tuple(kinds[n] for n in used), threads, width, self.team)

    def allocate(self, inside: list[Computation]) -> None:
        """The host has made what the kernel writes."""

    def nest(self, loop: Loop) -> None:
        self.loop(loop)

    def steps(self, loop: Loop, first: Expr | None, last: Expr) -> Block:
        axis, index = self.axis_of.get(id(loop)), self.var_of[loop]
        if axis is not None and first is None:
            kind = "teams" if axis == "x" and self.team > 1 else f"over_{axis}"
            return For(index=index, kind=kind, operands=(last,))
        blocks, span = self.chunks.blocks, (0 if first is None else first, last)
        if blocks is not None and loop in blocks.shared:
            return For(index=index, kind=blocks.kind(loop), operands=span)
        if self.is_shared(loop):
            return For(index=index, kind="team", operands=span)
        return super().steps(loop, first, last)

    def is_shared(self, loop: Loop) -> bool:
        """Whether the threads of a team share the iterations of a loop."""
        return self.team > 1 and is_shared(loop, self.program)

    def use_loop(self, name: str, module: str, ufunc: str, types: str) -> None:
        raise lacking(ufunc, module)

    def call(self, c: Computation) -> None:
        raise lacking(c.value.op.name)

    def _in_memory(self, node: Node) -> bool:
        return super()._in_memory(node) or is_kept(node, self.program)

    def _computed(self, node: Node, index: Index) -> tuple[Expr, int, bool]:
        if not node.ndim and self.host.knows(node):
            value = self.host.value(node, ())
            if isinstance(value, str) and value not in self.host.kinds:
                self.scalars[value] = scalar_kind(node.dtype)
            return value, 0, True
        return super()._computed(node, index)
