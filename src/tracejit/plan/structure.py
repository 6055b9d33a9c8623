"""Nested arguments and results as flat leaves and a hashable description of the rest.

Containers are tuples, lists, dicts, named tuples and dataclasses. Leaves are arrays, NumPy scalars
and Python numbers, and objects of ordinary classes. Everything else is static: it is part of the
description, equal by type and value. An instance of a class in C is refused: what it holds could
change unseen.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from tracejit.errors import NotTraceable

INT_LIMIT = 2**31  # products of two such ints still fit int64

_ATOMS = (
    str,
    bytes,
    bool,
    int,
    float,
    complex,
    type(None),
    type(Ellipsis),
    type(NotImplemented),
    type,
    np.dtype,
    np.ufunc,
    range,
    types.FunctionType,
    types.CodeType,
    types.ModuleType,
    Enum,
    frozenset,
)


def require_plain(value: np.generic, path: str) -> None:
    """Refuse a NumPy scalar of the user's own class, as a subclass of ndarray is."""
    kind, plain = type(value), value.dtype.type
    if kind is not plain:
        raise NotTraceable(
            f"{path} is a {kind.__name__}, a subclass of np.{plain.__name__} with its own rules",
            f"use np.{plain.__name__}({path}) where a plain number will do",
        )


#: What NumPy makes an array by.
CONVERSIONS = ("__array__", "__array_interface__", "__array_struct__", "__dlpack__")


def converts(value: Any) -> bool:
    """Whether `value` is no array, and no class, but an object that NumPy makes an array of."""
    if isinstance(value, (type, np.ndarray, np.generic)):
        return False
    kind = type(value)
    return any(hasattr(kind, n) for n in CONVERSIONS) and not hasattr(kind, "__tracejit_state__")


def own_rules(value: Any, path: str) -> str:
    """Why an object that `converts` is not taken for its array."""
    kind = type(value)
    return (
        f"{path} is a {kind.__module__}.{kind.__qualname__}, "
        "which converts to an array, but has operators and methods of its own"
    )


