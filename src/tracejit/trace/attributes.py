"""The attributes of an object in a trace: read when they are asked for, and kept until the end."""

from __future__ import annotations

from typing import Any


class Attributes(dict[str, Any]):
    """What an object's attributes are at a place of the trace.

    `loaded` ones are as they are found at the call; they come in when they are first read, and so
    they have been there before. What is another value than that was assigned.
    """

    __slots__ = ("loaded",)

    def __init__(self) -> None:
        super().__init__()
        self.loaded: dict[str, Any] = {}

    def load(self, name: str, value: Any) -> None:
        """An attribute is read at the call."""
        self[name] = self.loaded[name] = value

    def assigned(self) -> dict[str, Any]:
        """The attributes that the call leaves otherwise than it finds them."""
        nothing = object()
        return {k: v for k, v in self.items() if self.loaded.get(k, nothing) is not v}

    def before(self, known: dict[str, Any]) -> dict[str, Any]:
        """What there was when `known` ones had been read or assigned."""
        return {**known, **{k: v for k, v in self.loaded.items() if k not in known}}
