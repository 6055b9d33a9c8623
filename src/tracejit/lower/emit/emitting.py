"""A kernel under construction, as the parts of an emitter see it: `emitter` puts it together.

Each part (accumulators, branches and loops, what a target adds) writes into the open blocks; what
is around it, it asks for here.
"""

from __future__ import annotations

import numpy as np

from tracejit.lower.access import Index
from tracejit.lower.emit.expressions import scalar
from tracejit.lower.emit.values import REFUSED, Values
from tracejit.lower.kernel.statements import (
    Block,
    Call,
    Expr,
    For,
    If,
    Part,
    Return,
    Statement,
    Unary,
)
from tracejit.lower.program import Buffer, Computation, Loop, Program

FALSE = scalar(False, np.dtype(bool))


def unless(test: Expr, then: Statement) -> If:
    """A statement for where something is false."""
    return If([then], test=Unary("not", test))


def refused() -> If:
    """Leave where NumPy would have raised."""
    return If([Return(REFUSED)], test=Call("told", ("bad",)))


def steps(index: str, first: Expr | None, last: Expr) -> For:
    """A loop from `first` (None: 0) up to `last`."""
    if first is None:
        return For(index=index, kind="range", operands=(last,))
    return For(index=index, kind="span", operands=(first, last))


class Emitting(Values):
    """The state of an emitter, and what its parts call."""

    def __init__(self, program: Program, around: Emitting | None = None) -> None:
        super().__init__(program, around)
        self.parameters: list[str] = []
        #: Results that are made inside.
        self.returned: list[Buffer] = []
        #: From where to where its outermost loops go, and those inside; none: over all.
        self.lines: list[tuple[Expr, Expr]] = []
        #: Arrays that come from memory where the lines have been opened.
        self.fetched: set[Expr] = set()
        #: Whether it is inside of a loop of regions.
        self.looping = False

    def note_part(self, name: str, part: Part) -> None:
        """Take note of an array that is a part of another."""

    def item(self, item: Loop | Computation) -> None:
        """Emit a loop or a computation into the open block."""
        raise NotImplementedError

    def steps(self, loop: Loop, first: Expr | None, last: Expr) -> Block:
        """The block of a loop's iterations from `first` (None: 0) up to `last`."""
        raise NotImplementedError

    def everything(self) -> None:
        """Emit all items of the program."""
        raise NotImplementedError

    def inside(self, program: Program) -> Emitting:
        """What emits the program of a region, in a block of this."""
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
