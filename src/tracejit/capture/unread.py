"""Lists of the caller's that a function adds to: what they hold is read where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from tracejit.errors import NotTraceable
from tracejit.ir.dims import Dim
from tracejit.trace.lists import TracedList
from tracejit.trace.tracer import Tracer


class Reader(Protocol):
    """What reads at each call: a `capture.Capture`."""

    def read(self, value: Any, expression: str, path: str, numbers: bool = False) -> Any: ...
    def elements(self, original: list[Any], expression: str, path: str) -> list[Any]: ...


class Tail(list[Any]):
    """What had been added to a list before it was read."""


def _whole(name: str) -> Callable[..., Any]:
    """A method of lists that reads the list before."""

    def call(self: UnreadList, *args: Any, **kwargs: Any) -> Any:
        self.reveal()
        return getattr(TracedList, name)(self, *args, **kwargs)

    return call


class UnreadList(TracedList):
    """A list of the caller's. It holds what is added to it, and after it was read, all.

    What is added comes behind whatever the list holds at a call: how long that is, paths do not
    depend on. Its length, and single elements, are read without the others.
    """

    __slots__ = ("_expression", "_original", "_path", "_reader", "loaded")

    def __init__(self, reader: Reader, original: list[Any], expression: str, path: str) -> None:
        super().__init__()
        self.born = -1  # older than all that is made in the trace
        self._reader, self._original = reader, original
        self._expression, self._path = expression, path
        self.loaded: list[Any] | None = None

    def reveal(self) -> None:
        """Read all of it."""
        if self.loaded is not None:
            return
        if self.store is not None:
            raise NotTraceable(f"{self._path} is read after a loop has made it longer")
        self.loaded = self._reader.elements(self._original, self._expression, self._path)
        added = self.held()
        list.clear(self)
        list.extend(self, [*self.loaded, *added])

    def as_held(self) -> list[Any]:
        """A copy of what it holds."""
        return Tail(self.held()) if self.loaded is None else self.held()

    def before(self, known: list[Any]) -> list[Any]:
        """What it held when that was `known`."""
        unread = type(known) is Tail and self.loaded is not None
        return [*self.loaded, *known] if unread and self.loaded else known

    def total(self) -> Dim | Tracer:
        """How many elements there are."""
        if self.loaded is not None:
            return self.length
        text = f"len({self._expression})"
        count = self._reader.read(len(self._original), text, f"len({self._path})", numbers=True)
        total: Tracer = count + self.length if isinstance(self.length, int) else self._unknown()
        return total

    def _unknown(self) -> Any:
        raise NotTraceable(f"the length of {self._path} after a loop has made it longer")

    def __getitem__(self, key: Any) -> Any:
        if self.loaded is None and self.store is None and type(key) is int:
            added = list.__len__(self)
            if -added <= key < 0:
                return list.__getitem__(self, key)
            at = key + added if key < 0 else key
            if -len(self._original) <= at < len(self._original):
                return self._reader.read(
                    self._original[at], f"{self._expression}[{at}]", f"{self._path}[{at}]",
                    numbers=True,
                )  # fmt: skip
        self.reveal()
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        added = list.__len__(self) if self.loaded is None and self.store is None else 0
        if type(key) is int and -added <= key < 0:
            list.__setitem__(self, key, value)
            return
        self.reveal()
        super().__setitem__(key, value)

    def pop(self, *at: Any) -> Any:
        """``list.pop``: what was added last is there, whatever the list holds."""
        if not (self.loaded is None and self.store is None and not at and list.__len__(self)):
            self.reveal()
        return super().pop(*at)

    def __iter__(self) -> Iterator[Any]:
        self.reveal()
        return super().__iter__()

    (
        __len__, __bool__, __add__, __radd__, __mul__, __rmul__, copy, insert,
        remove, clear, sort, reverse, __delitem__, __imul__, __eq__, __ne__, __lt__, __le__, __gt__,
        __ge__, __contains__, __repr__, index, count, __reversed__, __array_ufunc__,
        __array_function__,
    ) = (
        _whole(name)
        for name in (
            "__len__", "__bool__", "__add__", "__radd__", "__mul__",
            "__rmul__", "copy", "insert", "remove", "clear", "sort", "reverse", "__delitem__",
            "__imul__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__",
            "__repr__", "index", "count", "__reversed__", "__array_ufunc__", "__array_function__",
        )
    )  # fmt: skip
    __hash__ = None
