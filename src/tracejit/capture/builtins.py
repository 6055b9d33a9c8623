"""What a traced function finds under the names of Python's builtins."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays.dates import Dates
from tracejit.capture.namespace import answered, is_library_module, replacement
from tracejit.capture.objects import Twin
from tracejit.capture.rewrite.iterables import Lazy, Range
from tracejit.capture.standin import real_of, stand_in_for
from tracejit.capture.unread import UnreadList
from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.trace.attributes import Attributes
from tracejit.trace.lists import TracedList
from tracejit.trace.mixed import Mixed
from tracejit.trace.tracer import Tracer, number

#: Builtins that look at the program or the world.
_REFUSED = "eval exec compile globals locals input open breakpoint id"


def python_type(x: Any) -> type:
    """The class that `x`, or the value it stands for, has."""
    if isinstance(x, Mixed):
        return x.python_type()
    if isinstance(x, (Range, Lazy, Dates)):
        return type(x.example())
    if isinstance(x, TracedList):
        return list
    if isinstance(x, Attributes):
        return dict
    if not isinstance(x, Tracer):
        return type(real_of(x))
    if x.kind == "array":
        return np.ndarray
    if x.kind == "scalar":
        return x.node.dtype.type
    return {"b": bool, "i": int, "f": float, "c": complex}[x.node.dtype.kind]


def _real_classes(info: Any) -> Any:
    if isinstance(info, tuple):
        return tuple(map(_real_classes, info))
    found = real_of(info)
    if isinstance(found, type):
        for hook in ("__instancecheck__", "__subclasscheck__"):
            asked = getattr(type(found), hook)
            module = getattr(asked, "__module__", None)  # None: a slot of a class in C
            if module not in (None, "abc", "typing", "enum", "typing_extensions"):
                raise NotTraceable(f"{found.__qualname__} has its own {hook}", "compare types")
    return found


def traced_isinstance(x: Any, info: Any) -> bool:
    """``isinstance`` that takes a traced value for what it stands for."""
    return isinstance(_example(x), _real_classes(info))


def _example(x: Any) -> Any:
    """A value of the class that a traced `x` stands for, of its dtype and rank; or `x` itself."""
    if isinstance(x, (Range, Lazy, Dates)):
        return x.example()
    if not isinstance(x, (Tracer, Mixed)):
        return real_of(x)
    if isinstance(x, Tracer) and x.kind == "array":
        return np.empty((0,) * x.node.ndim, x.node.dtype)
    return python_type(x)(0)


def traced_issubclass(cls: Any, info: Any) -> bool:
    """``issubclass`` of what is stood for."""
    return issubclass(real_of(cls), _real_classes(info))


def traced_type(*args: Any) -> Any:
    """``type`` of what a traced value stands for; a class of the user's is the copy at hand."""
    if len(args) != 1:
        return type(*args)
    found = python_type(args[0])
    return BUILTINS["type"] if found is type else found


def traced_len(x: Any) -> Any:
    """``len``; of a traced array it stays symbolic."""
    x = x.ticks if isinstance(x, Dates) else x
    if isinstance(x, Tracer) and x.kind == "array" and x.node.shape:
        return x.shape[0]
    if isinstance(x, TracedList):
        length = x.total() if isinstance(x, UnreadList) else x.length
        return number(length) if isinstance(length, Node) else length
    own = getattr(type(x), "__len__", None) if isinstance(x, Twin) else None
    if own is not None:
        return own(x)
    return len(x)


def unrolled_range(*args: Any) -> range:
    """``range``, whose steps Python goes through."""
    steps = range(*args)
    if any(isinstance(a, Tracer) for a in args):
        build.solver().unroll(len(steps))
    return steps


def _refused_builtin(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        raise NotTraceable(f"{name}() looks at what a trace cannot see")

    return call


def traced_print(*args: Any, **kwargs: Any) -> Any:
    """``print``, which would be heard at the call that is traced, and at no other."""
    raise NotTraceable("print() prints at every call", "print what the function returns")


def _import(name: str, *args: Any, **kwargs: Any) -> Any:
    module = builtins.__import__(name, *args, **kwargs)
    if not is_library_module(name):
        raise NotTraceable(f"module {name} is imported in the function", "import it outside")
    return replacement(module)


def traced_hasattr(x: Any, name: str) -> bool:
    """``hasattr`` of what a traced value stands for."""
    own = isinstance(x, (Tracer, Mixed, Range, Lazy, Dates))
    return hasattr(python_type(x) if own else x, name)


def traced_getattr(x: Any, name: str, *default: Any) -> Any:
    """``getattr`` of what a traced value stands for."""
    if isinstance(x, Tracer) and not traced_hasattr(x, name):
        return getattr(_example(x), name, *default)  # raises what Python raises
    return getattr(x, name, *default)


def traced_vars(*args: Any) -> Any:
    """``vars`` of an object."""
    if len(args) != 1 or not isinstance(args[0], Twin):
        raise NotTraceable("vars() looks at what a trace cannot see")
    return args[0].__dict__


def traced_dir(*args: Any) -> list[str]:
    """``dir`` of what a traced value stands for."""
    if len(args) != 1:
        raise NotTraceable("dir() looks at what a trace cannot see")
    return dir(_example(args[0]))


def traced_builtins() -> dict[str, Any]:
    """The builtins of a traced function."""
    found = dict(vars(builtins))
    others = {name: _refused_builtin(name) for name in _REFUSED.split()}
    others.update(isinstance=traced_isinstance, issubclass=traced_issubclass, type=traced_type)
    others.update(len=traced_len, hasattr=traced_hasattr, getattr=traced_getattr, dir=traced_dir)
    others.update(print=traced_print, vars=traced_vars)
    others.update({f.__name__: functools.partial(answered, f) for f in (max, min, sum, any, all)})
    found.update({name: stand_in_for(found[name], call) for name, call in others.items()})
    found["__import__"] = _import
    return found


BUILTINS = traced_builtins()
