"""What a piece of a function changes: names, and arrays in place; so that it can be traced again.

The body of a loop or a branch is traced for what it does, and then undone: names have their values
again, arrays their nodes, and the checks that were found are forgotten.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tracejit.errors import NotTraceable
from tracejit.ir.node import Node
from tracejit.ir.region import Check
from tracejit.trace.trace import Trace


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
        if self._shared() != self.shared:
            raise NotTraceable("a shared variable is given a value in a loop or a branch")

    def take_requirements(self) -> tuple[Check, ...]:
        """What NumPy tests there, as what must hold whenever the piece runs."""
        new = self.trace.requirements[self.requirements :]
        del self.trace.requirements[self.requirements :]
        return tuple(Check(r.holds, "NumPy raises nothing", r.node.origin) for r in new)

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

    def split(self, place: int, count: int) -> Variables:
        """The same, where the variable at a place is a tuple: its elements have places instead."""
        name = self.names[place]
        parts = tuple(f"{name}[{k}]" for k in range(count))
        unbound = [self.unbound] * count

        def get() -> list[Any]:
            values = self.get()
            value = values[place]
            if value is not self.unbound and value is not None and not is_tuple(value, count):
                raise NotTraceable(f"{name} is a tuple only in a loop or a branch")
            values[place : place + 1] = value if is_tuple(value, count) else unbound
            return values

        def put(values: Sequence[Any]) -> None:
            now, inside = list(values), tuple(values[place : place + count])
            bound = all(v is not self.unbound for v in inside)
            now[place : place + count] = [inside if bound else self.unbound]
            self.set(now)

        def among(names: frozenset[str]) -> frozenset[str]:
            return names | {*parts} if name in names else names

        every = (*self.names[:place], *parts, *self.names[place + 1 :])
        return Variables(every, among(self.read), among(self.live), self.unbound, get, put)


def is_tuple(value: Any, count: int) -> bool:
    """Whether a value is a tuple of so many elements."""
    return type(value) is tuple and len(value) == count


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
