"""What a target offers the pipeline. A target is one folder; see `lower.registry`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

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


class Residence(Protocol):
    """A device's memory, for a target whose arrays stay there.

    Programs get them as shadows: arrays of NumPy's with a dtype, lengths, strides and an address,
    which may be sliced, and must not be read. A user has device arrays.
    """

    #: The device's name, and the class of its arrays, whose shadows are their attribute `array`.
    name: str
    array_class: type

    def empty(self, shape: Any, dtype: np.dtype[Any], /) -> np.ndarray:
        """A shadow with memory of its own, in C order."""
        ...

    def array(self, value: Any) -> np.ndarray | None:
        """The shadow of a user's array on this device, ours or another library's.

        None for what is no array on a device; DeviceError where it is on another one.
        """
        ...

    def made(self, array: np.ndarray, /) -> Any:
        """The device array of a shadow."""
        ...

    def wrap(self, array: Any) -> Any:
        """A result as a user gets it: of a shadow a device array, all else as it is."""
        ...

    def scalar(self, array: np.ndarray) -> Any:
        """A result without axes, from the shadow of an array with one element."""
        ...

    def number(self, array: np.ndarray) -> Any:
        """The only element of an array as a number of Python's."""
        ...

    def put(self, value: Any) -> Any:
        """A new device array with the elements of another array."""
        ...

    def host(self, value: Any) -> Any:
        """A device array as one of NumPy's, all else as it is."""
        ...

    def copy(self, shadow: np.ndarray) -> np.ndarray:
        """A shadow with the same elements in memory of its own."""
        ...

    def reshaped(self, base: np.ndarray, shape: Any) -> Any:
        """``base.reshape(shape)`` of a shadow, or of an array of the host's."""
        ...

    def stepped(self, base: np.ndarray, take: Callable[..., np.ndarray], *lengths: Any) -> Any:
        """What NumPy's `take` makes of a shadow, or of an array of the host's."""
        ...

    def mirrors(self) -> Mirrors:
        """Stand-ins on the host for device arrays, which share memory where those do."""
        ...

    def plainly(self, f: Callable[..., Any], args: Any, kwargs: Any, keep: bool) -> Any:
        """`f` called in NumPy on downloaded values: to `keep` what it writes, that is sent back."""
        ...


class Mirrors(Protocol):
    """Arrays of the host's in the place of device arrays, with what these hold."""

    def of(self, value: Any) -> np.ndarray:
        """The stand-in of a device array: the same one each time."""
        ...


class Target(Protocol):
    """Renders a program as a kernel, and compiles that."""

    #: What it asks of a schedule.
    costs: Costs
    #: What it does to graphs and programs.
    passes: Passes
    #: Where its arrays are; None where they are NumPy's.
    residence: Residence | None

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
