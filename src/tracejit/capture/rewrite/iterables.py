"""What loops go over, by the number of their step: ranges, arrays, and these side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tracejit.arrays.common import decided
from tracejit.arrays.outputs import is_in_order
from tracejit.ir import dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.trace.counted import wrap_length
from tracejit.trace.lists import TracedList
from tracejit.trace.tables import METHODS
from tracejit.trace.tracer import Tracer, wrap


@dataclass(frozen=True, eq=False)
class Items:
    """So many items, `at` the number of a step, and what they are taken from."""

    __tracejit_fixed__: ClassVar[bool] = True
    length: Dim
    at: Callable[[Tracer], Any]
    held: tuple[Any, ...] = ()

    def after(self, done: int) -> Items:
        """The same without the first ones."""
        at = self.at
        return Items(dims.sub(self.length, done), lambda k: at(_step(done, 1, k)), self.held)


class Range:
    """``range`` of traced numbers, which nobody asks for as long as it is only looped over."""

    __tracejit_fixed__ = True

    def __init__(self, first: Dim, last: Dim, by: int) -> None:
        self.first, self.last, self.by = first, last, by

    def number(self) -> Dim:
        """How many steps there are, if there are any."""
        distance = (
            dims.sub(self.last, self.first) if self.by > 0 else dims.sub(self.first, self.last)
        )
        size = abs(self.by)
        return distance if size == 1 else dims.floordiv(dims.add(distance, size - 1), size)

    def known(self) -> range:
        """The range of these arguments, under a guard."""
        return range(_index(self.first), _index(self.last), self.by)

    def __iter__(self) -> Iterator[int]:
        return iter(self.known())

    def __len__(self) -> int:
        return len(self.known())

    def __getitem__(self, key: Any) -> Any:
        return self.known()[key]

    def __contains__(self, value: object) -> bool:
        return value in self.known()

    def __reversed__(self) -> Iterator[int]:
        return reversed(self.known())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.known(), name)

    def __eq__(self, other: object) -> bool:
        return self.known() == (other.known() if isinstance(other, Range) else other)

    def __hash__(self) -> int:
        return hash(self.known())

    def __repr__(self) -> str:
        return repr(self.known())

    def example(self) -> Any:
        """A value of the class that Python's would have."""
        return range(0)


def _index(d: Dim) -> int:
    return int(wrap_length(d)) if isinstance(d, Node) else d


def traced_range(*args: Any) -> Any:
    """``range``, whose bounds may be traced numbers, or scalars of NumPy's integers."""
    tracers = [a for a in args if isinstance(a, Tracer)]
    if not tracers or not all(map(_is_whole, tracers)) or not 1 <= len(args) <= 3:
        return range(*args)
    first, last = (0, args[0]) if len(args) == 1 else args[:2]
    by = args[2] if len(args) == 3 else 1
    if not (by := int(by)):  # a number that is known, under a guard
        return range(*args)
    return Range(number(first), number(last), by)


def _is_whole(x: Tracer) -> bool:
    return x.kind != "array" and x.node.dtype.kind in "iu"


def number(x: Any) -> Dim:
    """A whole number, as Python's."""
    tracer = wrap(x)
    if tracer.kind == "scalar":
        tracer = wrap(METHODS["convert"](int, tracer))
    return dims.from_node(tracer.node)


class Lazy:
    """An iterator of Python's over what may be traced, which is made when it is asked."""

    def __init__(self, python: Any, sources: Sequence[Any], *args: Any, **kwargs: Any) -> None:
        self.python, self.sources = python, tuple(sources)
        self.args, self.kwargs = args, kwargs
        self.made: Any = None

    def __iter__(self) -> Lazy:
        return self

    def example(self) -> Any:
        """A value of the class that Python's would have."""
        own = (s.example() if isinstance(s, (Range, Lazy)) else () for s in self.sources)
        return self.python(*own)

    def __next__(self) -> Any:
        if self.made is None:
            self.made = iter(self.python(*self.sources, *self.args, **self.kwargs))
        return next(self.made)


