"""An entry under construction, as the parts of the emitter see it: `emit.Emitter` puts it together.

Each part (accumulators, chunks, library calls, guards, streams) writes into the open blocks; what
is around it, it asks for here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.cpu.emit.expressions import scalar
from tracejit.cpu.emit.values import Values
from tracejit.cpu.passes.phases import Phase
from tracejit.cpu.source import Extra
from tracejit.lower.access import Index
from tracejit.lower.kernel.statements import Call, Expr, If, Return, Statement, Unary
from tracejit.lower.program import Buffer, Computation, Loop, Program

#: What an entry returns.
DONE, MISSED, REFUSED = 0, 1, 2

FALSE = scalar(False, np.dtype(bool))


def unless(test: Expr, then: Statement) -> If:
    """A statement for where something is false."""
    return If([then], test=Unary("not", test))


def refused() -> If:
    """Leave where NumPy would have raised."""
    return If([Return(REFUSED)], test=Call("told", ("bad",)))


class Emitting(Values):
    """The state of an emitter, and what its parts call."""

    #: The parts that others call: `accumulate.Accumulators` and `guards.Guards`.
    accumulators: Any
    guards: Any

    def __init__(
        self,
        program: Program,
        phases: Sequence[Phase] = (),
        streaming: bool = False,
        around: Emitting | None = None,
    ) -> None:
        super().__init__(program, around)
        self.phases = phases
        self.streaming = streaming
        #: What only an entry for a range takes: the buffers between its calls (see `Source`).
        self.extras: list[Extra] = []
        self.parameters: list[str] = []
        #: Results that are made inside.
        self.returned: list[Buffer] = []
        self.outermost = 2 if phases else 1
        #: Whether it is inside of a loop of regions.
        self.looping = False
        #: The outermost item that runs over a range.
        self.ranged: Loop | Computation | None = None

    def item(self, item: Loop | Computation) -> None:
        """Emit a loop or a computation into the open block."""
        raise NotImplementedError

    def everything(self) -> None:
        """Emit all items of the program."""
        raise NotImplementedError

    def inside(self, program: Program) -> Emitting:
        """What emits the program of a region, in a block of this."""
        raise NotImplementedError

    def range_of(self, loop: Loop, first: Expr | None, last: Expr) -> None:
        """Emit the iterations of a loop from `first` (None: 0) up to `last`."""
        raise NotImplementedError

    def open_phase(self, number: int) -> None:
        """Open the block of a phase."""
        raise NotImplementedError

    def index_of(self, c: Computation) -> Index:
        """The index vector of a computation's domain over the open loops."""
        raise NotImplementedError

    def target_index(self, c: Computation, index: Index) -> Index:
        """Where in the target the element at `index` of the domain goes."""
        raise NotImplementedError

    def store(self, c: Computation, value: Expr, index: Index) -> None:
        """Store `value` as the element of the target, and remember that it is known here."""
        raise NotImplementedError
