"""Containers and objects of the caller's that a function changes: changed when all is done.

Objects that the function makes are made then, too, and given their attributes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tracejit.capture.capture import Capture
from tracejit.capture.objects import Record, is_slot
from tracejit.capture.roots import Snapshot
from tracejit.capture.unread import UnreadList
from tracejit.errors import NotTraceable
from tracejit.plan.prologue import Prologue
from tracejit.plan.structure import children_of, contents
from tracejit.trace.lists import TracedList

#: How a value is put into a container, or an object: by the target, a key, and the value.
Put = Callable[[Any, Any, Any], None]


class Change(NamedTuple):
    """What a container or an object holds afterwards, by the text that reads it.

    Each of the values in `contents` is put there by one of the steps, a way and a key.
    """

    expression: str
    path: str
    steps: tuple[tuple[Put, Any], ...]
    contents: tuple[Any, ...]


class Changes:
    """What a trace has changed of what it was given, and made; false where that is nothing."""

    def __init__(self, capture: Capture) -> None:
        self.found: list[Change] = []
        self.made: list[Record] = []
        self.apart: list[tuple[str, str]] = []
        changed: list[Snapshot] = []
        for snapshot in capture.snapshots:
            if capture.objects.record(snapshot.built) is not None:
                continue
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
        for generator in capture.generators:
            stream = generator.stream
            if stream is not None and stream.moved:
                put = ((stream.kind.put, None),)
                self.found.append(Change(generator.name, "a generator", put, (stream.state,)))
        for record in capture.objects.all:
            assigned = {} if record.is_new else record.attributes.assigned()
            if assigned:
                self.found.append(_of_object(record, assigned))

    def __bool__(self) -> bool:
        return bool(self.found or self.made)

    def meet(self, record: Record) -> None:
        """An object is part of the result: one that is made in the trace is made at each call."""
        if record.is_new and all(record is not other for other in self.made):
            self.made.append(record)
            self.found.append(_of_object(record, record.attributes))

    def guard(self, prologue: Prologue) -> None:
        """Leave where what is changed is another container too."""
        for one, other in self.apart:
            prologue.miss_if(f"{one} is {other}")

    def text(
        self,
        result: str,
        values: Sequence[str],
        prologue: Prologue,
        expressions: Mapping[str, str],
    ) -> str:
        """The text of the result, from that of it and the contents, after they are put in place.

        Of inputs `expressions` has the texts.
        """
        found = (expressions.get(c.expression, c.expression) for c in self.found)
        targets = "".join(f"{text}, " for text in found)
        steps = [(put, k, key) for k, c in enumerate(self.found) for put, key in c.steps]
        put = f"{prologue.symbol(_put)}({result}, {prologue.symbol(tuple(steps))}, ({targets}), "
        put += f"({''.join(f'{v}, ' for v in values)}))"
        if not self.made:
            return put
        make = prologue.symbol(new_object)
        made = (f"({r.name} := {make}({prologue.symbol(r.cls)}))" for r in self.made)
        return f"({', '.join(made)}, {put})[-1]"


def new_object(cls: Any) -> Any:
    """An object of a class, without attributes."""
    return cls.__new__(cls)


def _of_object(record: Record, values: dict[str, Any]) -> Change:
    steps = tuple((_setter(record.cls, name), name) for name in values)
    return Change(record.name, record.path, steps, tuple(values.values()))


def _setter(cls: type, name: str) -> Put:
    """What sets an attribute, whatever the class does where it is set: that has been done."""
    first = next((vars(c)[name] for c in cls.__mro__ if name in vars(c)), None)
    beside = hasattr(type(first), "__set__") and not is_slot(cls, name)
    return _set_held if beside else object.__setattr__


def _set_held(target: Any, name: str, value: Any) -> None:
    vars(target)[name] = value


def _replace(target: list[Any], key: None, values: Any) -> None:
    target[:] = values


def _extend(target: list[Any], key: None, values: Any) -> None:
    target.extend(values)


def _change(snapshot: Snapshot, expression: str) -> Change | None:
    """How a container differs from what it was."""
    path, built, before = snapshot.path, snapshot.built, snapshot.before
    if isinstance(built, UnreadList):
        if built.loaded is None:
            stored = built.store is not None
            added = built.twin() if stored else built.held()
            known = stored or added
            return Change(expression, path, ((_extend, None),), (added,)) if known else None
        before = tuple(built.loaded)
    length = built.length if isinstance(built, TracedList) else len(before)
    if length != len(before):  # the next call would find another structure, and so each
        refusal = NotTraceable(
            f"the function changes {path}, which it did not make, in its length",
            "make a list, and return it",
        )
        refusal.variables = set(re.findall(r"^[^\W\d]\w*", path))
        raise refusal
    if isinstance(built, TracedList) and built.store is not None:
        if built.holds_arrays():
            raise NotTraceable(f"the function changes {path}, a list of arrays, in a loop")
        return Change(expression, path, ((_replace, None),), (built.twin(),))
    after = contents(built)
    if len(after) == len(before) and all(map(_is_same, after, before)):
        return None
    parts = children_of(built)
    assert parts is not None
    if parts.kind == "list" and len(after) == len(before):
        return Change(expression, path, ((_replace, None),), (list(built),))
    if parts.kind == "dict":
        old = before[: len(before) // 2]
        if parts.keys[: len(old)] != old:
            raise NotTraceable(f"the function takes keys out of {path}, which it did not make")
        values = dict(zip(old, before[len(old) :], strict=True))
        new = {k: v for k, v in built.items() if k not in values or not _is_same(v, values[k])}
        return Change(
            expression, path, tuple((dict.__setitem__, k) for k in new), tuple(new.values())
        )
    raise NotTraceable(
        f"the function changes {path}, which it did not make",
        "return the new value, or copy the container first",
    )


def _put(
    result: Any,
    steps: Sequence[tuple[Put, int, Any]],
    targets: Sequence[Any],
    values: Sequence[Any],
) -> Any:
    """The result, when the values are where they belong."""
    for (put, target, key), value in zip(steps, values, strict=True):
        put(targets[target], key, value)
    return result


def _is_same(a: Any, b: Any) -> bool:
    return a is b or (isinstance(a, str) and isinstance(b, str) and a == b)
