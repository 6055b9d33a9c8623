"""A program that is being written: its lines, the names in sight, the constructs it holds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
#: The length of an axis: that of a base, and what is added. Bases are "n", "m" and, for lengths
#: that nothing else has, the name of the array.
Length = tuple[str, int]
Shape = tuple[Length, ...]
#: The shortest length by base, whatever is added: two elements are always there.
SHORTEST = {"n": -3, "m": -1}
#: How often a statement runs at the most, as the product of its loops.
MOST_RUNS = 60


@dataclass(frozen=True)
class Array:
    """An array in sight. `name` may be any expression; `own` says that it can be bound anew."""

    name: str
    shape: Shape
    integer: bool = False
    own: bool = False


@dataclass(frozen=True)
class Index:
    """A loop variable that lies in an axis of length (`base`, `room`)."""

    name: str
    base: str
    room: int


@dataclass(frozen=True)
class Helper:
    """A function in sight: its arguments, with {v} for a vector and {s} for a number.

    It gives a "number", or an "array" of the vector's shape.
    """

    name: str
    arguments: str
    gives: str


@dataclass
class Scope:
    """The names that a block has bound.

    `function` is what the function gives whose body it is: "results", "number" or "array".
    """

    function: str = ""
    arrays: list[Array] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    integers: list[str] = field(default_factory=list)
    indices: list[Index] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    helpers: list[Helper] = field(default_factory=list)
    #: Generators of random numbers, arrays of dates, and values that are only passed on.
    streams: list[str] = field(default_factory=list)
    dates: list[Array] = field(default_factory=list)
    values: list[str] = field(default_factory=list)


class Writer:
    """Writes a program line by line; every choice is `rng`'s, the simplest at 0."""

    def __init__(self, rng: random.Random, sums: bool = True) -> None:
        self.rng = rng
        self.lines: list[str] = []
        #: The constructs on each line that has some.
        self.constructs: dict[int, set[str]] = {}
        self.scopes: list[Scope] = []
        #: Whether floating sums may be written, and have been: they may be reordered.
        self.sums, self.summed = sums, False
        #: How many loops are around, in this function; how often the statement runs.
        self.loops, self.runs = 0, 1
        #: How many statements may still be begun.
        self.left = 0
        #: Rows of the tables that are not drawn in this program.
        self.avoided: set[Any] = set()
        #: Statements that are drawn besides those of all programs, and their weights.
        self.more: dict[Any, int] = {}
        self._noted: set[str] = set()
        self._names: dict[str, int] = {}

    # Choices

    def one_in(self, n: int) -> bool:
        return self.rng.randrange(n) == n - 1

    def pick(self, items: Sequence[T]) -> T:
        return items[self.rng.randrange(len(items))]

    def weighted(self, table: dict[Any, int]) -> Any:
        rows = [(item, weight) for item, weight in table.items() if item not in self.avoided]
        at = self.rng.randrange(sum(weight for _, weight in rows))
        for item, weight in rows:
            at -= weight
            if at < 0:
                return item
        raise AssertionError("weights are positive")

    # Lines

    def note(self, construct: str) -> None:
        """The line that comes next holds `construct`."""
        self._noted.add(construct)

    def line(self, text: str, note: str = "") -> None:
        if note:
            self.note(note)
        depth = len(self.scopes)
        self.lines.append("    " * depth + text if text else "")
        if self._noted:
            self.constructs[len(self.lines)] = self._noted
            self._noted = set()

    @contextmanager
    def block(self, header: str, note: str = "", function: str = "") -> Iterator[Scope]:
        """A block under `header`, whose names end with it; a `function` may be called in loops."""
        self.line(header, note)
        around = self.loops, self.runs
        if function:
            self.loops, self.runs = 0, 1 if function == "results" else 10
        self.scopes.append(Scope(function))
        yield self.scopes[-1]
        self.scopes.pop()
        self.loops, self.runs = around

    @contextmanager
    def loop(self, header: str, runs: int, note: str) -> Iterator[Scope]:
        with self.block(header, note) as scope:
            self.loops += 1
            self.runs *= runs
            yield scope

    # Names

    def fresh(self, letter: str) -> str:
        self._names[letter] = count = self._names.get(letter, 0) + 1
        return f"{letter}{count}"

    @property
    def scope(self) -> Scope:
        return self.scopes[-1]

    def seen(self, kind: str) -> list[Any]:
        """Names in sight: "arrays", "numbers", …"""
        return [name for scope in self.scopes for name in getattr(scope, kind)]

    def bindable(self, kind: str) -> list[Any]:
        """Names that this function itself has bound, or is given."""
        found: list[Any] = []
        for scope in reversed(self.scopes):
            found += getattr(scope, kind)
            if scope.function:
                break
        return found

    def arrays(self, test: Callable[[Array], bool] = lambda a: True) -> list[Array]:
        return [a for a in self.seen("arrays") if test(a)]
