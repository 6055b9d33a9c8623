"""Host calls: what cannot be compiled runs as itself, between compiled segments.

The function around becomes one that Python runs, whose segments are compiled functions. So the
order of writes, states, draws and exceptions is Python's, and a result of a host call is an
argument of the next segment, described and guarded as any argument is.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.call.compiled import Compiled
from tracejit.capture.divide.division import Segment, divided
from tracejit.capture.divide.hoist import HOST
from tracejit.capture.divide.places import Place
from tracejit.capture.namespace import is_library_file
from tracejit.trace.origin import is_internal

#: What Python calls in the place of functions that last, by their ids.
_called: dict[int, tuple[Any, Any]] = {}
#: Places in a function that may become host calls.
MOST = 64


class Segments:
    """The parts of a function, for the `places` and variables that are known not to compile."""

    def __init__(self, fn: Compiled) -> None:
        self._fn = fn
        self.places: dict[Place, str] = {}
        self.foreign: set[str] = set()
        self.functions: dict[str, Callable[..., Any]] = {}
        self.lines: list[tuple[tuple[int, int], _First]] = []
        #: Whether all of it is Python's after all.
        self.whole = False

    def __str__(self) -> str:
        """What is Python's, and what became of the segments, for a person."""
        shown = [f"line {p.line} is Python's: {self.places[p]}" for p in sorted(self.places)]
        if self.foreign:
            shown.append(f"Python's is what reads {', '.join(sorted(self.foreign))}")
        for (first, last), part in self.lines:
            lines = f"line {first}" if first == last else f"lines {first} to {last}"
            stats = part.segment.stats
            how = "not reached yet"
            if part.stays:
                how = "Python's: there were no arrays"
            elif stats.traces:
                how = f"compiled, {stats.traces} traces, {stats.loops} loops"
            elif stats.fallbacks:
                inner = part.segment._segments
                how = "divided" if inner and inner.lines else "in plain NumPy"
            shown.append(f"segment of {lines}: {how}")
            shown += [f"  {text}" for text in part.segment.explain().splitlines()[1:]]
        return "\n".join(shown)

    def add(self, place: Place, reason: str) -> Callable[..., Any] | None:
        """The function whose `place` is Python's, too; None where nothing is left to compile."""
        if self.whole or place in self.places or len(self.places) == MOST:
            return None
        self.places[place] = reason
        return self._divided()

    def tell(self, place: Place, reason: str, of: Segments) -> None:
        """What has divided a segment further, into those `of` it, divides the function at once.

        So the next call finds its parts side by side, and those that were compiled are kept.
        """
        for text, part in of.functions.items():
            self.functions.setdefault(text, part)
        plain = self.add(place, reason)
        if plain is not None:
            self._fn._plain = plain
            if self._fn._within is not None:
                self._fn._within.tell(place, reason, self)

    def add_variables(self, names: set[str]) -> Callable[..., Any] | None:
        """The function that leaves to Python, too, what reads these variables."""
        if self.whole or names <= self.foreign:
            return None
        self.foreign |= names
        return self._divided()

    def _divided(self) -> Callable[..., Any] | None:
        f = self._fn.__wrapped__
        division = divided(f.__code__, self.places, self.foreign)
        if division is None:
            return None
        cells = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
        cells[HOST] = types.CellType(self.hosted)
        self.lines = []
        for segment in division.segments:
            cell = types.CellType()
            cell.cell_contents = part = self._segment(segment, cell)
            cells[segment.name] = cell
            self.lines.append((segment.lines, part))
        return _made(f, division.code, cells)

    def _segment(self, segment: Segment, cell: types.CellType) -> _First:
        known = self.functions.get(segment.text)
        if known is None:
            fn: Any = self._fn
            f = fn.__wrapped__
            cells = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
            plain = _made(f, segment.code, cells)
            plain.__defaults__ = plain.__kwdefaults__ = None
            known = self.functions[segment.text] = fn._part(plain)
            known._within = self
        return _First(known, cell)

    def hosted(self, f: Any) -> Any:
        """What Python calls in the place of `f`: a function of the user's is compiled."""
        kind = type(f)
        if kind is types.MethodType and type(f.__func__) is types.FunctionType:
            inner = self.hosted(f.__func__)
            return f if inner is f.__func__ else types.MethodType(inner, f.__self__)
        if kind is not types.FunctionType:
            return f
        known = _called.get(id(f))
        if known is None and _lasts(f):
            fn: Any = self._fn
            known = _called[id(f)] = f, fn._called(f)
        return f if known is None else known[1]


class _First:
    """A segment until it meets arrays: what computes with numbers and texts is Python's."""

    def __init__(self, segment: Any, cell: types.CellType) -> None:
        self.segment, self._cell = segment, cell
        code = segment.__wrapped__.__code__
        #: Whether it names nothing outside, so that its arguments tell what it computes with.
        self._alone = not (code.co_names or code.co_freevars)
        self.stays = False

    def __call__(self, *args: Any) -> Any:
        self.stays = self._alone and _PYTHONS.issuperset(map(type, args))
        if self.stays:
            return self.segment.__wrapped__(*args)
        self._cell.cell_contents = self.segment
        return self.segment(*args)


_PYTHONS = frozenset(
    (bool, int, float, complex, str, type(None), np.bool_, np.float64, np.complex128)
)


def _made(
    f: types.FunctionType, code: types.CodeType, cells: dict[str, types.CellType]
) -> types.FunctionType:
    """`code` as a function in the place of `f`."""
    closure = tuple(cells[name] for name in code.co_freevars)
    new = types.FunctionType(code, f.__globals__, f.__name__, f.__defaults__, closure)
    new.__kwdefaults__, new.__qualname__ = f.__kwdefaults__, f.__qualname__
    new.__module__, new.__doc__ = f.__module__, f.__doc__
    return new


def _lasts(f: types.FunctionType) -> bool:
    """Whether a function is the user's, and found under its name: not one that a call has made."""
    file = f.__code__.co_filename
    if is_internal(file) or is_library_file(file) or f.__dict__:
        return False
    found: Any = sys.modules.get(f.__module__)
    try:
        found = functools.reduce(getattr, f.__qualname__.split("."), found)
    except AttributeError:
        return False
    return found is f


def leave(segments: Segments | None) -> None:
    """Leave to Python, from the next call on, all of what has these, and what that is a part of."""
    while segments is not None:
        fn: Any = segments._fn
        segments.whole, segments.lines = True, []
        segments.places.clear()
        fn._plain = fn.__wrapped__
        segments = fn._within