def _lazily(python: Any, sources: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
    if any(isinstance(s, (Tracer, Range, Lazy, TracedList)) for s in sources):
        return Lazy(python, sources, *args, **kwargs)
    return python(*sources, *args, **kwargs)


def traced_enumerate(iterable: Any, start: Any = 0) -> Any:
    """``enumerate``."""
    return _lazily(enumerate, [iterable], start)


def traced_zip(*iterables: Any, strict: bool = False) -> Any:
    """``zip``."""
    return _lazily(zip, iterables, strict=strict)


def traced_reversed(sequence: Any) -> Any:
    """``reversed``."""
    if isinstance(sequence, Lazy):
        raise TypeError(f"{sequence.python.__name__!r} object is not reversible")
    return _lazily(reversed, [sequence])


def traced_ndindex(*shape: Any) -> Any:
    """``np.ndindex``."""
    one = len(shape) == 1 and isinstance(shape[0], (tuple, list))
    return Lazy(np.ndindex, [], *(shape[0] if one else shape))


def traced_ndenumerate(array: Any) -> Any:
    """``np.ndenumerate``."""
    if isinstance(array, Tracer):
        return Lazy(_elements, [array])
    return np.ndenumerate(array)


def traced_nditer(*args: Any, **kwargs: Any) -> Any:
    """``np.nditer`` of one array in C order, which only reads it."""
    if len(args) == 1 and not kwargs and isinstance(args[0], Tracer):
        [array] = args
        if array.node.ndim and is_in_order(array):
            return Lazy(_in_memory, [array])
    return np.nditer(*args, **kwargs)


def _in_memory(array: Tracer) -> Iterator[Any]:
    """The elements of an array, as arrays, for a loop of few steps."""
    flat = array.reshape(-1)
    return (flat[k, ...] for k in range(_index(flat.node.shape[0])))


def _elements(array: Tracer) -> Iterator[Any]:
    """The elements of an array, with their indices, for a loop of few steps."""
    return ((index, array[index]) for index in np.ndindex(*map(_index, array.node.shape)))


def items_of(iterable: Any) -> Items | None:
    """What a loop goes over by numbers; None where Python must go over it."""
    if type(iterable) is range:
        first, by = iterable.start, iterable.step
        return Items(len(iterable), lambda k: _step(first, by, k))
    if type(iterable) is Range:
        return Items(iterable.number(), lambda k: _step(iterable.first, iterable.by, k))
    if isinstance(iterable, TracedList) and iterable.store is not None:
        return Items(iterable.length, lambda k: iterable[k], (iterable,))
    if isinstance(iterable, Tracer) and iterable.node.shape:
        return Items(iterable.node.shape[0], lambda k: iterable[k], (iterable,))
    if type(iterable) is not Lazy or iterable.made is not None:
        return None
    parts = [items_of(source) for source in iterable.sources]
    if any(p is None for p in parts):
        return None
    return _LAZY[iterable.python](iterable, [p for p in parts if p is not None])


def _step(first: Dim, by: int, k: Tracer) -> Tracer:
    return wrap_length(dims.add(first, dims.mul(by, dims.from_node(k.node))))


def _enumerated(iterable: Lazy, parts: list[Items]) -> Items | None:
    [part], [start] = parts, iterable.args
    if isinstance(start, Tracer) and not _is_whole(start):
        return None
    first = number(start)
    return Items(part.length, lambda k: (_step(first, 1, k), part.at(k)), part.held)


def _zipped(iterable: Lazy, parts: list[Items]) -> Items | None:
    counts = [p.length for p in parts]
    if not parts or any(c is not counts[0] and c != counts[0] for c in counts):
        return _of_several_lengths(iterable, parts)
    held = tuple(h for p in parts for h in p.held)
    return Items(counts[0], lambda k: tuple(p.at(k) for p in parts), held)


def _of_several_lengths(iterable: Lazy, parts: list[Items]) -> Items | None:
    if not parts or iterable.kwargs.get("strict"):
        return None
    least = parts[0].length
    for part in parts[1:]:
        less = decided("less_equal", least, part.length)
        if less is None:
            return None
        least = least if less else part.length
    held = tuple(h for p in parts for h in p.held)
    return Items(least, lambda k: tuple(p.at(k) for p in parts), held)


def _reversed(iterable: Lazy, parts: list[Items]) -> Items:
    [part] = parts
    last = dims.sub(part.length, 1)
    return Items(part.length, lambda k: part.at(_step(last, -1, k)), part.held)


def _indices(iterable: Lazy, parts: list[Items]) -> Items | None:
    if not all(
        isinstance(n, int) or (isinstance(n, Tracer) and _is_whole(n)) for n in iterable.args
    ):
        return None
    lengths = [number(n) for n in iterable.args]
    if not all(decided("greater_equal", d, 0) for d in lengths):
        return None
    return _of_grid(lengths, lambda index: index, ())


def _with_elements(iterable: Lazy, parts: list[Items]) -> Items | None:
    [array] = iterable.sources
    return _of_grid([*array.node.shape], lambda index: (index, array[index]), (array,))


def _flat(iterable: Lazy, parts: list[Items]) -> Items | None:
    [array] = iterable.sources
    flat = array.reshape(-1)
    return Items(flat.node.shape[0], lambda k: flat[k, ...], (array,))


def _of_grid(lengths: list[Dim], item: Callable[[Any], Any], held: tuple[Any, ...]) -> Items:
    """Items by their indices along several axes, the last of which goes fastest."""

    def at(k: Tracer) -> Any:
        rest, index = dims.from_node(k.node), list[Dim]()
        for length in reversed(lengths[1:]):
            index.append(dims.mod(rest, length))
            rest = dims.floordiv(rest, length)
        index += [rest] * bool(lengths)
        return item(tuple(map(wrap_length, reversed(index))))

    count: Dim = 1
    for length in lengths:
        count = dims.mul(count, length)
    return Items(count, at, held)


_LAZY: dict[Any, Callable[[Lazy, list[Items]], Items | None]] = {
    enumerate: _enumerated,
    zip: _zipped,
    reversed: _reversed,
    np.ndindex: _indices,
    _elements: _with_elements,
    _in_memory: _flat,
}
