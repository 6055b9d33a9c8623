"""Objects of the user's classes in a trace: their attributes are read when they are asked for.

A twin stands for an object. It is an instance of the copy of its class, so methods, properties and
operators run as code; an attribute of the object comes in at its first use, and is read at each
call. What the function assigns stays in the twin, and is put into the object when all is done.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import types
from collections.abc import Callable
from typing import Any, Protocol

from tracejit.capture.bytecode import ASSIGNED, NOT_ASSIGNED
from tracejit.capture.namespace import is_library_module
from tracejit.capture.roots import Snapshot
from tracejit.capture.standin import real_of
from tracejit.capture.unread import UnreadList
from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.plan.prologue import Prologue
from tracejit.plan.structure import is_static
from tracejit.trace.attributes import Attributes
from tracejit.trace.tracer import Tracer

#: Classes of Python's own that only hold attributes.
HOLDERS: tuple[type, ...] = (types.SimpleNamespace, argparse.Namespace)
#: Where a copy of a class has the objects of its trace.
OBJECTS = "__tracejit_objects__"
_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, or like one
#: Py_TPFLAGS_IMMUTABLETYPE and DISALLOW_INSTANTIATION: made in C.
_FIXED = 1 << 8 | 1 << 7


def in_c(cls: type) -> type | None:
    """The class in C, other than ``object``, that `cls` is or is derived from; None without one."""
    for base in cls.__mro__[:-1]:
        if base is types.SimpleNamespace:
            continue
        new = vars(base).get("__new__")
        own = new is not None and not isinstance(new, (staticmethod, types.FunctionType))
        if own or not base.__flags__ & _HEAP or base.__flags__ & _FIXED:
            return base
    return None


def is_object(value: Any) -> bool:
    """Whether `value` is an instance of an ordinary class, whose attributes are all it holds."""
    cls = type(value)
    if is_static(value) or in_c(cls) is not None:
        return False
    ours = ("__tracejit_function__", "__tracejit_state__", "__tracejit_draws__")
    if any(hasattr(cls, name) for name in ours):
        return False
    return cls in HOLDERS or not is_library_module(cls.__module__)


def is_slot(cls: type, name: str) -> bool:
    """Whether objects of `cls` have a place for the attribute that is no dictionary's."""
    first = next((vars(c)[name] for c in cls.__mro__ if name in vars(c)), None)
    return isinstance(first, types.MemberDescriptorType)


def slots_of(cls: type) -> list[str]:
    """The names of the slots that the class itself adds."""
    members = {n for n, v in vars(cls).items() if isinstance(v, types.MemberDescriptorType)}
    return sorted(members - {"__dict__", "__weakref__"})


class SupportsReading(Protocol):
    """What objects are read by: a `capture.Capture`."""

    prologue: Prologue
    snapshots: list[Snapshot]
    containers: dict[int, str]

    def read(self, value: Any, expression: str, path: str, numbers: bool = False) -> Any: ...
    def elements(self, original: list[Any], expression: str, path: str) -> list[Any]: ...
    def traced_class(self, cls: type) -> type: ...


class Record:
    """An object of the caller's, or one that is made in the trace, and its twin.

    `name` is a local variable of the driver's, or other text that reads the object; `absent` are
    the attributes that it was found not to have.
    """

    def __init__(self, twin: Any, original: Any, cls: type, name: str, path: str) -> None:
        self.twin, self.original, self.cls = twin, original, cls
        self.name, self.path = name, path
        self.attributes = Attributes()
        self.absent: dict[str, None] = {}
        #: Whether the twin has its attributes here alone, as where it has no dictionary of its own.
        self.beside = False
        #: Whether it was asked for all of them.
        self.whole = False

    @property
    def is_new(self) -> bool:
        """Whether it is made in the trace."""
        return self.original is None

    def own(self, name: str) -> tuple[Any, ...]:
        """The object's own attribute, not of its class, as the only element."""
        held = getattr(self.original, "__dict__", None)
        if held is not None and name in held:
            return (held[name],)
        if is_slot(self.cls, name) and hasattr(self.original, name):
            return (getattr(self.original, name),)
        return ()