class Static:
    """A static value as part of a key: equal where type and value are."""

    __slots__ = ("hash", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.hash = hash((type(value), _hashable(value)))

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and same(self.value, other.value)

    def __repr__(self) -> str:
        return repr(self.value)


def _hashable(value: Any) -> Any:
    return (value.start, value.stop, value.step) if type(value) in (slice, range) else value


def same(a: Any, b: Any) -> bool:
    """Whether two static values are one: the same object, or equal and of one type, all through."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) is tuple:
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) in (float, complex):
        return repr(a) == repr(b)  # tells -0.0 from 0.0, and takes nan for nan
    if type(a) is frozenset:
        return len(a) == len(b) and set(map(Static, a)) == set(map(Static, b))
    if type(a) in (slice, range):
        return same(_hashable(a), _hashable(b))
    try:
        return bool(a == b)
    except Exception:
        return False


#: Where a class of ours says which one its instances stand for.
STANDS_FOR = "__tracejit_class__"


class Leaf(NamedTuple):
    """Place of a leaf in the description: `path` as Python text after the root's name."""

    kind: str  # "array" | "scalar" | "number" | "generator" | "object"


class Tree(NamedTuple):
    """`kind`: tuple, list, dict, namedtuple, dataclass; `keys`: dict keys or field names."""

    kind: str
    cls: type
    keys: tuple[Any, ...]
    children: tuple[Any, ...]


Spec = Leaf | Static | Tree
ARRAY, SCALAR, NUMBER = Leaf("array"), Leaf("scalar"), Leaf("number")
#: One of NumPy's random generators.
GENERATOR = Leaf("generator")
#: An instance of an ordinary class, whose attributes are read where they are asked for.
OBJECT = Leaf("object")


def is_dataclass(value: Any) -> bool:
    """Whether `value` is an instance of a dataclass."""
    return hasattr(type(value), "__dataclass_fields__")


def is_namedtuple(cls: type) -> bool:
    """Whether `cls` is made by ``typing.NamedTuple`` or ``collections.namedtuple``."""
    return issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


def children_of(value: Any) -> Tree | None:
    """`value` taken apart by one level (children are values), or None where it is no container."""
    cls = getattr(type(value), STANDS_FOR, type(value))
    if cls is tuple or cls is list:
        return Tree(cls.__name__, cls, (), tuple(value))
    if cls is dict:
        for key in value:
            if type(key).__module__ == "tracejit.trace.tracer":
                raise NotTraceable("a length or number of the trace is the key of a dict")
        return Tree("dict", cls, tuple(value), tuple(value.values()))
    if isinstance(value, tuple) and is_namedtuple(cls):
        return Tree("namedtuple", cls, cls._fields, tuple(value))
    if is_dataclass(value):
        names = tuple(cls.__dataclass_fields__)
        names = tuple(n for n in names if hasattr(value, n))
        return Tree("dataclass", cls, names, tuple(getattr(value, n) for n in names))
    return None


def is_static(value: Any) -> bool:
    """Whether `value` may be part of a description: it cannot change, and compares by value."""
    if isinstance(value, _ATOMS):
        return True
    if isinstance(value, types.BuiltinFunctionType):
        # A method of an object reads the object, whose content could change.
        return isinstance(value.__self__, (type(None), type, types.ModuleType))
    if type(value) is slice:
        return all(is_static(v) for v in _hashable(value))
    if isinstance(value, types.MethodType):
        return is_static(value.__self__)
    if any(hasattr(type(value), f"__tracejit_{what}__") for what in ("function", "state", "draws")):
        return True
    # An instance of a class that promises to be an immutable value, or a function in C.
    return type(value).__module__ in ("builtins", "_operator", "numpy") and callable(value)


def flatten(value: Any, name: str, leaf: Callable[[Any, str], Leaf | None]) -> Spec:
    """The description of `value`; `leaf(value, path)` takes the leaves and says their kind.

    Containers of static values alone become part of the description too, child by child.
    Raises NotTraceable for what may not be described. Recursion follows the nesting of containers;
    one that contains itself is refused.
    """
    return _flatten(value, name, leaf, ())


def _flatten(
    value: Any, path: str, leaf: Callable[[Any, str], Leaf | None], above: tuple[int, ...]
) -> Spec:
    kind = leaf(value, path)
    if kind is not None:
        return kind
    parts = children_of(value)
    if parts is not None:
        if id(value) in above or len(above) > 50:
            raise NotTraceable(f"{path} contains itself, or is nested more than 50 deep")
        above = (*above, id(value))
        names = parts.keys or range(len(parts.children))
        children = tuple(
            _flatten(child, child_path(parts.kind, path, key), leaf, above)
            for key, child in zip(names, parts.children, strict=True)
        )
        keys = tuple(Static(k) for k in parts.keys) if parts.kind == "dict" else parts.keys
        return Tree(parts.kind, parts.cls, keys, children)
    if is_static(value):
        return Static(value)
    raise NotTraceable(
        f"{path} is an instance of {type(value).__module__}.{type(value).__qualname__}, "
        "a class in C or of a library, whose content could change unseen",
        "pass the arrays and numbers it holds",
    )


def child_path(kind: str, path: str, key: Any) -> str:
    """Python text that reads the child `key` of `path`."""
    if kind in ("dataclass", "namedtuple"):
        return f"{path}.{key}"
    return f"{path}[{key!r}]"


def unflatten(spec: Spec, leaves: Any, cls_of: Callable[[type], type] | None = None) -> Any:
    """The value with description `spec` and the next items of the iterator `leaves`.

    `cls_of` may replace the class of a dataclass or named tuple.
    """
    if isinstance(spec, Leaf):
        return next(leaves)
    if isinstance(spec, Static):
        return spec.value
    children = [unflatten(child, leaves, cls_of) for child in spec.children]
    return assemble(spec, children, cls_of)


def assemble(spec: Tree, children: list[Any], cls_of: Any = None) -> Any:
    """A container like `spec` with these children."""
    if spec.kind == "list":
        return children
    if spec.kind == "tuple":
        return tuple(children)
    if spec.kind == "dict":
        return {k.value: v for k, v in zip(spec.keys, children, strict=True)}
    cls = spec.cls if cls_of is None else cls_of(spec.cls)
    if spec.kind == "namedtuple":
        return tuple.__new__(cls, children)
    return make_dataclass(cls, spec.keys, children)


def make_dataclass(cls: type, names: tuple[str, ...], values: list[Any]) -> Any:
    """A dataclass instance with these fields; ``__post_init__`` does not run again."""
    instance: Any = object.__new__(cls)
    for name, value in zip(names, values, strict=True):
        object.__setattr__(instance, name, value)
    return instance


def contents(value: Any) -> tuple[Any, ...]:
    """What `value` holds now, to be compared by identity later."""
    if isinstance(value, list):
        return tuple(list.__iter__(value))
    parts = children_of(value)
    if parts is None:
        return ()
    added = getattr(value, "__dict__", ()) if parts.kind == "dataclass" else ()
    return (*parts.keys, *parts.children, *added)
