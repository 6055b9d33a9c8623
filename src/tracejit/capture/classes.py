"""Traced copies of the user's classes: they answer as the user's own, and run traced copies.

A copy is a subclass of what it is a copy of, and of the copies of its bases, so that ``super()``
finds copies too. Its members are captured when they are first read, and read at each later call.
"""

from __future__ import annotations

import contextlib
import functools
import types
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from tracejit.capture.bytecode import ASSIGNED, reads_outside
from tracejit.capture.objects import OBJECTS, Objects, Slot, Twin, is_object, slots_of
from tracejit.capture.standin import ORIGINAL, real_of
from tracejit.errors import NotTraceable
from tracejit.plan.prologue import Prologue
from tracejit.plan.structure import is_namedtuple, is_static

#: Members of a metaclass that act when a class is made, and not later.
_MAKING = frozenset("__new__ __init__ __prepare__ __module__ __qualname__ __doc__".split())
#: Hooks that hear of subclasses, which a copy is not.
_HOOKS = frozenset("__init_subclass__ __class_getitem__ __subclasshook__ __new__".split())


class SupportsCapture(Protocol):
    """What members of classes are captured by: a `capture.Capture`."""

    prologue: Prologue
    objects: Objects

    def function(self, f: types.FunctionType) -> Callable[..., Any]: ...
    def traced_class(self, cls: type) -> type: ...
    def is_users(self, f: types.FunctionType) -> bool: ...
    def guard(self, value: Any, expression: str, path: str) -> None: ...
    def read(self, value: Any, expression: str, path: str) -> Any: ...


def copy_of_class(capture: SupportsCapture, cls: type) -> type:
    """The copy of `cls` for one trace."""
    bases = tuple(b for b in map(capture.traced_class, cls.__bases__) if real_of(b) is not b)
    body = {
        "__slots__": (),
        OBJECTS: capture.objects,
        **_members(capture, cls, bases),
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
    }
    if cls is types.SimpleNamespace:  # which compares what it has of its own
        body["__eq__"] = _refused_equality
    # Not by the user's metaclass, which may keep account of its classes.
    bases = (*bases, cls) if bases else (Twin, cls)
    made: type = type.__new__(_traced_metaclass(type(cls)), cls.__name__, bases, body)
    type.__setattr__(made, ORIGINAL, cls)
    return made


class _Detached(Twin):
    """The base of copies whose trace is over, if they add attributes to their base."""


def _refused_equality(self: Any, other: Any) -> Any:
    raise NotTraceable("namespaces are compared", "compare their attributes")


def detach(copy: type) -> None:
    """Take a copy from among the subclasses of the user's class.

    One of a class with slots, or of a named tuple, stays there until it is collected.
    """
    for base in (Twin, _Detached):
        with contextlib.suppress(TypeError):  # another layout
            type.__dict__["__bases__"].__set__(copy, (base,))
            return


