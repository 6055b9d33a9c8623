"""Truth values of arrays that decide what is traced: asked of the part of the function before.

Where the sides of a branch have nothing in common (other types, other shapes, ``None``), the trace
takes the side that these arguments take. That they take it is required: other calls miss the path,
before anything is written, and find or make the one of the other side.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.node import Node

#: Decisions in a trace, each of which may double the paths.
MOST = 3


class Decisions:
    """What has been decided in a trace, outside of regions.

    `first_part` gives a truth value for the arguments at hand.
    """

    def __init__(self, trace: build.Solver) -> None:
        self.trace = trace
        self.first_part: Callable[[Node], Any] | None = None
        self.answers: dict[Node, bool] = {}
        #: What became of loops and branches, by line and construct.
        self.notes: dict[tuple[int, str], str] = {}

    @contextlib.contextmanager
    def none(self) -> Iterator[None]:
        """Decide nothing meanwhile."""
        before, self.first_part = self.first_part, None
        try:
            yield
        finally:
            self.first_part = before

    def are_possible(self) -> bool:
        """Whether one more may be made here."""
        known = len(self.answers)
        return self.first_part is not None and not self.trace.is_in_region() and known < MOST

    def decide(self, truth: Node) -> bool:
        """What `truth`, a bool, is for the arguments at hand: that it is so is required."""
        known = self.answers.get(truth)
        if known is not None:
            return known
        if self.first_part is None or not self.are_possible():
            raise NotTraceable("too many values of arrays decide what Python does next")
        self.answers[truth] = answer = bool(self.first_part(truth))
        holds = _as(truth, answer)
        self.trace.require(holds, holds, holds)
        return answer

    def bound(self, test: Node) -> Node:
        """`test` where all that has been decided is so: a loop on a wrong path ends at once."""
        for truth, answer in self.answers.items():
            test = build.elementwise("logical_and", _as(truth, answer), test)
        return test


def _as(truth: Node, answer: bool) -> Node:
    return truth if answer else build.elementwise("logical_not", truth)
