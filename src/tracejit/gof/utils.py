"""Small things, under the names of ``theano.gof.utils``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tracejit.symbolic.graph import Scratchpad
from tracejit.symbolic.op import MethodNotDefined
from tracejit.symbolic.test_values import get_test_value

scratchpad = ValidatingScratchpad = Scratchpad
object2 = object


class _Undefined:
    """What is not given."""

    def __bool__(self) -> bool:
        return False


undef = _Undefined()


def uniq(seq: Iterable[Any]) -> list[Any]:
    """The elements, each once, in their order."""
    found: list[Any] = []
    for x in seq:
        if x not in found:
            found.append(x)
    return found


def difference(seq1: Iterable[Any], seq2: Iterable[Any]) -> list[Any]:
    """What is in the first, and not in the second."""
    second = list(seq2)
    return [x for x in seq1 if x not in second]


def flatten(a: Any) -> list[Any]:
    """What is in lists, tuples and sets in each other, as one list."""
    if isinstance(a, (tuple, list, set)):
        return [item for part in a for item in flatten(part)]
    return [a]


def give_variables_names(variables: Sequence[Any]) -> Sequence[Any]:
    """Give variables names of their own, where they have none or share one."""
    names = [v.name for v in variables]
    for k, v in enumerate(variables):
        if v.name is None or names.count(v.name) > 1:
            v.name = (v.name or "") + f"_{k}"
    return variables


def memoize(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that remembers its results."""
    cache: dict[Any, Any] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        key = (args, tuple(sorted(kwargs.items())))
        if key not in cache:
            cache[key] = f(*args, **kwargs)
        return cache[key]

    return call


def hash_from_code(code: Any) -> str:
    """A hash of a text."""
    data = code.encode("utf-8") if isinstance(code, str) else code
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def hash_from_ndarray(data: Any) -> str:
    """A hash of an array, its shape and dtype."""
    array = np.ascontiguousarray(data)
    head = f"{np.shape(data)}{array.dtype}".encode()
    return hashlib.md5(head + array.tobytes(), usedforsecurity=False).hexdigest()


def remove(predicate: Callable[[Any], Any], coll: Iterable[Any]) -> list[Any]:
    """What a function is not true of."""
    return [x for x in coll if not predicate(x)]


def add_tag_trace(thing: Any, user_line: Any = None) -> Any:
    """`thing`: where variables were made is known without it."""
    return thing


__all__ = [
    "MethodNotDefined",
    "add_tag_trace",
    "difference",
    "flatten",
    "get_test_value",
    "give_variables_names",
    "hash_from_code",
    "hash_from_ndarray",
    "memoize",
    "object2",
    "remove",
    "scratchpad",
    "undef",
    "uniq",
]
