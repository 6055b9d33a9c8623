"""What a trace may make, and what it unrolls: all limits that count operations and steps."""

from __future__ import annotations

import math
import time

from tracejit.errors import Hurried, OverBudget

#: Operations of a first trace at most, which unrolls what Python does: regions may be better.
FIRST = 400
#: Steps of a loop that are few; operations up to which so few are unrolled, as are those of a loop
#: that can be no region; and operations up to which any loop is: one program over arrays is better.
FEW, MODERATE, SMALL = 4, 600, 120
#: The elements of an array that Python's own loop goes over, at most.
ELEMENTS = 4096
#: What an operation takes to compile, at least, in seconds; so many take as long as a loop.
SECONDS, LOOP = 4e-4, 50
#: Operations of a trace whatever its budget, of a kilobyte each, and how many times as many may be
#: undone; every so many of them it looks at the time.
MOST, UNDONE, LOOKS = 1 << 20, 10, 64


class Budget:
    """The operations that a trace has `made` and `undone`.

    Each is counted where it is made. OverBudget where compiling them would take longer than so many
    `seconds`, if that is not 0, or tracing them half as long: the trace of a loop that goes on and
    on ends there. One that is `hurried` ends at what may rather be a region: Hurried.
    """

    def __init__(self, seconds: float = 0.0, hurried: bool = False) -> None:
        self.seconds, self.hurried = seconds, hurried
        self.most = min(seconds / SECONDS if seconds else math.inf, MOST)
        self.made = self.undone = 0
        #: When the trace must have ended, in seconds of this thread.
        self.until = time.thread_time() + seconds / 2 if seconds else math.inf

    def take(self) -> None:
        """One operation more."""
        self.made += 1
        if self.hurried and self.made > FIRST:
            raise Hurried
        if self.made > self.most:
            allowed = f"a budget of {self.seconds:g} s" if self.seconds else "one program"
            raise OverBudget(
                f"it makes more than the {self.most:,.0f} operations of {allowed}", self.seconds
            )
        if not self.made % LOOKS and time.thread_time() > self.until:
            raise OverBudget(
                f"to trace it takes more than half of a budget of {self.seconds:g} s", self.seconds
            )

    def take_loop(self) -> None:
        """What is made next is computed by a loop of its own: that counts for more."""
        self.made += LOOP

    def unroll(self, steps: int) -> None:
        """A loop of so many steps is unrolled."""
        if self.hurried and steps > FEW:
            raise Hurried

    def undo(self, made: int) -> None:
        """Go back to where so many operations were made."""
        self.undone += self.made - made
        self.made = made
        if self.undone > UNDONE * self.most:
            raise OverBudget(
                f"its loops are traced again more often than a budget of {self.seconds:g} s allows",
                self.seconds,
            )
