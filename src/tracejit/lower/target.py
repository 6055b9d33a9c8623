"""What a target offers the pipeline. A target is one folder; see `lower.registry`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph
from tracejit.ir.node import Origin
from tracejit.lower.kernel.statements import Kernel
from tracejit.lower.program import Buffer, Program

if TYPE_CHECKING:
    from tracejit.lower.driver import Driver

#: A graph for inputs of these layouts, in a form that computes the same and suits a target.
GraphPass = Callable[[Graph, Mapping[str, str]], Graph]
#: Changes a program in place.
ProgramPass = Callable[[Program], None]


class Costs(NamedTuple):
    """Where a schedule draws the line, in additions where nothing else is said.

    `recompute`     a value read by several computations is stored where it costs more
    `rebroadcast`   so is one that is broadcast over an outer axis
    `largest_body`  what a loop computes at each point, at most: compilers take longer than a body
    `panels`        bytes that a loop goes through again and again, at most: of the first cache
    """

    recompute: int = 8
    rebroadcast: int = 1
    largest_body: int = 1000
    panels: int = 1 << 15


class Passes(NamedTuple):
    """What a target does beyond the pipeline that all share, in this order.

    `graph`   before the graph is scheduled
    `placed`  when all computations are placed in loops, and have no memory yet
    `stored`  when they have
    """

    graph: tuple[GraphPass, ...] = ()
    placed: tuple[ProgramPass, ...] = ()
    stored: tuple[ProgramPass, ...] = ()


@dataclass(frozen=True)
class Source:
    """A kernel and its text, with the origin of each of its lines.

    It takes the inputs in order and then `buffers`. `late` buffers, whose size depends on data, are
    made inside. `remarks` are what `explain` says of it.
    """

    kernel: Kernel
    text: str
    origins: list[Origin | None]
    buffers: list[Buffer]
    late: list[Buffer] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list, kw_only=True)

    def annotated(self) -> str:
        """The text, each statement with the user's line that it comes from."""
        lines = self.text.splitlines()
        width = min(72, max(map(len, lines), default=0) + 2)
        annotated = []
        for line, origin in zip(lines, self.origins, strict=True):
            note = f"# {origin.file.rsplit('/', 1)[-1]}:{origin.line}" if origin else ""
            annotated.append(f"{line:<{width}}{note}".rstrip())
        return "\n".join(annotated) + "\n"


class Made(NamedTuple):
    """What a target has made of a graph, for inputs of these layouts."""

    graph: Graph
    layouts: Mapping[str, str]
    program: Program
    source: Source
    entry: Any


class Launch(Protocol):
    """How large calls are run, where that is not by calling the entry once."""

    #: What there is to do that may be done otherwise, and from where on a call is large.
    works: Sequence[Dim]
    least: int
    #: Whether temporaries that are never in use together may share memory.
    shares_memory: bool

    def call(self, driver: Driver, much: str, call: str, arguments: Sequence[str]) -> str:
        """The expression whose value is the code of a call; `much` says whether it is a large one.

        `call` is that of the entry, with the `arguments`.
        """
        ...


class Target(Protocol):
    """Renders a program as a kernel, and compiles that."""

    #: What it asks of a schedule.
    costs: Costs
    #: What it does to graphs and programs.
    passes: Passes

    def render(self, program: Program) -> Source:
        """The source of `program`."""
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

    def launch(self, made: Made) -> Launch | None:
        """How large calls of an entry are run; None where they are calls like any other."""
        ...
