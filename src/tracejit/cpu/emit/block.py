"""Emitted source under construction: nested blocks of lines, each line with its origin."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracejit.ir.node import Origin
from tracejit.lower.access import Point


@dataclass(frozen=True, slots=True)
class Line:
    """A statement and the user's line that it comes from."""

    text: str
    origin: Origin | None = None


@dataclass(eq=False, slots=True)
class Block:
    """A `header` (``for …:``) over statements; `known` names the values computed in it."""

    header: str = ""
    body: list[Line | Block] = field(default_factory=list)
    known: dict[Point, str] = field(default_factory=dict)

    def add(self, text: str, origin: Origin | None = None) -> None:
        """Append a statement."""
        self.body.append(Line(text, origin))

    def insert(self, text: str, origin: Origin | None, inner: Block | None) -> None:
        """Put a statement before the open block `inner`, or at the end."""
        if inner is None:
            self.body.append(Line(text, origin))
        else:
            # An open block is the last of its parent's items.
            self.body.insert(len(self.body) - 1, Line(text, origin))

    def lines(self, indent: int = 0) -> list[tuple[str, Origin | None]]:
        """The block as text lines; a block without statements disappears."""
        inside = indent + 1 if self.header else indent
        result: list[tuple[str, Origin | None]] = []
        for item in self.body:
            if isinstance(item, Block):
                result.extend(item.lines(inside))
            else:
                result.append(("    " * inside + item.text, item.origin))
        if self.header and result:
            result.insert(0, ("    " * indent + self.header, None))
        return result
