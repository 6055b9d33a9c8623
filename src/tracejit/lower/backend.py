"""What a back end offers the pipeline. One back end is one folder; `cpu` is the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from tracejit.ir.graph import Graph
from tracejit.ir.node import Origin
from tracejit.lower.phases import Phase
from tracejit.lower.program import Buffer, Program

#: A graph for inputs of these layouts, in a form that computes the same and suits a back end.
GraphPass = Callable[[Graph, Mapping[str, str]], Graph]
#: Changes a program in place: its computations are placed in loops, and have no memory yet.
ProgramPass = Callable[[Program], None]


class Passes(NamedTuple):
    """What a back end does beyond the pipeline that all share, in this order.

    `graph`    before the graph is scheduled
    `program`  when all computations are placed in loops
    """

    graph: tuple[GraphPass, ...] = ()
    program: tuple[ProgramPass, ...] = ()


class Extra(NamedTuple):
    """Memory between the phases of an entry: a scalar, or something for each chunk of a `phase`.

    That is an element, or as much as the argument at the position `like` has.
    """

    buffer: Buffer
    phase: int | None = None
    like: int | None = None


@dataclass(frozen=True)
class Source:
    """Emitted source, with the origin of each of its lines.

    Its function takes the inputs in order and then `buffers`. `late` buffers, whose size depends
    on data, are made inside, in cells that it takes last. A `ranged` one also takes `extras`,
    the number of a phase, and its first and last iteration or chunk.
    """

    text: str
    origins: list[Origin | None]
    buffers: list[Buffer]
    late: list[Buffer] = field(default_factory=list)
    ranged: bool = False
    extras: list[Extra] = field(default_factory=list)

    def annotated(self) -> str:
        """The text, each statement with the user's line that it comes from."""
        lines = self.text.splitlines()
        width = min(72, max(map(len, lines), default=0) + 2)
        annotated = []
        for line, origin in zip(lines, self.origins, strict=True):
            note = f"# {origin.file.rsplit('/', 1)[-1]}:{origin.line}" if origin else ""
            annotated.append(f"{line:<{width}}{note}".rstrip())
        return "\n".join(annotated) + "\n"


class Backend(Protocol):
    """Emits a program as source, and compiles that."""

    #: What it does to graphs and programs.
    passes: Passes

    def emit(
        self, program: Program, phases: Sequence[Phase] = (), streaming: bool = False
    ) -> Source:
        """The source of `program`, or of an entry for a range of one of its `phases`.

        A `streaming` one stores results past the caches (`lower.streams`): their memory must begin
        with a line of the cache, and so must what a part gets of it.
        """
        ...

    def seconds(self, source: Source) -> float:
        """About how long `compile` takes for a source that it does not know."""
        ...

    def compile(self, source: Source, graph: Graph, layouts: Mapping[str, str]) -> tuple[Any, bool]:
        """The entry for inputs of these layouts, and whether it had to be compiled.

        An entry takes inputs and buffers, and returns 0, or another code where the arguments are
        not those it is for or NumPy would raise; with late buffers a tuple of them, or None.
        """
        ...

    def spread(self, entry: Any, divided: Sequence[bool] | None) -> Any:
        """A call of `entry` by several threads, of its arguments and a plan (`lower.threads`).

        `divided` says which arguments are cut by rows; None is for an entry for ranges.
        """
        ...
