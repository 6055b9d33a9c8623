"""Loops and branches by which lists grow: traced first for what the lists come to hold.

What is appended tells what the elements are like, and how many there are at most; where no bound is
known of that, their number is computed before, by the loop itself without what it appends. Then the
lists have room, and the loop is traced again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracejit.errors import NotTraceable
from tracejit.ir import dims
from tracejit.ir.closing import placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import Node
from tracejit.trace.effects import Variables
from tracejit.trace.lists import Grown, TracedList
from tracejit.trace.pieces import Undo
from tracejit.trace.ranges import is_told
from tracejit.trace.trace import Trace

#: How often a loop is traced for what lists come to hold, at most.
MOST = 12
#: The room of a list of which nothing tells how long it becomes; beyond it, NumPy runs the call.
GUESSED = 1 << 14


class _Growing:
    """A list, what its elements are like, and the room that it needs, if that is known."""

    def __init__(self, grown: Grown) -> None:
        self.list: TracedList = grown.list
        self.form: Any = None
        self.room: Dim | None = None
        self.start: Dim = 0
        self.tested = False

    def note(self, trace: Trace, values: tuple[Any, ...]) -> None:
        """The list holds these values besides."""
        self.form, self.room = self.list.form_with(values, self.form), None
        if self.form is None:
            raise NotTraceable("an element of an empty list is asked for in a loop")
        lengths = [d for _, shape in self.form.leaves() for d in shape]
        if not all(_is_known(trace, d) for d in lengths):
            raise NotTraceable("a list that grows in a loop holds arrays of several shapes")

    def prepare(self) -> None:
        """Let the list be ready."""
        self.list.prepare(self.form, self.room)
        self.list.ready, self.start = True, self.list.length
        if self.list.store is not None:
            self.list.store.tested = self.tested

    def forget_length(self) -> None:
        """Let it not be known how many elements there are, as at any step."""
        if self.list.store is not None:
            self.list.store.set_count(placeholder(INT_SCALAR))

    def learn(self, trace: Trace, added: tuple[Any, Dim | None]) -> None:
        """The room that it needs, after all has been traced without."""
        store, (_, room) = self.list.store, added
        assert store is not None
        if room is None or not _is_known(trace, room):
            self.tested = store.read  # what it holds tells how many come
            room = GUESSED if store.read else dims.sub(self.list.length, self.start)
        self.room = room


def _is_known(trace: Trace, d: Dim) -> bool:
    """Whether a length is known around the loop."""
    return not isinstance(d, Node) or trace.value(d) is not None or is_told(d, trace.steps)


def measured(
    trace: Trace, run: Callable[[], Any], variables: Variables, held: Sequence[Any]
) -> tuple[Any, bool]:
    """What `run` gives, which is undone; and whether lists grow in a branch or a loop in it."""
    lists: dict[int, _Growing] = {}
    depth, deeper = 1 + sum(log.region for log in trace.logs), False
    for _ in range(MOST):
        undo = Undo(trace, variables, held)
        try:
            for one in lists.values():
                one.room = None
                one.prepare()
                one.forget_length()
            return run(), deeper
        except Grown as grown:
            deeper = deeper or grown.depth > depth
            undo.all()
            if grown.list.is_around():
                raise
            lists.setdefault(id(grown.list), _Growing(grown)).note(trace, grown.values)
        finally:
            if undo.log.before:
                undo.all()
            for one in lists.values():
                one.list.ready = False
            undo.close()
    raise NotTraceable("what a list holds changes its type at each step of a loop")


def growing(trace: Trace, run: Callable[[], Any], variables: Variables, held: Sequence[Any]) -> Any:
    """What `run` gives, which makes lists longer."""
    lists: dict[int, _Growing] = {}
    for _ in range(MOST):
        undo = Undo(trace, variables, held)
        try:
            for one in lists.values():
                one.prepare()
            result = run()
            unknown = [one for one in lists.values() if one.room is None]
            if not unknown:
                return result
            for one in unknown:
                one.learn(trace, undo.log.added.get(id(one.list), (one.list, 0)))
            undo.all()
        except Grown as grown:
            undo.all()
            if grown.list.is_around():
                raise
            lists.setdefault(id(grown.list), _Growing(grown)).note(trace, grown.values)
        finally:
            for one in lists.values():
                one.list.ready = False
            undo.close()
    raise NotTraceable("what a list holds changes its type at each step of a loop")
