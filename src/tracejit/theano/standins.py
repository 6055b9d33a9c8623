"""What stands for names of Theano's that are not here: it says so when it is used.

A program may import a name, or a module, and never use it; so an import never fails. Calling a
stand-in, asking for its attributes or making an instance of a class derived from it raises.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from tracejit.theano.missing import MISSING


class StandIn:
    """A name that is not here. Nothing is an instance of it."""

    def __init__(self, name: str, text: str) -> None:
        self.__name__ = name.rpartition(".")[2]
        self._text = text

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(self._text)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"{self._text}; it was asked for its {name!r}")

    def __instancecheck__(self, instance: Any) -> bool:
        return False

    def __subclasscheck__(self, subclass: type) -> bool:
        return False

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        text = self._text

        def refuse(cls: type, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError(text)

        return (type(self.__name__, (), {"__new__": refuse}),)

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<missing: {self._text}>"


class StandInModule(ModuleType):
    """A module that is not here: every name in it is a `StandIn`."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self.__path__: list[str] = []
        self._text = text

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(f"{self.__name__}.{name}", f"{self.__name__}.{name}: {self._text}")

    def __dir__(self) -> list[str]:
        return []


class NamesModule(ModuleType):
    """A module of Theano's whose names are in several of ours, or among others in one of ours."""

    def __init__(self, name: str, sources: tuple[str, ...]) -> None:
        super().__init__(name, f"Names of ``{name}``.")
        self.__path__: list[str] = []
        self._sources = sources

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return dir(self)
        if name.startswith("__"):
            raise AttributeError(name)
        for source in self._sources:
            module = importlib.import_module(source)
            found = getattr(module, name, _NOTHING)
            if found is not _NOTHING and not isinstance(found, StandIn):
                return found
        child = sys.modules.get(f"{self.__name__}.{name}")
        if child is not None:
            return child
        return found_or_absent(self.__name__, name)

    def __dir__(self) -> list[str]:
        modules = map(importlib.import_module, self._sources)
        return sorted({name for m in modules for name in getattr(m, "__all__", ())})


_NOTHING = object()


def text_of(module: str, name: str) -> str:
    """What is said of a name that is not here; empty for one that nobody knows."""
    if name not in MISSING:
        return ""
    what, use = MISSING[name]
    return f"Theano's {name} is {what}, which is not available; use {use}"


def found_or_absent(module: str, name: str, like: str = "") -> Any:
    """The submodule of that name, or what stands for it: one that is `like` another.

    AttributeError for an unknown name.
    """
    if name.startswith("_"):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    child = sys.modules.get(f"{module}.{name}")
    if child is not None:
        return child
    text = text_of(module, like or name)
    if not text:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return StandIn(f"{module}.{name}", f"module {module!r} has no {name!r}: {text}")


__all__ = ["NamesModule", "StandIn", "StandInModule", "found_or_absent", "text_of"]
