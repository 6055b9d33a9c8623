"""What the elements of a list have in common: what arrays they are kept in, and made of again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import Node
from tracejit.trace.bits import CARRIED_BITS
from tracejit.trace.integers import small
from tracejit.trace.mixed import Class, Either, Mixed, class_of, classes_of
from tracejit.trace.tracer import Tracer, wrap


class Like(Protocol):
    """The elements of a list that are alike, each of which has parts: numbers, and rows."""

    def leaves(self) -> list[tuple[np.dtype[Any], tuple[Dim, ...]]]:
        """The dtypes and shapes of the parts."""

    def parts(self, value: Any) -> list[Node]:
        """The parts of an element."""

    def whole(self, parts: Iterator[Node]) -> Any:
        """The element of these parts."""

    def maker(self) -> Callable[[Iterator[Any]], list[Any]]:
        """What makes a list of elements from the arrays that hold all their parts."""


class Number(NamedTuple):
    """Numbers of one class."""

    cls: Class

    def leaves(self) -> list[tuple[np.dtype[Any], tuple[Dim, ...]]]:
        return [(self.cls.dtype, ())]

    def parts(self, value: Any) -> list[Node]:
        return [build.cast(small(wrap(value)).node, self.cls.dtype)]

    def whole(self, parts: Iterator[Node]) -> Any:
        number = self.cls.of(next(parts))
        if number.node.type == INT_SCALAR:
            build.solver().noted(number.node, CARRIED_BITS)
        return number

    def maker(self) -> Callable[[Iterator[Any]], list[Any]]:
        python = self.cls.kind == "number"
        return lambda arrays: next(arrays).tolist() if python else list(next(arrays))


class Numbers(NamedTuple):
    """Numbers of two classes."""

    classes: Either

    def leaves(self) -> list[tuple[np.dtype[Any], tuple[Dim, ...]]]:
        return [(dtype, ()) for dtype in (*self.classes.dtypes, np.dtype(np.bool_))]

    def parts(self, value: Any) -> list[Node]:
        if not isinstance(value, Mixed):
            value = small(wrap(value))
        found = self.classes.parts(value) or ()
        types = (dtype for dtype, _ in self.leaves())
        return [build.cast(wrap(p).node, dtype) for p, dtype in zip(found, types, strict=True)]

    def whole(self, parts: Iterator[Node]) -> Any:
        return self.classes.whole([Tracer(next(parts), "scalar") for _ in self.leaves()])

    def maker(self) -> Callable[[Iterator[Any]], list[Any]]:
        classes = self.classes

        def made(arrays: Iterator[Any]) -> list[Any]:
            *values, is_first = (next(arrays) for _ in range(len(classes.dtypes) + 1))
            return [classes.made(*row) for row in zip(is_first, *values, strict=True)]

        return made


class Row(NamedTuple):
    """Arrays of one dtype and shape, which nobody changes any more."""

    dtype: np.dtype[Any]
    shape: tuple[Dim, ...]

    def leaves(self) -> list[tuple[np.dtype[Any], tuple[Dim, ...]]]:
        return [(self.dtype, self.shape)]

    def parts(self, value: Any) -> list[Node]:
        return [value.node]

    def whole(self, parts: Iterator[Node]) -> Any:
        return Tracer(next(parts))

    def maker(self) -> Callable[[Iterator[Any]], list[Any]]:
        return lambda arrays: [row.copy() for row in next(arrays)]


class Tuples(NamedTuple):
    """Tuples of so many elements."""

    likes: tuple[Any, ...]

    def leaves(self) -> list[tuple[np.dtype[Any], tuple[Dim, ...]]]:
        return [leaf for like in self.likes for leaf in like.leaves()]

    def parts(self, value: Any) -> list[Node]:
        pairs = zip(self.likes, value, strict=True)
        return [part for like, element in pairs for part in like.parts(element)]

    def whole(self, parts: Iterator[Node]) -> Any:
        return tuple(like.whole(parts) for like in self.likes)

    def maker(self) -> Callable[[Iterator[Any]], list[Any]]:
        makers = [like.maker() for like in self.likes]
        return lambda arrays: list(zip(*(make(arrays) for make in makers), strict=True))


def widened(old: Any, new: Any, cells: Iterator[Node]) -> list[Node]:
    """The parts of elements side by side, as those of elements that may be others too."""
    if old == new:
        return [next(cells) for _ in old.leaves()]
    if isinstance(old, Tuples):
        pairs = zip(old.likes, new.likes, strict=True)
        return [cell for a, b in pairs for cell in widened(a, b, cells)]
    cell, classes = next(cells), new.classes
    found = [
        cell if dtype == cell.dtype else build.full(cell.shape, _constant(0, dtype))
        for dtype in classes.dtypes
    ]
    is_first = _constant(old.cls == classes.first, np.dtype(np.bool_))
    return [*found, build.full(cell.shape, is_first)]


def _constant(number: Any, dtype: np.dtype[Any]) -> Node:
    return build.constant(dtype.type(number), dtype)


def holds_arrays(form: Any) -> bool:
    """Whether arrays are elements, or parts of these."""
    return isinstance(form, Row) or (
        isinstance(form, Tuples) and any(map(holds_arrays, form.likes))
    )


def made_by(form: Like) -> Callable[..., list[Any]]:
    """What makes a list from arrays that hold the parts of its elements."""
    make = form.maker()
    return lambda *arrays: make(iter(arrays))


def like(values: Sequence[Any], known: Any = None) -> Any:
    """What elements are like, and those that are known to be; NotTraceable where nothing is."""
    for value in values:
        known = _joined(known, _of(value))
    return known


def _of(value: Any) -> Any:
    if isinstance(value, Mixed):
        return Numbers(value.classes)
    if type(value) is tuple and value:
        return Tuples(tuple(map(_of, value)))
    if isinstance(value, Tracer) and value.kind == "array":
        return Row(value.node.dtype, tuple(map(build.solver().canonical, value.node.shape)))
    if isinstance(value, (Tracer, int, float, complex, np.generic)):
        return Number(class_of(wrap(value)))
    raise NotTraceable(
        f"a list that grows in a loop holds a {type(value).__name__}",
        "append numbers, arrays of one shape, or tuples of these",
    )


def _joined(a: Any, b: Any) -> Any:
    if a is None or a == b:
        return b
    if isinstance(a, Tuples) and isinstance(b, Tuples) and len(a.likes) == len(b.likes):
        return Tuples(tuple(map(_joined, a.likes, b.likes)))
    if isinstance(a, (Number, Numbers)) and isinstance(b, (Number, Numbers)):
        classes = classes_of(*map(_example, (a, b)))
        if classes is not None:
            return Numbers(classes)
    raise NotTraceable(
        "the elements of a list that grows in a loop are of several types", "append one type"
    )


def _example(a: Any) -> Any:
    """A number of the class or the classes."""
    if isinstance(a, Number):
        return a.cls.of(_constant(0, a.cls.dtype))
    zeros = tuple(Tracer(_constant(0, d), "scalar") for d in a.classes.dtypes)
    return Mixed(a.classes, zeros, zeros[0])
