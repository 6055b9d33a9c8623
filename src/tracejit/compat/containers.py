"""Containers under the names of ``theano.misc``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSet
from typing import Any


class OrderedSet(MutableSet[Any]):
    """A set that remembers in which order its elements were added.

    >>> OrderedSet([3, 1, 3]).union([2])
    OrderedSet([3, 1, 2])
    """

    def __init__(self, iterable: Iterable[Any] = ()) -> None:
        self._items = dict.fromkeys(iterable)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, value: Any) -> None:
        """Add an element."""
        self._items[value] = None

    def discard(self, value: Any) -> None:
        """Remove an element, if it is there."""
        self._items.pop(value, None)

    def update(self, iterable: Iterable[Any]) -> None:
        """Add several elements."""
        self._items.update(dict.fromkeys(iterable))

    def union(self, iterable: Iterable[Any]) -> OrderedSet:
        """This set with more elements."""
        return OrderedSet([*self, *iterable])

    def copy(self) -> OrderedSet:
        """Another set of the same elements."""
        return OrderedSet(self)

    def __repr__(self) -> str:
        return f"OrderedSet({list(self)!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, OrderedSet):
            return list(self) == list(other)
        return isinstance(other, (set, frozenset)) and set(self) == other

    __hash__ = None  # type: ignore[assignment]


class DefaultOrderedDict(OrderedDict[Any, Any]):
    """An `OrderedDict` that makes a value where it has none."""

    def __init__(self, default_factory: Callable[[], Any] | None = None, *args: Any) -> None:
        if default_factory is not None and not callable(default_factory):
            raise TypeError("first argument must be callable")
        super().__init__(*args)
        self.default_factory = default_factory

    def __missing__(self, key: Any) -> Any:
        if self.default_factory is None:
            raise KeyError(key)
        value = self[key] = self.default_factory()
        return value

    def copy(self) -> DefaultOrderedDict:
        """Another dict of the same items."""
        return DefaultOrderedDict(self.default_factory, self)


class frozendict(Mapping[Any, Any]):
    """A dict that does not change, and has a hash."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._items = dict(*args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def copy(self, **more: Any) -> frozendict:
        """This dict with more items."""
        return frozendict(self._items, **more)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"frozendict({self._items!r})"


__all__ = ["DefaultOrderedDict", "OrderedSet", "frozendict"]
