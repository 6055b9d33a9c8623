"""About how long Numba and LLVM take for a kernel: in time linear in its statements.

The weights are a third above what fits the times of 57 programs of up to 400 loops, 3,000 calls
and 100 arguments on an idle machine. That tells most of them within a quarter; products of
matrices, divisions of integers and `gammaln` take up to three times as long.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from tracejit.ir import ops
from tracejit.lower.kernel.formula import called
from tracejit.lower.kernel.statements import Block, For, Forever, If, Kernel

#: Milliseconds for any program, a loop, one of few and known steps (which LLVM unrolls), an
#: argument, a statement, and what costs as much as an addition.
_START, _LOOP, _SHORT, _ARGUMENT, _STATEMENT, _COST = 33.0, 6.7, 0.5, 4.0, 0.135, 0.18
#: Below how many steps those are few.
_FEW = 100


def seconds(kernel: Kernel, calls: Mapping[str, int]) -> float:
    """About how long a kernel takes to compile; `calls` counts the functions that it calls."""
    weights, found = costs(), _Counts()
    found.add(kernel.body)
    milliseconds = (
        _START
        + _LOOP * found.loops
        + _SHORT * found.short
        + _ARGUMENT * max(len(kernel.parameters), 1)
        + _STATEMENT * (found.statements + len(kernel.factories))
        + _COST * sum(weights.get(name, 1) * count for name, count in calls.items())
    )
    return milliseconds / 1e3


class _Counts:
    """How many statements a kernel has, and loops, of which some are short."""

    def __init__(self) -> None:
        self.statements = self.loops = self.short = 0

    def add(self, block: Block) -> None:
        for s in block.statements():
            self.statements += 1
            if not isinstance(s, Block):
                continue
            if isinstance(s, For | Forever):
                last = s.operands[-1] if isinstance(s, For) else None
                short = isinstance(last, int) and last < _FEW
                self.loops += not short
                self.short += short
            self.add(s)
            if isinstance(s, If) and s.otherwise is not None:
                self.add(s.otherwise)


@functools.cache
def costs() -> dict[str, int]:
    """What functions that kernels call cost, by name."""
    return {
        name: row.cost
        for row in ops.ELEMENTWISE.values()
        for formula in (row.cpu, row.near)
        if formula
        for name in called(formula)
    }
