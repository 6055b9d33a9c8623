"""How loops go through their iterations on a CPU; see `lower.program.Style`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tracejit.ir.node import Node
from tracejit.lower.program import Buffer, Computation, Loop, Runner, Style


@dataclass(frozen=True)
class Jam(Style):
    """Unroll and jam: a step of its own and one of each of its `copies` at a time.

    The last ones coincide, or are taken one by one, as a `remainder`.
    """

    copies: tuple[Loop, ...] = ()
    remainder: bool = False

    def words(self, name: Callable[[Node], str]) -> list[str]:
        steps = f"jam {len(self.copies) + 1}"
        return [*super().words(name), steps, *(["remainder"] if self.remainder else [])]

    def together(self) -> tuple[Loop, ...]:
        return self.copies

    def run(self, loop: Loop, first: int, last: int, runner: Runner) -> None:
        steps, count = 1 + len(self.copies), last - first
        groups = count // steps if self.remainder else -(-count // steps)
        for start in range(first, first + groups * steps, steps):
            each = enumerate((loop, *self.copies))
            runner.step(loop, {at: min(start + k, last - 1) for k, at in each})
        super().run(loop, first + groups * steps, last, runner)


@dataclass(frozen=True)
class BlockedDraws(Style):
    """With random numbers that are drawn a block at a time, into memory that stays in the cache."""

    drawn: tuple[Computation, ...] = ()

    def words(self, name: Callable[[Node], str]) -> list[str]:
        return [*super().words(name), *(f"draws {name(c.target)} by blocks" for c in self.drawn)]

    def computes(self) -> tuple[Computation, ...]:
        return self.drawn

    def run(self, loop: Loop, first: int, last: int, runner: Runner) -> None:
        for c in self.drawn:
            runner.compute(c)
        super().run(loop, first, last, runner)


@dataclass(frozen=True)
class NonTemporal(Style):
    """With `results` that an entry for large calls stores past the caches."""

    results: tuple[Buffer, ...] = ()

    def words(self, name: Callable[[Node], str]) -> list[str]:
        return [*super().words(name), "non-temporal"]
