"""Source for the CPU: also of entries for a range of a phase."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from tracejit.lower.program import Buffer
from tracejit.lower.target import Source


class Extra(NamedTuple):
    """Memory between the phases of an entry: a scalar, or something for each chunk of a `phase`.

    That is an element, or as much as the argument at the position `like` has.
    """

    buffer: Buffer
    phase: int | None = None
    like: int | None = None


@dataclass(frozen=True)
class CPUSource(Source):
    """A kernel for the CPU, which takes the cells of `late` buffers last.

    `calls` counts the functions that it calls. A `ranged` one also takes `extras`, the number of a
    phase, and its first and last iteration or chunk; a `shared` one the number of threads, before
    the cells.
    """

    calls: Counter[str] = field(default_factory=Counter)
    ranged: bool = False
    shared: bool = False
    extras: list[Extra] = field(default_factory=list)
