"""What the blocks of a rewritten function assign, and what they see."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

from tracejit.capture.rewrite.control import UNBOUND, Names, PythonControl, State
from tracejit.capture.rewrite.iterables import Lazy, Range
from tracejit.errors import Hurried, NotTraceable, OverBudget, Raising
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


class _Numpys:
    """A block that raises, however it goes: where that cannot be traced, NumPy knows what."""

    def __init__(self, block: Callable[[], Any]) -> None:
        self.block = block
        self.__code__ = getattr(block, "__code__", block)
        self.__closure__ = getattr(block, "__closure__", None)

    def __call__(self) -> Any:
        try:
            return self.block()
        except (Hurried, OverBudget):
            raise
        except NotTraceable as problem:
            problem.forget()
            raise Raising(problem.reason, problem.hint, problem.bound) from None


def numpys(block: Callable[[], Any], raising: bool) -> Callable[[], Any]:
    """A block, of which nothing need be traceable if it is `raising`, however it goes."""
    return _Numpys(block) if raising else block


def is_outermost(frame: types.FrameType) -> bool:
    """Whether a frame is that of a block of the function that is traced, and of none it calls."""
    frames, around = [frame], frame.f_back
    while around is not None:
        if type(around.f_globals) is not dict:  # a traced copy's
            frames.append(around)
        around = around.f_back
    *inner, root = [f.f_code for f in frames]
    return all(code is not root and code in _blocks(root) for code in inner)


def _blocks(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of the blocks of a function, which have its name."""
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType) and inner.co_name == code.co_name:
            yield inner
            yield from _blocks(inner)
