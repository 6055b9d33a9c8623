"""What a piece of a function changes: names, and arrays in place; so that it can be traced again.

The body of a loop or a branch is traced for what it does, and then undone: names have their values
again, arrays their nodes, and the checks that were found are forgotten.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tracejit.errors import NotTraceable
from tracejit.ir.node import Node
from tracejit.trace.memory import Memory, follow

if TYPE_CHECKING:
    from tracejit.trace.trace import Trace

#: An array that may be written into: what several handles share, or one that has its own.
Written = "Memory | Tracer"


class Log:
    """The arrays that are written into while it is open, with the nodes that they had before."""

    def __init__(self) -> None:
        self.before: dict[int, tuple[Any, Node]] = {}

    def note(self, array: Any) -> None:
        """`array` is about to be written into."""
        self.before.setdefault(id(array), (array, array.node))


def put(array: Any, node: Node) -> None:
    """Let an array have the value `node`, for all who see it."""
    array.node = node
    if isinstance(array, Memory):
        for handle in array.handles.values():
            handle.node = follow(handle.path, node)


class State:
    """What a trace knows at a place, to go back to."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.checks = len(trace.checks)
        self.requirements = len(trace.requirements)
        self.draws = len(trace.draws)
        self.shared = self._shared()
        self.tables = [dict(table) for table in trace.tables()]

    def require_pure(self) -> None:
        """NotTraceable where something has happened that cannot be undone, or that must be told."""
        if len(self.trace.draws) != self.draws:
            raise NotTraceable("a loop or a branch draws", "draw before it, all at once")
        if len(self.trace.requirements) != self.requirements:
            raise NotTraceable("positions that are looked up in a loop or a branch")
        if self._shared() != self.shared:
            raise NotTraceable("a shared variable is given a value in a loop or a branch")

    def _shared(self) -> list[Node]:
        return [s.node for s in self.trace.capture.states.values()] if self.trace.capture else []

    def restore(self) -> None:
        """Forget what has been asked since."""
        del self.trace.checks[self.checks :], self.trace.requirements[self.requirements :]
        for table, known in zip(self.trace.tables(), self.tables, strict=True):
            table.clear()
            table.update(known)


class Variables(NamedTuple):
    """The variables that a piece of a function assigns, and how to read and set them all.

    Of these `read` ones may be read before they are assigned, `live` ones afterwards; `unbound` is
    the value of one that has none.
    """

    names: tuple[str, ...]
    read: frozenset[str]
    live: frozenset[str]
    unbound: Any
    get: Callable[[], list[Any]]
    set: Callable[[Sequence[Any]], None]


def contents(values: Sequence[Any]) -> list[Any]:
    """All that lists, dicts and sets among `values`, and in them, hold: by identity, in order."""
    found: list[Any] = []
    seen: set[int] = set()
    stack = list(values)
    while stack:
        value = stack.pop()
        if not isinstance(value, (list, tuple, dict, set)) or id(value) in seen:
            continue
        seen.add(id(value))
        parts = (
            list(itertools.chain.from_iterable(value.items()))
            if isinstance(value, dict)
            else [*value]
        )
        found.append((id(value), [id(part) for part in parts], parts))
        stack += parts
    return found


def require_same(before: list[Any], values: Sequence[Any]) -> None:
    """NotTraceable where a container has been changed."""
    after = contents(values)
    if [c[:2] for c in before] != [c[:2] for c in after]:
        raise NotTraceable(
            "a list, a dict or a set is changed in a loop or a branch",
            "collect arrays of a known length: out[k] = value",
        )
