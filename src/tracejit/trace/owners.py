"""Which arrays nobody else sees than the variable that has them.

A variable that becomes another array at a step is carried by value. Whose array it is matters only
where somebody else has the same one, and it may or may not have been replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import CellType
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from tracejit.trace.memory import Memory
from tracejit.trace.tables import SEVERAL
from tracejit.trace.tracer import Tracer


class Values(list[Any]):
    """Values of variables that tracing itself keeps: no owners."""

    __slots__ = ("__weakref__",)
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, values: Iterable[Any] = ()) -> None:
        super().__init__(values)
        _all.add(self)


_all: WeakSet[Values] = WeakSet()
#: What stands for the arrays that variables have at a step of an open loop, by identity.
_placed: WeakValueDictionary[int, Tracer] = WeakValueDictionary()


def placed(array: Tracer) -> Tracer:
    """An array that stands for that of a variable, whichever that is."""
    _placed[id(array)] = array
    return array


def memory_of(value: Any) -> Memory | None:
    """The memory of a value, where it is an array that has any."""
    return value.memory if isinstance(value, Tracer) else None


def may_be_known(array: Tracer) -> bool:
    """Whether it may matter which array this is, where it is returned."""
    return has_views(array) or id(array) in _placed


def has_views(array: Tracer) -> bool:
    """Whether an array is part of another one, or others are of it, or it is the caller's."""
    memory = array.memory
    if memory is None:
        return False
    return bool(memory.outside or memory.doubtful or array.path or len(memory.handles) > 1)


def shared(cells: Mapping[str, CellType]) -> frozenset[str]:
    """The variables, by their cells, whose array somebody else may have too.

    What a function returns, under a name with a dot, is had by nobody before.
    """
    returned = [v for name, cell in cells.items() if name[0] == "." for v in _parts(cell)]
    found = set()
    for name, cell in cells.items():
        if name[0] == ".":
            found |= {name} if any(map(has_views, _arrays(cell))) else set()
            continue
        try:
            count = sys.getrefcount(cell.cell_contents) - 2  # the cell, and the call
        except ValueError:  # none yet
            continue
        value = cell.cell_contents
        if type(value) is tuple or type(value) in SEVERAL or seen_by_others(value, count, returned):
            found.add(name)
    return frozenset(found)


def seen_by_others(value: Any, count: int, returned: Iterable[Any] = ()) -> bool:
    """Whether somebody else than so many, and tracing itself, may have an array, or views of it."""
    if not is_array(value):
        return False
    ours = sum(v is value for values in [*_all, returned] for v in values)
    return count > ours or has_views(value)


def is_listed(array: Tracer) -> bool:
    """Whether lists may hold an array."""
    return array.memory is not None and array.memory.listed is not None


def is_array(value: Any) -> bool:
    """Whether a value is a traced array, which may be written into."""
    return isinstance(value, Tracer) and value.kind == "array"


def _parts(cell: CellType) -> tuple[Any, ...]:
    try:
        value = cell.cell_contents
    except ValueError:  # none yet
        return ()
    return value if type(value) is tuple else (value,)


def _arrays(cell: CellType) -> list[Tracer]:
    return [v for v in _parts(cell) if is_array(v)]
