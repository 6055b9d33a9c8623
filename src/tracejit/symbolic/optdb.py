"""Registers of users' rewrites, by tags; `optdb` is that of all functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tracejit.symbolic.rewriting import EquilibriumOptimizer, SeqOptimizer, as_global


class Query:
    """Which rewrites: those with a tag of `include` and all of `require`, and none of `exclude`."""

    def __init__(
        self, include: Iterable[str] = (), require: Iterable[str] = (), exclude: Iterable[str] = (),
        **kwargs: Any,
    ) -> None:  # fmt: skip
        self.include, self.require, self.exclude = map(set, (include, require, exclude))

    def including(self, *tags: str) -> Query:
        """This query with more tags."""
        return Query(self.include | set(tags), self.require, self.exclude)

    def excluding(self, *tags: str) -> Query:
        """This query without what has these tags."""
        return Query(self.include, self.require, self.exclude | set(tags))

    def requiring(self, *tags: str) -> Query:
        """This query for what has these tags, too."""
        return Query(self.include, self.require | set(tags), self.exclude)

    def takes(self, tags: set[str]) -> bool:
        """Whether it asks for what has these tags."""
        return bool(tags & self.include) and self.require <= tags and not tags & self.exclude

    def __repr__(self) -> str:
        names = ("include", "require", "exclude")
        return f"Query({', '.join(f'{n}={sorted(getattr(self, n))}' for n in names)})"


class DB:
    """A register: rewrites and further registers, each with a name and tags."""

    def __init__(self) -> None:
        self.name: str | None = None
        self._entries: list[tuple[str, Any, float, set[str]]] = []

    def register(self, name: str, obj: Any, *tags: Any, **kwargs: Any) -> None:
        """Add a rewrite or a register. Its name and its class are tags of it.

        ValueError where there is one of that name.
        """
        position = kwargs.pop("position", None)
        if tags and not isinstance(tags[0], str):
            position, *rest = tags
            tags = tuple(rest)
        if any(name == known for known, *_ in self._entries):
            raise ValueError(
                f"The tag '{name}' is already present in this register, or a rewrite of that name"
            )
        if getattr(obj, "name", None) is None:
            obj.name = name
        place = float(position) if isinstance(position, (int, float)) else 0.0
        self._entries.append((name, obj, place, {name, type(obj).__name__, *tags}))

    def add_tags(self, name: str, *tags: str) -> None:
        """Give a rewrite more tags."""
        self._named(name)[3].update(tags)

    def remove_tags(self, name: str, *tags: str) -> None:
        """Take tags from a rewrite."""
        self._named(name)[3].difference_update(tags)

    def _named(self, name: str) -> Any:
        for entry in self._entries:
            if entry[0] == name:
                return entry
        raise KeyError(f"Nothing registered under {name!r}")

    def __getitem__(self, name: str) -> Any:
        return self._named(name)[1]

    def __contains__(self, name: str) -> bool:
        return any(name in entry[3] for entry in self._entries)

    def chosen(self, query: Query) -> list[Any]:
        """What a query asks for: registers are asked in their turn, and left out where empty."""
        found = []
        for _, obj, _, tags in sorted(self._entries, key=lambda entry: entry[2]):
            if isinstance(obj, DB):
                part = obj.chosen(query) if not tags & query.exclude else []
                found += [obj.made(part)] if part else []
            elif query.takes(tags):
                found.append(obj)
        return found

    def made(self, opts: list[Any]) -> Any:
        """One rewrite of several."""
        return SeqOptimizer(list(map(as_global, opts)), name=self.name)

    def query(self, *tags: Any, **kwargs: Any) -> Any:
        """One rewrite of those that a `Query`, or tags with their signs ("+fast_run"), ask for."""
        if len(tags) == 1 and isinstance(tags[0], Query):
            return self.made(self.chosen(tags[0]))
        signs: dict[str, set[str]] = {"+": set(), "&": set(), "-": set()}
        for tag in tags:
            sign = tag[0] if tag[0] in signs else "+"
            signs[sign].add(tag.lstrip("+&-"))
        return self.made(self.chosen(Query(signs["+"] or signs["&"], signs["&"], signs["-"])))

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.name})"


class SequenceDB(DB):
    """A register whose rewrites run one after the other, by their positions."""

    def __init__(self, failure_callback: Any = None) -> None:
        super().__init__()


class EquilibriumDB(DB):
    """A register whose rewrites run until none changes anything."""

    def __init__(self, ignore_newtrees: bool = True, tracks_on_change_inputs: bool = False) -> None:
        super().__init__()

    def made(self, opts: list[Any]) -> Any:
        """One rewrite of several."""
        return EquilibriumOptimizer(opts, name=self.name)


class LocalGroupDB(EquilibriumDB):
    """A register of local rewrites."""


class TopoDB(DB):
    """A register whose rewrites run by the order of the graph."""

    def __init__(self, db: Any, order: str = "in_to_out", **kwargs: Any) -> None:
        super().__init__()
        self._entries = db._entries


class ProxyDB(DB):
    """Another register once more."""

    def __init__(self, db: DB) -> None:
        super().__init__()
        self._entries = db._entries


#: The rewrites of all functions: those with the tag "fast_run" run when one is made.
optdb = SequenceDB()
for _name, _position in (
    ("canonicalize", 1), ("stabilize", 1.5), ("specialize", 2), ("uncanonicalize", 3),
    ("specialize_device", 48.6),
):  # fmt: skip
    optdb.register(_name, EquilibriumDB(), _position, "fast_run", "fast_compile")
optdb.name = "optdb"


def _registering(register: str, *tags: str) -> Callable[..., Any]:
    def add(lopt: Any, *more: Any, **kwargs: Any) -> Any:
        if isinstance(lopt, str):  # tags alone: a decorator with them

            def decorate(inner: Any) -> Any:
                return add(inner, lopt, *more, **kwargs)

            return decorate
        name = kwargs.pop("name", None) or getattr(lopt, "__name__", None) or lopt.name
        optdb[register].register(name, lopt, "fast_run", *tags, *more, **kwargs)
        return lopt

    add.__name__ = add.__qualname__ = f"register_{register}"
    add.__doc__ = f"Register a local rewrite among those that {register}; also a decorator."
    return add


register_canonicalize = _registering("canonicalize", "fast_compile")
register_stabilize = _registering("stabilize", "fast_compile")
register_specialize = _registering("specialize")
register_specialize_device = _registering("specialize_device")
register_uncanonicalize = _registering("uncanonicalize")

__all__ = [
    "DB",
    "EquilibriumDB",
    "LocalGroupDB",
    "ProxyDB",
    "Query",
    "SequenceDB",
    "TopoDB",
    "optdb",
    "register_canonicalize",
    "register_specialize",
    "register_specialize_device",
    "register_stabilize",
    "register_uncanonicalize",
]
