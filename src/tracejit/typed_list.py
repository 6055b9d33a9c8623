"""Lists of arrays of one type, under the names of ``theano.typed_list``.

Their length is known when a function is called, so that what works on them runs in Python; what
takes an element out is an ordinary variable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.gof.type import Type
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Apply, Constant, Variable
from tracejit.symbolic.op import Op
from tracejit.symbolic.type import TensorType


class TypedListType(Type):
    """Lists whose elements are of the type `ttype`; of lists of them, where `depth` is not 0."""

    def __init__(self, ttype: Any, depth: int = 0) -> None:
        if depth < 0:
            raise ValueError("Please specify a depth superior or equal to 0")
        if not hasattr(ttype, "filter"):
            raise TypeError("Expected a type")
        self.ttype = ttype if depth == 0 else TypedListType(ttype, depth - 1)

    def filter(self, value: Any, strict: bool = False, allow_downcast: Any = None) -> list[Any]:
        """A list of elements of the type. TypeError for what is no list."""
        if not isinstance(value, list):
            raise TypeError("Expected a python list")
        return [self.ttype.filter(v, strict, allow_downcast) for v in value]

    def get_depth(self) -> int:
        """How deep lists of lists are: 0 for lists of arrays."""
        inner = self.ttype
        return inner.get_depth() + 1 if isinstance(inner, TypedListType) else 0

    def make_variable(self, name: str | None = None) -> TypedListVariable:
        """A new variable."""
        return TypedListVariable(self, name=name)

    def make_constant(self, value: Any, name: str | None = None) -> TypedListConstant:
        """A constant."""
        return TypedListConstant(self, self.filter(value), name)

    def values_eq(self, a: Any, b: Any) -> bool:
        """Whether two lists have equal elements."""
        return len(a) == len(b) and all(_equal(self.ttype, x, y) for x, y in zip(a, b, strict=True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedListType) and self.ttype == other.ttype

    def __hash__(self) -> int:
        return hash((TypedListType, self.ttype))

    def __repr__(self) -> str:
        return f"Typed List <{self.ttype}>"


def _equal(kind: Any, a: Any, b: Any) -> bool:
    if isinstance(kind, TypedListType):
        return kind.values_eq(a, b)
    return np.array_equal(a, b)


class _Lists:
    """What variables of lists do: methods as lists have them, which give new lists."""

    type: Any

    def __getitem__(self, index: Any) -> Any:
        return getitem(self, index)

    def __len__(self) -> int:
        raise TypeError("the length of a symbolic list is typed_list.length(list)")

    def append(self, element: Any) -> Any:
        """A list with one more element."""
        return append(self, element)

    def extend(self, other: Any) -> Any:
        """A list with the elements of another."""
        return extend(self, other)

    def insert(self, index: Any, element: Any) -> Any:
        """A list with one more element, before a place."""
        return insert(self, index, element)

    def remove(self, element: Any) -> Any:
        """A list without the first element that is equal."""
        return remove(self, element)

    def reverse(self) -> Any:
        """A list from the end on."""
        return reverse(self)

    def count(self, element: Any) -> Any:
        """How many elements are equal."""
        return count(self, element)

    def ind(self, element: Any) -> Any:
        """The place of the first element that is equal."""
        return index_(self, element)

    @property
    def ttype(self) -> Any:
        """The type of the elements."""
        return self.type.ttype

    @property
    def dtype(self) -> str:
        """The dtype of the elements."""
        return str(self.type.ttype.dtype)

    @property
    def ndim(self) -> int:
        """The axes of an element, and one."""
        return int(self.type.ttype.ndim) + 1


class TypedListVariable(_Lists, Variable):
    """A symbolic list."""


class TypedListConstant(_Lists, Constant):
    """A symbolic list with a fixed value."""


class ListOp(Op):
    """An op of lists: `compute` gives the result for values, `result` its type."""

    def __init__(
        self, name: str, compute: Callable[..., Any], result: Callable[..., Any], indices: Any = ()
    ) -> None:
        self.name, self.compute, self.result, self.indices = name, compute, result, indices

    def __str__(self) -> str:
        return self.name

    def make_node(self, x: Any, *args: Any) -> Apply:
        """The application. TypeError where an element is not of the list's type."""
        if not isinstance(getattr(x, "type", None), TypedListType):
            raise TypeError(f"{x} is no typed list")
        made = [x]
        for k, a in enumerate(args):
            if k in self.indices or self.name == "extend":
                made.append(_index(a) if k in self.indices else a)
                continue
            v = a if isinstance(a, Variable) else as_tensor_variable(a)
            if v.type != x.type.ttype:
                raise TypeError(f"Expected type {x.type.ttype} but got {v.type}")
            made.append(v)
        return Apply(self, made, [self.result(x.type, *args)()])

    def perform(self, node: Any, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """The list anew."""
        output_storage[0][0] = self.compute(node.inputs[0].type.ttype, *inputs)


class _Slice(Type):
    """Slices, whose parts are constants."""

    def filter(self, value: Any, strict: bool = False, allow_downcast: Any = None) -> Any:
        """The slice."""
        return value


def _index(a: Any) -> Any:
    if isinstance(a, slice):
        return _Slice().make_constant(a)
    return as_tensor_variable(a)


def _place(kind: Any, values: list[Any], element: Any) -> int:
    for k, v in enumerate(values):
        if _equal(kind, v, element):
            return k
    raise ValueError("the element is not in the list")


def _item(kind: Any, values: list[Any], index: Any) -> Any:
    return values[index if isinstance(index, slice) else int(index)]


def _inserted(kind: Any, values: list[Any], index: Any, element: Any) -> list[Any]:
    return [*values[: int(index)], element, *values[int(index) :]]


def _removed(kind: Any, values: list[Any], element: Any) -> list[Any]:
    k = _place(kind, values, element)
    return [*values[:k], *values[k + 1 :]]


def _same(kind: Any, *args: Any) -> Any:
    return kind


_INT64 = TensorType("int64", ())
append = ListOp("append", lambda kind, x, e: [*x, e], _same)
extend = ListOp("extend", lambda kind, x, y: [*x, *y], _same)
insert = ListOp("insert", _inserted, _same, {0})
remove = ListOp("remove", _removed, _same)
reverse = ListOp("reverse", lambda kind, x: x[::-1], _same)
count = ListOp(
    "count", lambda kind, x, e: np.int64(sum(_equal(kind, v, e) for v in x)), lambda *a: _INT64
)
index_ = ListOp("index", lambda kind, x, e: np.int64(_place(kind, x, e)), lambda *a: _INT64)
length = ListOp("length", lambda kind, x: np.int64(len(x)), lambda *a: _INT64)
getitem = ListOp(
    "getitem", _item, lambda kind, i: kind if isinstance(i, slice) else kind.ttype, {0}
)


class MakeList(Op):
    """A list of variables of one type."""

    __props__ = ()

    def make_node(self, a: Sequence[Any]) -> Apply:
        """The application. TypeError where there are several types."""
        made = [v if isinstance(v, Variable) else as_tensor_variable(v) for v in a]
        if not made:
            raise TypeError("a list of no variables has no type")
        if any(v.type != made[0].type for v in made):
            raise TypeError("MakeList need all input variable to be of the same type.")
        return Apply(self, made, [TypedListType(made[0].type)()])

    def perform(self, node: Any, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """The list."""
        output_storage[0][0] = list(inputs)


make_list = MakeList()

__all__ = [
    "ListOp",
    "MakeList",
    "TypedListConstant",
    "TypedListType",
    "TypedListVariable",
    "append",
    "count",
    "extend",
    "getitem",
    "index_",
    "insert",
    "length",
    "make_list",
    "remove",
    "reverse",
]
