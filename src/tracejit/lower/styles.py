"""Loops by chunks; see `lower.program.Style`. A target's own styles are in its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tracejit.ir.node import Node
from tracejit.lower.program import Loop, Runner, Style

#: Iterations of a block where a tile is interpreted: few, so that small arrays have several.
_BLOCK = 6


@dataclass(frozen=True)
class Chunk(Style):
    """By chunks of a fixed length, each of which reduces by itself; they are combined in order."""

    def words(self, name: Callable[[Node], str]) -> list[str]:
        return [*super().words(name), "chunked"]


@dataclass(frozen=True)
class Tile(Chunk):
    """By chunks that go through the loops inside in turn; it does no more by itself."""

    def words(self, name: Callable[[Node], str]) -> list[str]:
        return ["tiled"]

    def is_blocked(self) -> bool:
        return True

    def run(self, loop: Loop, first: int, last: int, runner: Runner) -> None:
        for member in loop.members:
            runner.begin(member)
        for start in range(first, last, _BLOCK):
            for member in loop.members:
                member.style.run(member, start, min(start + _BLOCK, last), runner)
