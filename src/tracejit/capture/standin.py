"""What a traced function sees in place of a function: answers as the real one, but for calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class StandIn:
    """`real`, except that a call is answered by `call`: an index, of what only takes indices.

    Attributes too, where that has an `attribute` for them.
    Whatever else is asked (name, documentation, class, equality, hash, text) the real object
    answers. There is one for each real object, so that ``is`` finds it equal to itself.
    """

    __slots__ = ("_of",)

    def __init__(self, real: Any, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_of", (real, call))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _parts(self)[1](*args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        real, call = _parts(self)
        return real[key] if callable(real) else call(key)

    def __getattribute__(self, name: str) -> Any:
        real, call = _parts(self)
        attribute = getattr(type(call), "attribute", None)
        return getattr(real, name) if attribute is None else attribute(call, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_parts(self)[0], name, value)  # what has a stand-in refuses it

    def __dir__(self) -> list[str]:
        return dir(_parts(self)[0])

    def __repr__(self) -> str:
        return repr(_parts(self)[0])

    def __str__(self) -> str:
        return str(_parts(self)[0])

    def __format__(self, spec: str) -> str:
        return format(_parts(self)[0], spec)

    def __eq__(self, other: object) -> bool:
        return bool(_parts(self)[0] == real_of(other))

    def __hash__(self) -> int:
        return hash(_parts(self)[0])

    def __or__(self, other: Any) -> Any:
        return _parts(self)[0] | real_of(other)

    def __ror__(self, other: Any) -> Any:
        return real_of(other) | _parts(self)[0]

    def __copy__(self) -> StandIn:
        return self

    def __deepcopy__(self, memo: Any) -> StandIn:
        return self


def _parts(standin: StandIn) -> tuple[Any, Callable[..., Any]]:
    parts: tuple[Any, Callable[..., Any]] = object.__getattribute__(standin, "_of")
    return parts


def real_of(value: Any) -> Any:
    """What `value` stands for: the real function, module or class; else `value` itself."""
    kind = type(value)
    if kind is StandIn:
        return _parts(value)[0]
    if issubclass(kind, type):
        return type.__getattribute__(value, "__dict__").get(ORIGINAL, value)
    module = getattr(kind, "__tracejit_module__", None)
    return value if module is None else module(value)


#: The attribute of a traced copy of a class that holds the user's own.
ORIGINAL = "__tracejit_original__"
_standins: dict[int, StandIn] = {}


def stand_in_for(real: Any, call: Callable[..., Any]) -> StandIn:
    """The stand-in for `real`, made where there is none yet."""
    known = _standins.get(id(real))  # it keeps `real`, so no other object has the same id
    if known is None:
        known = _standins[id(real)] = StandIn(real, call)
    return known


def known_stand_in(value: Any) -> Any:
    """The stand-in for `value`, or `value` itself where there is none."""
    return _standins.get(id(value), value)
