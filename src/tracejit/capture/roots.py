"""What a trace has read outside of a function's arguments."""

from __future__ import annotations

from typing import Any, NamedTuple

from tracejit.capture.unread import Tail, UnreadList
from tracejit.plan.structure import Spec


class Root:
    """A captured value: `expression` reads it, `values` are those of its leaves in the trace."""

    __slots__ = ("expression", "nodes", "path", "spec", "values")

    def __init__(self, expression: str, path: str, spec: Spec, values: list[Any]) -> None:
        self.expression = expression
        self.path = path
        self.spec = spec
        self.values = values
        self.nodes: list[str] = []


class Snapshot(NamedTuple):
    """A container that was `built` for an `original`, and what it held."""

    path: str
    built: Any
    before: tuple[Any, ...]
    original: Any

    def content(self) -> Any:
        """What a list or a dict held; None for another container."""
        if isinstance(self.built, dict):
            half = len(self.before) // 2
            return dict(zip(self.before[:half], self.before[half:], strict=True))
        if isinstance(self.built, UnreadList):
            return Tail()
        return [*self.before] if isinstance(self.built, list) else None
