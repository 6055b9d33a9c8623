"""An entry for the CPU under construction, as the parts of the emitter see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracejit.cpu.passes.phases import Phase
from tracejit.cpu.source import Extra
from tracejit.lower.emit import emitter
from tracejit.lower.kernel.statements import Expr
from tracejit.lower.program import Computation, Loop, Program


class Emitting(emitter.Emitter):
    """Adds what its parts (chunks, library calls, guards, streams) ask for."""

    #: The part that others call: `guards.Guards`.
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
        self.outermost = 2 if phases else 1
        #: The outermost item that runs over a range.
        self.ranged: Loop | Computation | None = None

    def range_of(self, loop: Loop, first: Expr | None, last: Expr) -> None:
        """Emit the iterations of a loop from `first` (None: 0) up to `last`."""
        raise NotImplementedError

    def open_phase(self, number: int) -> None:
        """Open the block of a phase."""
        raise NotImplementedError