@functools.cache
def _traced_metaclass(meta: type[type]) -> type[type]:
    """A subclass of the metaclass `meta`, whose classes equal what they are copies of."""
    if not _is_library(meta) and set(vars(meta)) - _MAKING:
        raise NotTraceable(
            f"the metaclass {meta.__qualname__} could change unseen", "use plain functions"
        )

    def call(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if is_namedtuple(cls):
            return meta.__call__(cls, *args, **kwargs)
        return vars(cls)[OBJECTS].make(cls, real_of(cls), args, kwargs)

    def missing(cls: Any, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        raise NotTraceable(f"{cls.__qualname__}.{name} is asked for, which could change unseen")

    def resolution_order(cls: Any) -> Any:
        made = ORIGINAL in type.__getattribute__(cls, "__dict__")  # else it is being made
        return real_of(cls).mro() if made else meta.mro(cls)

    def refuse(cls: Any, name: str, *value: Any) -> None:
        raise NotTraceable(f"the function sets {cls.__qualname__}.{name}")

    body = {
        "__call__": call,
        "__getattr__": missing,
        "__setattr__": refuse,
        "__delattr__": refuse,
        "__eq__": lambda cls, other: real_of(cls) is real_of(other),
        "__hash__": lambda cls: hash(real_of(cls)),
        "__repr__": lambda cls: repr(real_of(cls)),
        "mro": resolution_order,
        "__bases__": property(lambda cls: real_of(cls).__bases__),
        "__base__": property(lambda cls: real_of(cls).__base__),
        "__mro__": property(lambda cls: real_of(cls).__mro__),
    }
    above = tuple(_traced_metaclass(b) for b in meta.__bases__ if issubclass(b, type))
    return type(meta.__name__, (*above, meta), body)


def _is_library(meta: type) -> bool:
    return meta.__module__ in ("builtins", "abc", "typing", "_py_abc")


def require_plain_enum(capture: SupportsCapture, cls: type[Enum]) -> None:
    """Raise NotTraceable for an enumeration whose methods see more than its members.

    Its members are one object each, so there are no copies.
    """
    for base in cls.__mro__:
        for name, member in vars(base).items():
            for f in (member, *(getattr(member, n, None) for n in ("fget", "__func__"))):
                if isinstance(f, types.FunctionType) and capture.is_users(f) and reads_outside(f):
                    raise NotTraceable(
                        f"{cls.__qualname__}.{name}() reads what could change unseen",
                        "make it a function that takes the member",
                    )
    for member in cls:
        if not is_static(member.value):
            raise NotTraceable(f"the value of {cls.__qualname__}.{member.name} could change unseen")


# Members -----------------------------------------------------------------------------------------


def _members(capture: SupportsCapture, cls: type, bases: tuple[type, ...]) -> dict[str, Any]:
    """What the copy of `cls` has of its own."""
    fields = getattr(cls, "__dataclass_fields__", ()) or getattr(cls, "_fields", ())
    inherited = {n for b in bases for c in type.mro(b) if real_of(c) is not c for n in vars(c)}
    members: dict[str, Any] = {name: Slot(name) for name in slots_of(cls)}
    for name, member in vars(cls).items():
        if name in _HOOKS:
            continue
        if name not in fields and _is_users_member(capture, member, name):
            kind = _DataMember if hasattr(type(member), "__set__") else _Member
            members[name] = kind(capture, cls, name, member)
        elif name in inherited and name not in ("__dict__", "__weakref__"):
            members[name] = member  # it comes before what the bases' copies have
    return members


def _is_users_member(capture: SupportsCapture, member: Any, name: str) -> bool:
    """Whether a class attribute is the user's, not one that Python or a library has made."""
    if isinstance(member, property):
        return any(f and _is_users_member(capture, f, name) for f in (member.fget, member.fset))
    if isinstance(member, (staticmethod, classmethod)):
        return _is_users_member(capture, member.__func__, name)
    if isinstance(member, types.FunctionType):
        file = member.__code__.co_filename
        generated = name.startswith("_") and (file == "<string>" or "<namedtuple" in file)
        return capture.is_users(member) and not generated
    made = (types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType)
    return not (name.startswith(("__", "_abc_")) or isinstance(member, made))


class _Member:
    """A class attribute of the user's, read in a trace: captured when it is first looked up."""

    def __init__(self, capture: SupportsCapture, cls: type, name: str, member: Any) -> None:
        self._name = name
        self._class = cls
        self._read = functools.cache(lambda owner: _read(capture, member, owner, name))

    def _found(self, owner: Any) -> Any:
        real = real_of(owner)
        # Of the class that is asked, which may come to have its own; super() asks a base.
        first = next((c for c in real.__mro__ if self._name in vars(c)), None)
        return self._read(real if first is self._class else self._class)

    def __get__(self, instance: Any, owner: Any) -> Any:
        value = self._found(owner)
        return value.__get__(instance, owner) if hasattr(type(value), "__get__") else value


class _DataMember(_Member):
    """One that hears of attributes that are set: a property, or a descriptor of the user's."""

    def __set__(self, instance: Any, value: Any) -> None:
        self._found(type(instance)).__set__(instance, value)


class _Cached:
    """``functools.cached_property`` in a trace: the object keeps what the function gave."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self._function, self._name = function, name

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        value = self._function(instance)
        object.__setattr__(instance, self._name, value)
        return value


def _read(capture: SupportsCapture, member: Any, cls: type, name: str) -> Any:
    """The traced stand-in for a class attribute; another one traces again."""
    expression = capture.prologue.attribute(capture.prologue.symbol(cls), name)
    path = f"{cls.__qualname__}.{name}"
    symbol = capture.prologue.symbol
    place = f"{symbol(_held_by)}({symbol(cls)}, {name!r})"
    if isinstance(member, types.FunctionType):
        capture.guard(member, expression, path)
        copy = capture.function(member)
        if name == "__setattr__":
            return lambda self, n, value: copy(self, n.removesuffix(ASSIGNED), value)
        return copy
    if hasattr(type(member), "__tracejit_function__"):
        capture.guard(member, expression, path)
        return capture.function(member.__wrapped__)
    if isinstance(member, (staticmethod, classmethod)):
        at = f"{expression}.__func__" if isinstance(member, classmethod) else expression
        inner: Any = member.__func__
        inner = inner.__wrapped__ if hasattr(type(inner), "__tracejit_function__") else inner
        if not isinstance(inner, types.FunctionType):
            raise NotTraceable(f"{path} could change unseen", "pass it as an argument")
        capture.guard(member.__func__, at, path)
        return type(member)(capture.function(inner))
    if isinstance(member, property):
        capture.guard(member, expression, path)
        parts: list[Any] = [member.fget, member.fset, member.fdel]
        if not all(f is None or isinstance(f, types.FunctionType) for f in parts):
            raise NotTraceable(f"{path} could change unseen", "pass it as an argument")
        get, put, drop = (f and capture.function(f) for f in parts)
        return property(get, put, drop)
    if isinstance(member, functools.cached_property):
        capture.guard(member, place, path)
        function: Any = member.func
        return _Cached(capture.function(function), name)
    if not hasattr(type(member), "__get__"):
        return capture.read(member, expression, path)
    if is_object(member):
        return capture.read(member, place, path)
    raise NotTraceable(f"{path} could change unseen", "pass it as an argument")


def _held_by(cls: type, name: str) -> Any:
    """The attribute of a class itself, or of a base, whatever it does when it is read."""
    return next(vars(c)[name] for c in cls.__mro__ if name in vars(c))
