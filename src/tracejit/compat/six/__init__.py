"""The part of ``six`` that programs took from ``theano.compat.six``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO, StringIO
from typing import Any

from tracejit.compat.six import moves

PY2, PY3 = False, True
string_types, integer_types, class_types = (str,), (int,), (type,)
text_type, binary_type = str, bytes
MAXSIZE = sys.maxsize
b: Callable[[str], bytes] = str.encode
u = str


def iteritems(d: Any) -> Any:
    """The items of a dict, one by one."""
    return iter(d.items())


def itervalues(d: Any) -> Any:
    """The values of a dict, one by one."""
    return iter(d.values())


def iterkeys(d: Any) -> Any:
    """The keys of a dict, one by one."""
    return iter(d)


def get_unbound_function(function: Any) -> Any:
    """The function of a method; any other function is itself."""
    return getattr(function, "__func__", function)


def get_function_name(function: Any) -> str:
    """The name of a function."""
    return str(function.__name__)


def reraise(kind: Any, value: BaseException | None, traceback: Any = None) -> None:
    """Raise an exception with a traceback."""
    if value is None:
        value = kind()
    raise value.with_traceback(traceback)


def with_metaclass(meta: Any, *bases: type) -> type:
    """A base class by which a class gets a metaclass."""
    made: type = meta("with_metaclass", bases, {})
    return made


def add_metaclass(meta: Any) -> Callable[[type], type]:
    """A decorator that gives a class a metaclass."""

    def make(cls: type) -> type:
        names = {k: v for k, v in vars(cls).items() if k not in ("__dict__", "__weakref__")}
        made: type = meta(cls.__name__, cls.__bases__, names)
        return made

    return make


def python_2_unicode_compatible(cls: type) -> type:
    """The class itself."""
    return cls


__all__ = [
    "MAXSIZE",
    "PY2",
    "PY3",
    "BytesIO",
    "StringIO",
    "add_metaclass",
    "b",
    "binary_type",
    "class_types",
    "get_function_name",
    "get_unbound_function",
    "integer_types",
    "iteritems",
    "iterkeys",
    "itervalues",
    "moves",
    "python_2_unicode_compatible",
    "reraise",
    "string_types",
    "text_type",
    "u",
    "with_metaclass",
]
