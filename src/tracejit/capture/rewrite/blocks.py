"""What the blocks of a rewritten function assign, and what they see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.capture.rewrite.control import UNBOUND, Names, PythonControl, State
from tracejit.capture.rewrite.iterables import Lazy, Range
from tracejit.trace.effects import Variables
from tracejit.trace.mixed import Mixed
from tracejit.trace.owners import Values, shared

#: Values of ours, which nobody changes.
_OURS = (PythonControl, Range, Lazy, Mixed)


def variables_of(
    assigned: Names, read: Names, live: Names, *functions: Callable[..., Any] | None
) -> Variables:
    """The variables that blocks assign, of which some are read before, and some live after."""
    state = State(assigned, *functions)
    names = tuple(state.cells)

    def get() -> list[Any]:
        return Values(state.get())

    return Variables(
        names,
        frozenset(read),
        frozenset(live),
        UNBOUND,
        get,
        state.set,
        lambda: shared(state.cells),
    )


def held_by(*functions: Callable[..., Any] | None) -> list[Any]:
    """The values of the variables that functions close over, but for what is ours."""
    found = Values()
    for f in functions:
        for cell in getattr(f, "__closure__", None) or ():
            try:
                value = cell.cell_contents
            except ValueError:  # none yet
                continue
            if not isinstance(value, _OURS):
                found.append(value)
    return found
