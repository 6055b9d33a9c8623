"""Values whose class depends on which side of a branch ran: Python's numbers, NumPy's, constants.

``best = 0.0``, and ``best = x[i]`` where that is more: what `best` is afterwards, a float or an
``np.float64``, is known when the program runs. Such a number is a value of either dtype, one where
they have the same, and a truth value that says which it is. An operation is traced for both.
``k = None``, and ``k = i`` where something is found, is the same, but for a class that has one
value.
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
from tracejit.trace.tables import SEVERAL
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


class Constant(NamedTuple):
    """What is no number: None, or a text."""

    value: Any

    @property
    def name(self) -> str:
        """As Python prints it."""
        return repr(self.value)


class Either(NamedTuple):
    """The classes of a value: the `first`, where a truth value holds, or the `second`."""

    first: Class | Constant
    second: Class | Constant

    @property
    def dtypes(self) -> tuple[np.dtype[Any], ...]:
        """The dtypes of the numbers: one, where both classes have it."""
        return tuple(dict.fromkeys(c.dtype for c in self if isinstance(c, Class)))

    @property
    def constants(self) -> bool:
        """Whether it may be no number."""
        return any(isinstance(c, Constant) for c in self)

    def names(self, name: str) -> tuple[str, ...]:
        """What the parts of a variable are called."""
        return *(f"{name} as {d.name}" for d in self.dtypes), f"{name} as {self.first.name}"

    def parts(self, value: Any) -> Sequence[Any] | None:
        """The values, and whether it is of the first class; None for what is of neither."""
        if isinstance(value, Mixed):
            return (*value.values, value.is_first) if value.classes == self else None
        values = [build.constant(d.type(0), d) for d in self.dtypes]
        found: Class | Constant
        if is_constant(value):
            found = Constant(value)
        elif _is_scalar(value):
            tracer = wrap(value)
            found = class_of(tracer)
            if found in self:
                values[self.dtypes.index(found.dtype)] = build.cast(tracer.node, found.dtype)
        else:
            return None
        if found not in self:
            return None
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
        if isinstance(found, Constant):
            return found.value
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
        if is_constant(other) and f in (operator.eq, operator.ne):
            same = self.is_(other)
            return same if f is operator.eq else _denied(same)
        return self.each(lambda x: f(x, other))

    return call


def _denied(truth: Tracer | bool) -> Tracer | bool:
    if isinstance(truth, bool):
        return not truth
    return Tracer(build.elementwise("logical_not", truth.node), "number")


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
    """A value that is of one of two classes."""

    __tracejit_shown__ = "a value of one class or another, as a branch went"
    __slots__ = ("classes", "is_first", "values")

    def __init__(self, classes: Either, values: tuple[Tracer, ...], is_first: Tracer) -> None:
        self.classes, self.values, self.is_first = classes, values, is_first

    @property
    def form(self) -> Either:
        """What it has parts by, which a region carries."""
        return self.classes

    def sides(self) -> list[Any]:
        """The value as each of its classes."""
        dtypes = self.classes.dtypes
        return [
            c.value if isinstance(c, Constant) else c.of(self.values[dtypes.index(c.dtype)].node)
            for c in self.classes
        ]

    def is_(self, value: Any) -> Tracer | bool:
        """Whether it is a constant."""
        for k, c in enumerate(self.classes):
            if c == Constant(value):
                other = build.elementwise("logical_not", self.is_first.node)
                return Tracer(other if k else self.is_first.node, "number")
        return False

    def where(self, test: Node, answer: bool) -> Any:
        """What is known of it where a `test` has this answer: the one that it is, or itself."""
        first = self.is_first.node
        if test is first:
            return self.sides()[0 if answer else 1]
        other = build.elementwise("logical_not", first)
        return self.sides()[1 if answer else 0] if test is other else self

    def each(self, f: Callable[[Any], Any]) -> Any:
        """What `f` makes of the number, whichever it is."""
        if self.classes.constants:
            raise _asked(self)
        first, second = map(f, self.sides())
        return chosen(self.is_first.node, first, second)

    def written(self, dtype: np.dtype[Any]) -> Tracer:
        """What an array of `dtype` gets of it, whichever it is."""
        for each in self.classes:
            if isinstance(each, Constant):
                raise _asked(self)
            kind, own = each
            weak = kind == "number" and own.kind == "f" and dtype.kind in "fc"
            if not weak and not np.can_cast(own, dtype, "safe"):
                raise _asked(self)
        first, second = (build.cast(side.node, dtype) for side in self.sides())
        return Tracer(_where(self.is_first.node, first, second), "scalar")

    def index(self) -> Tracer:
        """The integer that it is, of whichever class: an element has one place by either."""
        if not all(isinstance(c, Class) and c.dtype.kind in "iu" for c in self.classes):
            raise _asked(self)
        return self.written(np.dtype(np.int64))

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
        if method != "__call__" or all(x is not self for x in inputs):
            raise _asked(self)
        out = kwargs.pop("out", None)
        if out is not None and (len(out) > 1 or "where" in kwargs):
            raise _asked(self)
        result = self.each(lambda x: ufunc(*_with(self, x, inputs), **kwargs))
        if out is None:
            return result
        np.copyto(out[0], result, kwargs.get("casting", "same_kind"))
        return out[0]

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if kwargs.get("out") is not None or not _holds(self, (args, tuple(kwargs.values()))):
            raise _asked(self)
        return self.each(
            lambda x: func(
                *_with(self, x, args), **{k: _with(self, x, v) for k, v in kwargs.items()}
            )
        )

    def python_type(self) -> type:
        """Not to be known."""
        raise _asked(self)

    def _ask(self, *_args: Any) -> Any:
        raise _asked(self)

    def __getattr__(self, name: str) -> Any:
        raise _asked(self)

    __bool__ = __int__ = __float__ = __complex__ = __index__ = __round__ = __hash__ = _ask
    __repr__ = __str__ = __format__ = __array__ = __reduce__ = _ask


SEVERAL.add(Mixed)


def _with(mixed: Mixed, side: Any, value: Any) -> Any:
    """A value, or a tuple or a list of some, with a side of a number in its place."""
    if type(value) in (tuple, list):
        return type(value)(_with(mixed, side, v) for v in value)
    return side if value is mixed else value


def _holds(mixed: Mixed, value: Any) -> bool:
    """Whether it is among the elements of tuples and lists."""
    if type(value) in (tuple, list):
        return any(_holds(mixed, v) for v in value)
    return value is mixed


def _asked(value: Mixed) -> NotTraceable:
    first, second = value.classes
    if value.classes.constants:
        return NotTraceable(
            f"Python asks for a value that is {first.name} or of class {second.name}, as a branch "
            "went",
            "ask `is None` first, or let it be a number from the beginning: k = -1",
        )
    return NotTraceable(
        f"Python asks for a number that is of class {first.name} or {second.name}, as a branch "
        "went",
        f"make it one of them: {second.name}(...)",
    )


def is_constant(value: Any) -> bool:
    """Whether a value is no number, and nothing that could be changed: None, or a text."""
    return value is None or type(value) in (str, bytes)


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
    """The classes of values, if two of them are all that they are of."""
    found: set[Class | Constant] = set()
    for value in (a, b):
        if isinstance(value, Mixed):
            found |= {*value.classes}
        elif is_constant(value):
            found.add(Constant(value))
        elif _is_scalar(value):
            found.add(class_of(wrap(value)))
        else:
            return None
    if len(found) != 2:
        return None
    first, second = sorted(found, key=_place)
    return Either(first, second)


def _place(c: Class | Constant) -> tuple[bool, bool, int, str]:
    """Constants come first, then Python's numbers."""
    if isinstance(c, Constant):
        return False, False, 0, c.name
    return True, c.kind != "number", c.dtype.num, ""


def chosen(test: Node, a: Any, b: Any) -> Any:
    """`a` where `test` holds, else `b`: one value, if they are alike, or a mixed one."""
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return tuple(chosen(test, x, y) for x, y in zip(a, b, strict=True))
    if is_constant(a) and type(a) is type(b) and a == b:
        return a
    if not any(isinstance(v, Mixed) or is_constant(v) for v in (a, b)):
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