class Objects:
    """The objects of one trace."""

    def __init__(self, capture: SupportsReading) -> None:
        self._capture = capture
        self.all: list[Record] = []
        self._of_twin: dict[int, Record] = {}
        self._of_original: dict[int, Record] = {}
        #: Whether it has been asked which of them are one.
        self.told_apart = False
        self._names = 0
        self._lists: dict[int, tuple[UnreadList, list[Any], str]] = {}
        self._texts: list[str] = []

    def attributes(self) -> list[Attributes]:
        """What all of them hold."""
        return [record.attributes for record in self.all]

    def record(self, twin: Any) -> Record | None:
        """What is known of a twin; None for another value."""
        return self._of_twin.get(id(twin))

    def forget(self) -> None:
        """Let the caller's objects go."""
        self._of_original.clear()
        self._lists.clear()
        for record in self.all:
            record.original, record.twin = (), None
        self.all.clear()
        self._of_twin.clear()

    def _name(self, stem: str) -> str:
        self._names += 1
        return f"_tj_{stem}{self._names}"

    def twin(self, original: Any, path: str) -> tuple[Any, str]:
        """What stands for an object, one for each, and its name in the driver."""
        known = self._of_original.get(id(original))
        if known is None:
            cls = type(original)
            own: Any = cls.__getattribute__
            if own is not object.__getattribute__ and cls not in HOLDERS:
                raise NotTraceable(
                    f"{cls.__qualname__} has its own __getattribute__", "use __getattr__"
                )
            made = _make(self._capture.traced_class(cls))
            known = self._keep(Record(made, original, cls, self._name("obj"), path))
        return known.twin, known.name

    def make(self, kind: Any, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A new object of a class, by its ``__init__``."""
        base = in_c(cls)
        if base is not None:
            raise NotTraceable(
                f"{cls.__qualname__} is derived from {base.__qualname__}, a class in C",
                "let it have one as an attribute",
            )
        if any("__new__" in vars(c) for c in cls.__mro__[:-1]) and cls not in HOLDERS:
            raise NotTraceable(f"{cls.__qualname__} has its own __new__", "use __init__")
        if cls.__init__ is object.__init__ and (args or kwargs):
            raise TypeError(f"{cls.__name__}() takes no arguments")
        if getattr(cls, "__abstractmethods__", None):
            object.__new__(cls)  # raises what Python raises
        twin = self.empty(kind, cls)
        if cls is types.SimpleNamespace and not args:
            self._of_twin[id(twin)].attributes.update(kwargs)
        else:
            kind.__init__(twin, *args, **kwargs)
        return twin

    def empty(self, kind: Any, cls: type) -> Any:
        """A new object of a class, without attributes."""
        twin = _make(kind)
        self._keep(Record(twin, None, cls, self._name("new"), f"a new {cls.__name__}"))
        return twin

    def _keep(self, record: Record) -> Record:
        twin = record.twin
        record.beside = not _has_dict(twin) or isinstance(twin, types.SimpleNamespace)
        if not record.beside:
            object.__setattr__(twin, "__dict__", record.attributes)
        self.all.append(record)
        self._of_twin[id(twin)] = record
        if not record.is_new:
            self._of_original[id(record.original)] = record
        return record

    def list(self, original: list[Any], expression: str, path: str) -> UnreadList:
        """What stands for a list that is an attribute."""
        known = self._lists.get(id(original))
        if known is None:
            made = UnreadList(self._capture, original, expression, path)
            known = self._lists[id(original)] = made, original, expression
            self._capture.snapshots.append(Snapshot(path, made, (), original))
            self._capture.containers[id(made)] = expression
            self._texts.append(f"type({expression}) is not list")
        else:
            self._texts.append(f"{expression} is not {known[2]}")
        return known[0]

    # What twins ask ----------------------------------------------------------------------------

    def load(self, twin: Any, name: str) -> None:
        """Let a twin have the attribute, if its object has it."""
        record = self._of_twin.get(id(twin))
        if record is None or record.is_new or name in record.attributes or name in record.absent:
            return
        if name.startswith("__") and name.endswith("__"):
            return
        found = record.own(name)
        if not found:
            record.absent[name] = None
            return
        expression = self._capture.prologue.attribute(record.name, name)
        value = self._capture.read(found[0], expression, f"{record.path}.{name}", numbers=True)
        record.attributes.load(name, value)

    def assigning(self, twin: Any, name: str) -> None:
        """An attribute is about to be set: what is there before may be a loop's first value."""
        if build.solver().may_go_back():
            self.load(twin, name)

    def whole(self, record: Record) -> Attributes:
        """All attributes of an object."""
        if not (record.is_new or record.whole):
            held = getattr(record.original, "__dict__", {})
            slots = [n for c in record.cls.__mro__ for n in slots_of(c)]
            for name in (*held, *slots):
                self.load(record.twin, name)
            record.whole = True
        return record.attributes

    def names(self) -> frozenset[str]:
        """The local variables of the driver that have objects."""
        return frozenset(r.name for r in self.all if r.name.isidentifier())

    def guard(self, prologue: Prologue, changed: bool) -> None:
        """Leave where objects have attributes that they had not.

        Or, if anything is changed, where some are one that were several.
        """
        for text in self._texts:
            prologue.miss_if(text)
        old = [r for r in self.all if not r.is_new]
        for record in old:
            names = [n for n in record.absent if not is_slot(record.cls, n)]
            if names and hasattr(record.original, "__dict__"):
                held = prologue.assign(f"{record.name}.__dict__")
                for name in names:
                    prologue.miss_if(f"{prologue.symbol(name)} in {held}")
            if record.whole and hasattr(record.original, "__dict__"):
                held = prologue.assign(f"{record.name}.__dict__")
                prologue.miss_if(f"len({held}) != {len(vars(record.original))}")
            for name in record.absent:
                if is_slot(record.cls, name):
                    prologue.miss_if(f"hasattr({record.name}, {prologue.symbol(name)})")
        same: dict[type, list[Record]] = {}
        for record in old:
            same.setdefault(record.cls, []).append(record)
        for group in same.values() if changed or self.told_apart else ():
            every = ", ".join(r.name for r in group)
            if len(group) == 2:
                prologue.miss_if(f"{group[0].name} is {group[1].name}")
            elif len(group) > 2:
                prologue.miss_if(f"len({{*map({prologue.symbol(id)}, ({every}))}}) != {len(group)}")


def _has_dict(twin: Any) -> bool:
    try:
        object.__getattribute__(twin, "__dict__")
    except AttributeError:
        return False
    return True


def _make(kind: Any) -> Any:
    holder = issubclass(kind, types.SimpleNamespace)
    return types.SimpleNamespace.__new__(kind) if holder else object.__new__(kind)


def objects_of(twin: Any) -> Objects | None:
    """The objects of the trace that a twin is of."""
    found: Objects | None = getattr(type(twin), OBJECTS, None)
    return found


class Twin:
    """The base of the copies of classes: attributes of the object are read, and kept."""

    __slots__ = ()
    #: Pieces of a trace look at attributes, and not at the object.
    __tracejit_fixed__ = True

    def __init_subclass__(cls) -> None:
        """The user's own must not hear of copies."""

    def __getattribute__(self, name: str) -> Any:
        objects = objects_of(self)
        if objects is not None and (record := objects.record(self)) is not None:
            if name == "__dict__":
                return objects.whole(record)
            objects.load(self, name)
            if record.beside and name in record.attributes:
                return record.attributes[name]
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        name = name.removesuffix(ASSIGNED)
        cls = type(self)
        params = getattr(cls, "__dataclass_params__", None)
        if params is not None and params.frozen:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        objects = objects_of(self)
        record = None if objects is None else objects.record(self)
        if objects is not None and record is not None:
            objects.assigning(self, name)
            if issubclass(record.cls, types.SimpleNamespace):
                record.attributes[name] = value
                return
        else:
            raise NotTraceable(f"the function sets {name} of a {cls.__qualname__}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise NotTraceable(f"the function deletes the attribute {name}", "set it to None")

    def __repr__(self) -> str:
        if real_of(type(self)).__repr__ in (object.__repr__, types.SimpleNamespace.__repr__):
            raise NotTraceable("the text of an object is asked for", "write a __repr__")
        return super().__repr__()

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Twin) and (objects := objects_of(self)) is not None:
            objects.told_apart = True
        return super().__eq__(other)

    def __hash__(self) -> int:
        if (objects := objects_of(self)) is not None:
            objects.told_apart = True
        return super().__hash__()

    def __copy__(self) -> Any:
        return _copied(self, lambda value: value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return _copied(self, lambda value: copy.deepcopy(value, memo))


def _copied(twin: Any, of: Callable[[Any], Any]) -> Any:
    """A new object with what is made `of` the attributes of another one."""
    objects = objects_of(twin)
    record = None if objects is None else objects.record(twin)
    if objects is None or record is None:
        raise NotTraceable(f"a {type(twin).__qualname__} is copied in the traced function")
    held = objects.whole(record)
    made = objects.empty(type(twin), record.cls)
    known = objects.record(made)
    assert known is not None
    known.attributes.update({name: of(value) for name, value in held.items()})
    return made


class Slot:
    """A slot of a class, in its copy: where the attribute is kept."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, twin: Any, owner: Any) -> Any:
        if twin is None:
            return self
        held = _held(twin)
        if self._name not in held:
            raise AttributeError(self._name)
        return held[self._name]

    def __set__(self, twin: Any, value: Any) -> None:
        _held(twin)[self._name] = value


def _held(twin: Any) -> Attributes:
    objects = objects_of(twin)
    record = None if objects is None else objects.record(twin)
    if record is None:
        raise NotTraceable("an object with slots that is no part of the trace")
    return record.attributes


class _NotAssigned:
    """What refuses that an attribute of an array, or of what stands for one, is assigned."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __set__(self, array: Any, value: Any) -> None:
        raise NotTraceable(f"the function assigns the attribute {self._name} of an array")


for _name in NOT_ASSIGNED:
    setattr(Tracer, f"{_name}{ASSIGNED}", _NotAssigned(_name))
