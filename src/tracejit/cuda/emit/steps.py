"""Loops of steps in a kernel: each thread goes through all steps at its point."""

from __future__ import annotations

from typing import Any

from tracejit.ir.node import Node
from tracejit.lower.emit.regions import Regions
from tracejit.lower.kernel.statements import Binary, Expr, For
from tracejit.lower.program import Lines


class Steps(Regions):
    """Lets threads share the loops that go around the steps."""

    def lines(self, around: Lines) -> list[tuple[Expr, Expr]]:
        found: list[tuple[Expr, Expr]] = []
        axes = "xyz"[: len(around.extents)][::-1]
        for axis, d in zip(axes, around.extents, strict=True):
            length, index = self.e.dim(d), self.e.fresh("i")
            self.e.open(For(index=index, kind=f"over_{axis}", operands=(length,)))
            found.append((index, Binary("+", index, 1)))
        return found


class Within:
    """What is known inside of a step before it: nothing; its scalars are a thread's own."""

    def __init__(self, around: Any) -> None:
        self.names: dict[str, Expr] = {}
        self.own: set[str] = set()
        self.written: set[Node] = set()
        self.kinds: dict[str, Any] = {}
        self.count = around.count

    def knows(self, node: Node) -> bool:
        """Whether a scalar is a parameter of the kernel."""
        return False
