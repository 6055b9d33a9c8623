"""Numbers whose class depends on which side of a branch ran: Python's own, or NumPy's scalars.

``best = 0.0``, and ``best = x[i]`` where that is more: what `best` is afterwards, a float or an
``np.float64``, is known when the program runs. Such a number is a value of either dtype, one where
they have the same, and a truth value that says which it is. An operation is traced for both.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import build, ops
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.types import BOOL
from tracejit.trace.bits import INT_BITS
from tracejit.trace.integers import small
from tracejit.trace.tracer import PYTHON_TYPES, Kind, Tracer, wrap


class Class(NamedTuple):
    """What a number is: Python's, of a weak `dtype`, or NumPy's scalar."""

    kind: Kind
    dtype: np.dtype[Any]

    @property
    def name(self) -> str:
        """As Python prints it."""
        python = PYTHON_TYPES[self.dtype.kind].__name__
        return python if self.kind == "number" else f"np.{self.dtype.name}"

    def of(self, value: Node) -> Tracer:
        """A number of this class, from its value."""
        if self.kind == "scalar" or self.dtype == BOOL:
            return Tracer(value, self.kind)
        node = build.weak(value)
        if node.op is ops.CAST and node.dtype.kind == "i" and build.solver().bits(node) is None:
            build.solver().noted(node, INT_BITS)
        return Tracer(node, "number")

    def made(self, value: Any) -> Any:
        """The number itself."""
        return self.dtype.type(value) if self.kind == "scalar" else self.dtype.type(value).item()


class Either(NamedTuple):
    """The classes of a number: the `first`, where a truth value holds, or the `second`."""

    first: Class
    second: Class

    @property
    def dtypes(self) -> tuple[np.dtype[Any], ...]:
        """The dtypes of the values: one, where both classes have it."""
        return tuple(dict.fromkeys(c.dtype for c in self))

    def names(self, name: str) -> tuple[str, ...]:
        """What the parts of a variable are called."""
        return *(f"{name} as {d.name}" for d in self.dtypes), f"{name} as {self.first.name}"

    def parts(self, value: Any) -> Sequence[Any] | None:
        """The values, and whether it is of the first class; None for what is of neither."""
        if isinstance(value, Mixed):
            return (*value.values, value.is_first) if value.classes == self else None
        if not _is_scalar(value):
            return None
        tracer = wrap(value)
        if (found := class_of(tracer)) not in self:
            return None
        zeros = [build.constant(d.type(0), d) for d in self.dtypes]
        values = [
            build.cast(tracer.node, d) if d == found.dtype else zero
            for d, zero in zip(self.dtypes, zeros, strict=True)
        ]
        return *(Tracer(node, "scalar") for node in values), known(found == self.first)

    def whole(self, parts: Sequence[Any]) -> Any:
        """The number of such parts."""
        *values, is_first = (wrap(p) for p in parts)
        mixed = Mixed(self, tuple(values), is_first)
        if is_first.node.op is ops.CONST:
            return mixed.sides()[0 if build.constant_value(is_first.node) else 1]
        return mixed

    def made(self, is_first: Any, *values: Any) -> Any:
        """The number itself, from the values of its parts."""
        found = self.first if is_first else self.second
        return found.made(values[self.dtypes.index(found.dtype)])


def _operators(f: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """An operator of numbers, and its reflection."""

    def forward(self: Mixed, other: Any) -> Any:
        return self.each(lambda x: f(_computed(self, x, other), other))

    def reflected(self: Mixed, other: Any) -> Any:
        return self.each(lambda x: f(other, _computed(self, x, other)))

    return forward, reflected


def _comparison(f: Callable[[Any, Any], Any]) -> Any:
    def call(self: Mixed, other: Any) -> Any:
        return self.each(lambda x: f(x, other))

    return call


def _unary(f: Callable[[Any], Any]) -> Any:
    def call(self: Mixed) -> Any:
        return self.each(lambda x: f(_computed(self, x)))

    return call


def _computed(number: Mixed, side: Tracer, other: Any = 0) -> Tracer:
    """A side of a number, to compute with."""
    numpys = isinstance(other, np.generic) or (isinstance(other, Tracer) and other.kind != "number")
    if side.kind == "number" and side.node.dtype.kind == "i" and not numpys:
        is_first = number.is_first.node
        other_one = build.elementwise("logical_not", is_first)
        return small(side, other_one if class_of(side) == number.classes.first else is_first)
    return side


class Mixed:
    """A number that is of one of two classes."""

    __slots__ = ("classes", "is_first", "values")

    def __init__(self, classes: Either, values: tuple[Tracer, ...], is_first: Tracer) -> None:
        self.classes, self.values, self.is_first = classes, values, is_first

    def sides(self) -> list[Tracer]:
        """The number as each of its classes."""
        dtypes = self.classes.dtypes
        return [c.of(self.values[dtypes.index(c.dtype)].node) for c in self.classes]

    def each(self, f: Callable[[Any], Any]) -> Any:
        """What `f` makes of the number, whichever it is."""
        first, second = map(f, self.sides())
        return chosen(self.is_first.node, first, second)

    def written(self, dtype: np.dtype[Any]) -> Tracer:
        """What an array of `dtype` gets of it, whichever it is."""
        for kind, own in self.classes:
            weak = kind == "number" and own.kind == "f" and dtype.kind in "fc"
            if not weak and not np.can_cast(own, dtype, "safe"):
                raise _asked(self)
        first, second = (build.cast(side.node, dtype) for side in self.sides())
        return Tracer(_where(self.is_first.node, first, second), "scalar")

    __add__, __radd__ = _operators(operator.add)
    __sub__, __rsub__ = _operators(operator.sub)
    __mul__, __rmul__ = _operators(operator.mul)
    __truediv__, __rtruediv__ = _operators(operator.truediv)
    __floordiv__, __rfloordiv__ = _operators(operator.floordiv)
    __mod__, __rmod__ = _operators(operator.mod)
    __pow__, __rpow__ = _operators(operator.pow)
    __and__, __rand__ = _operators(operator.and_)
    __or__, __ror__ = _operators(operator.or_)
    __xor__, __rxor__ = _operators(operator.xor)
    __lt__, __le__ = _comparison(operator.lt), _comparison(operator.le)
    __gt__, __ge__ = _comparison(operator.gt), _comparison(operator.ge)
    __eq__, __ne__ = _comparison(operator.eq), _comparison(operator.ne)
    __neg__, __pos__ = _unary(operator.neg), _unary(operator.pos)
    __abs__, __invert__ = _unary(operator.abs), _unary(operator.invert)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        k = next((k for k, x in enumerate(inputs) if x is self), None)
        if k is None or method != "__call__" or "out" in kwargs:
            raise _asked(self)
        return self.each(lambda x: ufunc(*inputs[:k], x, *inputs[k + 1 :], **kwargs))

    def python_type(self) -> type:
        """Not to be known."""
        raise _asked(self)

    def _ask(self, *_args: Any) -> Any:
        raise _asked(self)

    def __getattr__(self, name: str) -> Any:
        raise _asked(self)

    __bool__ = __int__ = __float__ = __complex__ = __index__ = __round__ = __hash__ = _ask
    __repr__ = __str__ = __format__ = __array__ = __array_function__ = __reduce__ = _ask


def _asked(number: Mixed) -> NotTraceable:
    first, second = number.classes
    return NotTraceable(
        f"Python asks for a number that is of class {first.name} or {second.name}, as a branch "
        "went",
        f"make it one of them: {second.name}(...)",
    )


def class_of(value: Tracer) -> Class:
    """The class of a number."""
    return Class(value.kind, value.node.dtype)


def known(truth: bool) -> Tracer:
    """A truth value that is known."""
    attr = build.constant(truth, np.bool_).attr
    return Tracer(make(ops.CONST, (), attr, ArrayType(BOOL)), "number")


def _is_scalar(value: Any) -> bool:
    if isinstance(value, Tracer):
        return value.kind != "array" and not value.node.shape
    return isinstance(value, (int, float, complex, np.generic))


def classes_of(a: Any, b: Any) -> Either | None:
    """The classes of numbers, if two of them are all that they are of."""
    found: set[Class] = set()
    for value in (a, b):
        if isinstance(value, Mixed):
            found |= {*value.classes}
        elif _is_scalar(value):
            found.add(class_of(wrap(value)))
        else:
            return None
    if len(found) != 2:
        return None
    first, second = sorted(found, key=lambda c: (c.kind != "number", c.dtype.num))
    return Either(first, second)


def chosen(test: Node, a: Any, b: Any) -> Any:
    """`a` where `test` holds, else `b`: one value, if they are alike, or a mixed one."""
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return tuple(chosen(test, x, y) for x, y in zip(a, b, strict=True))
    if not (isinstance(a, Mixed) or isinstance(b, Mixed)):
        a, b = wrap(a), wrap(b)
        if (a.kind, a.node.type) == (b.kind, b.node.type):
            return Tracer(_where(test, a.node, b.node), a.kind)
    classes = classes_of(a, b)
    if classes is None:
        raise NotTraceable("a value has another type where a branch went another way")
    pairs = zip(*(classes.parts(v) or () for v in (a, b)), strict=True)
    return classes.whole([Tracer(_where(test, x.node, y.node), x.kind) for x, y in pairs])


def _where(test: Node, a: Node, b: Node) -> Node:
    if a is b:
        return a
    if a.type.weak:
        return make(ops.WHERE, (test, a, b), None, a.type, build.solver().origin())
    return build.where(test, a, b)
