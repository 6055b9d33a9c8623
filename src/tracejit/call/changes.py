"""Containers of the caller's that a traced function changes: they are changed when all is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tracejit.capture.capture import Capture
from tracejit.capture.roots import Snapshot
from tracejit.errors import NotTraceable
from tracejit.plan.prologue import Prologue
from tracejit.plan.structure import children_of, contents
from tracejit.trace.lists import TracedList


class Change(NamedTuple):
    """A container of a kind, by the text that reads it, and what it holds afterwards.

    Of a dict these are the values of `keys`, of a list all there are.
    """

    expression: str
    kind: str
    keys: tuple[Any, ...]
    contents: Any


class Changes:
    """What a trace has changed of the containers that it was given; false where that is nothing."""

    def __init__(self, capture: Capture) -> None:
        self.found: list[Change] = []
        self.apart: list[tuple[str, str]] = []
        changed: list[Snapshot] = []
        for snapshot in capture.snapshots:
            change = _change(snapshot, capture.containers[id(snapshot.built)])
            if change is not None:
                self.found.append(change)
                changed.append(snapshot)
        for one in changed:
            for other in capture.snapshots:
                if other is one or type(other.original) is not type(one.original):
                    continue
                if other.original is one.original:
                    raise NotTraceable(f"{one.path} and {other.path} are one, which is changed")
                pair = (capture.containers[id(x.built)] for x in (one, other))
                self.apart.append((*pair,))  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        return bool(self.found)

    def contents(self) -> list[Any]:
        """What the containers hold, as a part of the result."""
        return [change.contents for change in self.found]

    def guard(self, prologue: Prologue) -> None:
        """Leave where what is changed is another container too."""
        for one, other in self.apart:
            prologue.miss_if(f"{one} is {other}")

    def text(self, result: str, prologue: Prologue) -> str:
        """The text of the result, from that of it and the contents, after they are put in place."""
        places = [f"({c.expression}, {prologue.symbol(c.keys)})" for c in self.found]
        kinds = prologue.symbol(tuple(c.kind for c in self.found))
        return f"{prologue.symbol(_put)}({result}, {kinds}, {', '.join(places)})"


def _change(snapshot: Snapshot, expression: str) -> Change | None:
    """How a container differs from what it was."""
    path, built, before = snapshot.path, snapshot.built, snapshot.before
    length = built.length if isinstance(built, TracedList) else len(before)
    if length != len(before):  # the next call would find another structure, and so each
        raise NotTraceable(
            f"the function changes {path}, which it did not make, in its length",
            "make a list, and return it",
        )
    if isinstance(built, TracedList) and built.store is not None:
        if built.holds_arrays():
            raise NotTraceable(f"the function changes {path}, a list of arrays, in a loop")
        return Change(expression, "list", (), built.twin())
    after = contents(built)
    if len(after) == len(before) and all(map(_is_same, after, before)):
        return None
    parts = children_of(built)
    assert parts is not None
    if parts.kind == "list" and len(after) == len(before):
        return Change(expression, "list", (), list(built))
    if parts.kind == "dict":
        old = before[: len(before) // 2]
        if parts.keys[: len(old)] != old:
            raise NotTraceable(f"the function takes keys out of {path}, which it did not make")
        values = dict(zip(old, before[len(old) :], strict=True))
        new = {k: v for k, v in built.items() if k not in values or not _is_same(v, values[k])}
        return Change(expression, "dict", tuple(new), tuple(new.values()))
    raise NotTraceable(
        f"the function changes {path}, which it did not make",
        "return the new value, or copy the container first",
    )


def _put(result: Any, kinds: Sequence[str], *places: tuple[Any, tuple[Any, ...]]) -> Any:
    """The result, of which the last parts are put into containers."""
    own, *found = result
    for kind, (container, keys), new in zip(kinds, places, found, strict=True):
        if kind == "list":
            container[:] = new
        else:
            container.update(zip(keys, new, strict=True))
    return own


def _is_same(a: Any, b: Any) -> bool:
    return a is b or (isinstance(a, str) and isinstance(b, str) and a == b)
