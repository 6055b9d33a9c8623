"""One loop nest as a kernel: the loops that threads share go over a grid, the others as they are.

What is known before the launch is a parameter; what a kernel reads in memory is that of the device.
"""

from __future__ import annotations

from typing import Any

from tracejit.cuda.emit.launching import grid_kernel
from tracejit.cuda.source import GridKernel, ParameterKind, scalar_kind
from tracejit.errors import NotTraceable
from tracejit.ir.node import Node
from tracejit.lower.access import Index
from tracejit.lower.emit.emitter import Emitter
from tracejit.lower.emit.emitting import FALSE
from tracejit.lower.kernel.statements import (
    Assign,
    Block,
    Call,
    Do,
    Expr,
    For,
    If,
    Kernel,
    Store,
)
from tracejit.lower.kernel.verify import read_in
from tracejit.lower.program import Computation, Kind, Loop, Program

#: The parameter that says where a kernel tells that NumPy would have raised.
FLAG = "flag"


class DeviceEmitter(Emitter):
    """Emits an item of a program; `host` computes what is known before."""

    def __init__(self, program: Program, host: Any, grid: list[Loop]) -> None:
        super().__init__(program)
        self.host = host
        self.names, self.own, self.written = host.names, host.own, host.written
        self.count = host.count
        self.axis_of = {id(loop): axis for loop, axis in zip(reversed(grid), "xyz", strict=False)}
        #: Scalars that the host gives, by name.
        self.scalars: dict[str, ParameterKind] = {}

    def grid_kernel(self, name: str, item: Loop | Computation) -> GridKernel | None:
        """The kernel that does what `item` does; None where that is nothing."""
        self.item(item)
        if not any(isinstance(s, Block | Store | Do) for s in self.body.statements()):
            return None
        return self.finished(name)

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
        kernel = Kernel(used, self.factories, self.body)
        return grid_kernel(name, kernel, tuple(kinds[n] for n in used), threads)

    def allocate(self, inside: list[Computation]) -> None:
        """The host has made what the kernel writes."""

    def nest(self, loop: Loop) -> None:
        self.loop(loop)

    def steps(self, loop: Loop, first: Expr | None, last: Expr) -> Block:
        axis = self.axis_of.get(id(loop))
        if axis is None or first is not None:
            return super().steps(loop, first, last)
        return For(index=self.var_of[loop], kind=f"over_{axis}", operands=(last,))

    def _computation(self, c: Computation) -> None:
        if c.kind in (Kind.REDUCE, Kind.SWEEP) and _is_ordered(c):
            name = c.target.op.name
            raise NotTraceable(f"there is no kernel for a {name} that rounds on a GPU yet")
        super()._computation(c)

    def call(self, c: Computation) -> None:
        raise NotTraceable(f"there is no kernel for {c.value.op.name} on a GPU yet")

    def _computed(self, node: Node, index: Index) -> tuple[Expr, int, bool]:
        if not node.ndim and self.host.knows(node):
            value = self.host.value(node, ())
            if isinstance(value, str) and value not in self.host.kinds:
                self.scalars[value] = scalar_kind(node.dtype)
            return value, 0, True
        return super()._computed(node, index)


def _is_ordered(c: Computation) -> bool:
    """Whether a reduction rounds, so that its bits depend on the order."""
    return c.target.dtype.kind in "fc" and c.target.op.name in ("sum", "prod")
