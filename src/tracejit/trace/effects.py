"""What a piece of a function changes: names, and arrays in place; so that it can be traced again.

The body of a loop or a branch is traced for what it does, and then undone: names have their values
again, arrays their nodes, and the checks that were found are forgotten.
"""

from __future__ import annotations

import dis
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir.node import Node
from tracejit.ir.region import Check
from tracejit.trace.attributes import Attributes
from tracejit.trace.explain import class_text
from tracejit.trace.lists import TracedList
from tracejit.trace.memory import births
from tracejit.trace.mixed import Mixed
from tracejit.trace.owners import Values, seen_by_others
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer

#: The name of what counts the steps of a loop that may be left. No user has one with a dot.
COUNTER = ".step"


class State:
    """What a trace knows at a place, to go back to."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.made = trace.budget.made
        self.checks = len(trace.checks)
        self.requirements = len(trace.requirements)
        self.draws, self.drawn = self._draws(), len(trace.draws)
        generators = trace.capture.generators if trace.capture else []
        self.generators = [(generator, generator.mark()) for generator in generators]
        self.shared = self._shared()
        self.tables = [dict(table) for table in trace.tables()]

    def require_pure(self) -> None:
        """NotTraceable where something has happened that cannot be undone, or that must be told."""
        if self._draws() != self.draws:
            raise NotTraceable("a loop or a branch draws", "draw before it, all at once")
        if self._shared() != self.shared:
            raise NotTraceable("a shared variable is given a value in a loop or a branch")

    def undraw(self) -> None:
        """Forget what has been drawn since, by generators that there were, and by others."""
        gone = {draw.result for draw in self.trace.draws[self.drawn :]}
        if gone:
            self.trace.inputs[:] = [n for n in self.trace.inputs if n.attr[0] not in gone]
        del self.trace.draws[self.drawn :]
        if self.trace.capture:
            del self.trace.capture.generators[len(self.generators) :]
        for generator, mark in self.generators:
            generator.go_back(mark)

    def _draws(self) -> int:
        """How much NumPy draws before the program."""
        return sum(not draw.reading for draw in self.trace.draws)

    def take_requirements(self) -> tuple[Check, ...]:
        """What NumPy tests there, as what must hold whenever the piece runs."""
        new = self.trace.requirements[self.requirements :]
        del self.trace.requirements[self.requirements :]
        return tuple(Check(r.holds, "NumPy raises nothing", r.node.origin) for r in new)

    def _shared(self) -> list[Node]:
        return [s.node for s in self.trace.capture.states.values()] if self.trace.capture else []

    def restore(self) -> None:
        """Forget what has been made and asked since."""
        trace = self.trace
        trace.budget.undo(self.made)
        del self.trace.checks[self.checks :], self.trace.requirements[self.requirements :]
        for table, known in zip(self.trace.tables(), self.tables, strict=True):
            table.clear()
            table.update(known)


class Form(Protocol):
    """What the values of a variable have parts by, each of which a region can carry."""

    def names(self, name: str) -> tuple[str, ...]:
        """What the parts of the variable are called."""

    def parts(self, value: Any) -> Sequence[Any] | None:
        """The parts of a value; None for one that is not of this form."""

    def whole(self, parts: Sequence[Any]) -> Any:
        """The value of such parts."""


class Elements:
    """A tuple of so many elements."""

    def __init__(self, count: int) -> None:
        self.count = count

    def names(self, name: str) -> tuple[str, ...]:
        return tuple(f"{name}[{k}]" for k in range(self.count))

    def parts(self, value: Any) -> Sequence[Any] | None:
        return value if type(value) is tuple and len(value) == self.count else None

    def whole(self, parts: Sequence[Any]) -> Any:
        return tuple(parts)


class Variables(NamedTuple):
    """The variables that a piece of a function assigns, and how to read and set them all.

    Of these `read` ones may be read before they are assigned, `live` ones afterwards; `unbound` is
    the value of one that has none. Of those that `shared` gives somebody else may have the array.
    The elements of `containers` are variables too, the last ones.
    """

    names: tuple[str, ...]
    read: frozenset[str]
    live: frozenset[str]
    unbound: Any
    get: Callable[[], list[Any]]
    set: Callable[[Sequence[Any]], None]
    shared: Callable[[], frozenset[str]] = frozenset
    containers: tuple[Any, ...] = ()

    def matters(self, place: int) -> bool:
        """Whether anybody reads what the variable at a place becomes."""
        return self.names[place] in self.read or self.names[place] in self.live

    def places(self, names: frozenset[str]) -> frozenset[int]:
        """The places of some variables."""
        return frozenset(k for k, name in enumerate(self.names) if name in names)

    def going_on(self) -> Variables:
        """The same, where another step follows: what that reads is live."""
        return self._replace(live=self.live | self.read)

    def counting(self, counter: list[Any]) -> Variables:
        """The same, and one more, which a step reads: the only element of `counter`."""

        def get() -> list[Any]:
            return Values([*self.get(), *counter])

        def put(values: Sequence[Any]) -> None:
            self.set(values[:-1])
            counter[:] = values[-1:]

        names, read = (*self.names, COUNTER), self.read | {COUNTER}
        return self._replace(names=names, read=read, get=get, set=put)

    def split(self, place: int, form: Form) -> Variables:
        """The same, where the variable at a place has parts: these have places instead."""
        name = self.names[place]
        parts = form.names(name)
        unbound = [self.unbound] * len(parts)
        last: list[Any] = [self.unbound, unbound]  # what is the same has the same parts

        def get() -> list[Any]:
            values = self.get()
            value = values[place]
            if value is not last[0]:
                found = form.parts(value)
                if found is None and value is None:
                    found = unbound
                if found is None:
                    raise NotTraceable(f"{name} has another structure in a loop or a branch")
                last[:] = value, found
            values[place : place + 1] = last[1]
            return values

        def put(values: Sequence[Any]) -> None:
            now, inside = Values(values), Values(values[place : place + len(parts)])
            bound = all(v is not self.unbound for v in inside)
            if not bound:
                value = self.unbound
            elif all(a is b for a, b in zip(inside, last[1], strict=True)):
                value = last[0]
            else:
                value = form.whole(inside)
            last[:] = value, Values(inside) if bound else unbound
            now[place : place + len(parts)] = [value]
            self.set(now)

        def among(names: frozenset[str]) -> frozenset[str]:
            return names | {*parts} if name in names else names

        every = (*self.names[:place], *parts, *self.names[place + 1 :])
        read, live = among(self.read), among(self.live)
        return Variables(
            every, read, live, self.unbound, get, put, lambda: among(self.shared()), self.containers
        )

    def holding(self, slots: Slots) -> Variables:
        """The same, and the elements of a container."""
        count = len(slots.keys)
        names = tuple(f"element {k!r} of container {len(self.containers)}" for k in slots.keys)

        def get() -> list[Any]:
            return Values([*self.get(), *slots.node])

        def put(values: Sequence[Any]) -> None:
            now = Values(values)
            self.set(Values(now[: len(now) - count]))
            slots.node = now[len(now) - count :]

        def common() -> frozenset[str]:
            own = zip(names, slots.keys, strict=True)
            return self.shared() | {name for name, k in own if slots.is_shared(k)}

        return self._replace(
            names=(*self.names, *names),
            read=self.read | {*names},
            live=self.live | {*names},
            get=get,
            set=put,
            shared=common,
            containers=(*self.containers, slots.container),
        )


class Changed(BaseException):  # no handler of the user's is for it
    """A piece gives other elements to a container of around."""

    def __init__(self, container: Any) -> None:
        self.container = container


class Slots:
    """The elements of a list or a dict that keeps its length and its keys; an object's attributes.

    Of those some may be read later for the first time.
    """

    def __init__(self, container: Any) -> None:
        self.born = next(births)
        self.container = container
        self.keys = (
            tuple(container) if isinstance(container, dict) else tuple(range(len(held(container))))
        )

    def _of_list(self, found: TracedList) -> list[Any]:
        now = found.held()
        if len(now) != len(self.keys):
            raise NotTraceable("a loop or a branch adds to a container, or takes out of it")
        return now

    @property
    def node(self) -> list[Any]:
        """The elements; NotTraceable where there are others than there were."""
        found = self.container
        if isinstance(found, TracedList):
            return Values(self._of_list(found))
        if isinstance(found, Attributes):
            others = [k for k in found if k not in self.keys]
            same = all(k in found.loaded for k in others)
            if any(found[k] is not found.loaded[k] for k in others if same):
                raise Changed(found)  # these are elements, too
        else:
            same = len(found) == len(self.keys)
            same = same and (type(found) is not dict or tuple(found) == self.keys)
        if not same:
            raise NotTraceable("a loop or a branch adds to a container, or takes out of it")
        return Values(found[k] for k in self.keys)

    @node.setter
    def node(self, values: Sequence[Any]) -> None:
        put = dict.__setitem__ if isinstance(self.container, dict) else list.__setitem__
        for k, value in zip(self.keys, values, strict=True):
            put(self.container, k, value)

    def is_shared(self, key: Any) -> bool:
        """Whether somebody else may have the array that is an element."""
        count = sys.getrefcount(self.container[key]) - 2  # the container, and the call
        return seen_by_others(self.container[key], count)


#: What our own classes have whose objects cannot be changed.
FIXED = "__tracejit_fixed__"
#: The variables of a piece that assigns none.
NOTHING = Variables((), frozenset(), frozenset(), None, Values, lambda values: None)

#: What cannot be changed; classes and what is callable besides are as well.
_FIXED = (
    int, float, complex, str, bytes, type(None), type(Ellipsis), slice, range, frozenset, Enum,
    np.generic, np.dtype, types.ModuleType, Tracer, Mixed,
)  # fmt: skip
_SETS = ("STORE_DEREF", "DELETE_DEREF")


class Containers:
    """The lists and dicts that a piece sees, with what they hold: it must leave them so.

    NotTraceable where something else than these and arrays could be changed by who has `values`. A
    piece is traced several times, and a list that it appends to would have too many elements.
    Of `others` the elements are variables of the piece. What is read from outside while it is open,
    `met` gives, as it was then.
    """

    def __init__(
        self,
        values: Iterable[Any],
        others: Iterable[Any],
        met: Callable[[], Iterable[tuple[Any, Any]]] = tuple,
    ) -> None:
        self.known: list[tuple[Any, Any]] = []
        self._met = met
        stack, seen, own = list(values), set[int](), {id(other) for other in others}
        while stack:
            value = stack.pop()
            if id(value) in seen or isinstance(value, _FIXED) or is_fixed(value):
                continue
            seen.add(id(value))
            if isinstance(value, types.FunctionType):
                free = value.__code__.co_freevars
                sets = (i for i in dis.get_instructions(value.__code__) if i.opname in _SETS)
                if any(i.argval in free for i in sets):
                    raise NotTraceable("a function that is called assigns a variable of around")
                stack += [_content(cell) for cell in value.__closure__ or ()]
            elif type(value) is tuple:
                stack += value
            elif isinstance(value, TracedList) and value.store is not None:
                continue  # what it holds is in arrays
            elif is_container(value):
                if id(value) not in own:
                    self.known.append((value, held(value)))
                stack += value.values() if isinstance(value, dict) else held(value)
            elif hasattr(value, "__next__") or not callable(value):
                raise NotTraceable(
                    f"a loop or a branch sees {class_text(value)}, which it could change",
                    "use arrays of a known length: out[k] = value",
                )
            else:  # a method, or a partial call
                owner = getattr(value, "__self__", None)
                keywords = getattr(value, "keywords", {})
                stack += [owner, *getattr(value, "args", ()), *keywords.values()]

    def restore(self) -> tuple[Any, str]:
        """Let them hold what they held; one that held something else, or None.

        And the class of one that had more or fewer elements, or other keys.
        """
        changed, resized = None, ""
        for container, before in (*self.known, *self._met()):
            before = as_before(container, before)
            now, was = (
                list(v.items() if isinstance(v, dict) else enumerate(v))
                for v in (held(container), before)
            )
            if isinstance(container, Attributes):  # those read first come in their own order
                now, was = sorted(now), sorted(was)
            pairs = list(zip(now, was, strict=False))
            same = len(now) == len(before) and all(a is b or a == b for (a, _), (b, _) in pairs)
            if same and all(x is y for (_, x), (_, y) in pairs):
                continue
            changed, resized = container, resized if same else type(before).__name__
            fill(container, before)
        return changed, resized


def contents(values: Iterable[Any]) -> list[tuple[Any, Any]]:
    """The lists and dicts that values are and hold, which no arrays stand for, with a copy each."""
    found: list[tuple[Any, Any]] = []
    stack, seen = list(values), set[int]()
    while stack:
        value = stack.pop()
        if id(value) in seen or not is_container(value):
            continue
        seen.add(id(value))
        if type(value) is not tuple:
            if isinstance(value, TracedList) and value.store is not None:
                continue
            found.append((value, held(value)))
        if isinstance(value, dict):
            stack += value.values()
        else:
            stack += value if type(value) is tuple else held(value)
    return found


def is_fixed(value: Any) -> bool:
    """Whether a value is one of ours that cannot be changed, or whose attributes are looked at."""
    return hasattr(type(value), FIXED) or hasattr(value, FIXED)


def is_container(value: Any) -> bool:
    """Whether a value is a list, a dict, a tuple, or the attributes of an object."""
    kind = type(value)
    return kind in (list, dict, tuple, Attributes) or issubclass(kind, TracedList)


def held(container: Any) -> Any:
    """A copy of a list or a dict; of a list that is not read, of what has been added to it."""
    if isinstance(container, dict):
        return dict(container)
    return container.as_held() if isinstance(container, TracedList) else [*container]


def as_before(container: Any, content: Any) -> Any:
    """What a container held when that was `content`, which was not all that has been read since."""
    known = getattr(container, "before", None)
    return content if known is None else known(content)


def fill(container: Any, content: Any) -> None:
    """Let a list or a dict hold this, and nothing else; an object's attributes, what they were."""
    content = as_before(container, content)
    if isinstance(container, dict):
        container.clear()
        container.update(content)
    else:
        list.clear(container)
        list.extend(container, content)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # none yet
        return None
