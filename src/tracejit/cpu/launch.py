"""How large calls are run on a CPU: by several threads, and with results stored past the caches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tracejit.config import config
from tracejit.cpu import threads
from tracejit.cpu.emit.emitter import emit, printed
from tracejit.cpu.passes.phases import Phase, phases
from tracejit.cpu.passes.sharing import TEAM, USUAL, shared
from tracejit.cpu.passes.split import Split, split
from tracejit.cpu.source import CPUSource
from tracejit.cpu.styles import NonTemporal
from tracejit.ir import dims
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph
from tracejit.ir.host import calls_host
from tracejit.ir.scalars import GIVEN
from tracejit.lower.driver import OURS, Driver
from tracejit.lower.kernel.verify import verify
from tracejit.lower.program import has_loops, known_steps, known_work
from tracejit.lower.target import Made, Source
from tracejit.lower.writes import written
from tracejit.native import team
from tracejit.native.apart import imported

#: See `CPU.compile`.
Compile = Callable[[Source, Graph, Mapping[str, str]], tuple[Any, bool]]


def launch(compile: Compile, made: Made) -> Launch | Inside | None:
    """How several threads share a call of an entry: divided by rows of its arrays, or in phases, or
    loop by loop; None where they do not.

    The entries that this takes are made with `compile` when they are first needed.
    """
    if calls_host(
        made.graph.nodes()
    ):  # they are made once, by the thread that keeps what they give
        return None
    # What writes into arguments, branches, or may be left before the end is one call.
    inside = bool(written(made.graph)) or bool(made.program.controls or made.program.decisions())
    if inside or any(node.op is GIVEN for node in made.graph.nodes()):
        assert isinstance(made.source, CPUSource)
        return Inside(compile, made) if has_loops(made.program) else None
    division = None if made.source.late else split(made.program)
    divided = phases(made.program) if division is None else [division.phase]
    return None if divided is None else Launch(compile, made, division, divided)


class Launch:
    """A call that is divided into `phases`, and each of these into parts, where there is much."""

    def __init__(
        self, compile: Compile, made: Made, division: Split | None, divided: Sequence[Phase]
    ) -> None:
        self.compile, self.made = compile, made
        self.division, self.phases = division, divided
        #: Rows of arrays of several widths do not divide alike.
        self.shares_memory = division is None
        first = len(made.graph.inputs)
        streams = self._streams() if division is not None else set()
        self.shared = threads.Shared(
            made.entry,
            threads.Later(self._spread),
            division is not None,
            threads.Later(self._spread_streaming),
            [first + k for k, b in enumerate(made.source.buffers) if id(b) in streams],
        )

    @property
    def works(self) -> Sequence[Dim]:
        """What the phases do that may be divided."""
        return [p.work for p in self.phases if p.rows != 0]

    @property
    def least(self) -> int:
        """From so much on a call is worth dividing."""
        return threads.LEAST_WORK

    def call(self, driver: Driver, much: str, call: str, arguments: Sequence[str]) -> str:
        """The call of the entry that several threads share, where there is enough to do."""
        driver.namespace[f"{OURS}shared"] = self.shared
        pairs = "".join(
            f"({driver.dim(p.rows)}, {driver.dim(p.work)}, "
            f"{-1 if p.chunked is None else driver.dim(p.chunked)}, {p.tiled}), "
            for p in self.phases
        )
        divided = f"{OURS}shared(({pairs}), ({', '.join(arguments)},))"
        return f"({divided} if {much} else {call})"

    def _streams(self) -> set[int]:
        """The results that may be stored past the caches."""
        styles = [loop.get(NonTemporal) for loop in self.made.program.all_loops()]
        return {id(b) for style in styles if style is not None for b in style.results}

    def _spread(self) -> threads.Spread:
        """The entry for several threads, and what it needs between phases."""
        spread = imported("tracejit.cpu.compiling.spread").spread
        if self.division is not None:
            return spread(self.made.entry, self._divided(self.division)), []
        source = emit(self.made.program, self.phases)
        entry, _ = self.compile(source, self.made.graph, self.made.layouts)
        extras = [(e.buffer.node.dtype, e.phase, e.like) for e in source.extras]
        return spread(entry, None), extras

    def _spread_streaming(self) -> threads.Spread:
        """The same for an entry whose results are stored past the caches."""
        spread = imported("tracejit.cpu.compiling.spread").spread
        assert self.division is not None
        source = emit(self.made.program, streaming=True)
        entry, _ = self.compile(source, self.made.graph, self.made.layouts)
        return spread(entry, self._divided(self.division)), []

    def _divided(self, division: Split) -> list[bool]:
        """Which arguments of the entry are divided by rows."""
        divided = [node.attr[0] in division.inputs for node in self.made.graph.inputs]
        return divided + [True] * len(self.made.source.buffers)


class Inside:
    """A call whose loops threads share one by one: it goes on as its statements say."""

    shares_memory = True

    def __init__(self, compile: Compile, made: Made) -> None:
        self.compile, self.made = compile, made
        own = None if made.program.controls else known_work(made.program)
        inputs = [node.shape for node in made.graph.inputs if made.layouts[node.attr[0]]]
        shapes = [*inputs, *(buffer.shape for buffer in made.source.buffers)]
        #: Where not all is known, a statement of a loop seldom has more to do than the arrays have
        #: elements, a few times. (What writes a row of a large array has less.)
        self.works = [dims.product(shape) for shape in shapes if shape] if own is None else [own]
        #: The additions that one of these stands for.
        self.each = USUAL if own is None else 1
        self.least = threads.LEAST_SHARED // self.each
        self.inside = threads.Inside(made.entry, threads.Later(self._shared))
        #: How often it goes through its loops, as far as that is known before.
        self.steps = dims.add(1, known_steps(made.program))

    def call(self, driver: Driver, much: str, call: str, arguments: Sequence[str]) -> str:
        """The call of the entry whose loops threads share, where arrays are large."""
        driver.namespace[f"{OURS}inside"] = self.inside
        work = f"{OURS}work * ({driver.dim(self.steps)})"
        if self.each < USUAL:
            work = f"{work} // {USUAL // self.each}"
        return f"({OURS}inside({work}, {', '.join(arguments)}) if {much} else {call})"

    def _shared(self) -> Any:
        """The entry whose loops are shared, which needs nothing else; None where there is none."""
        source = self.made.source
        assert isinstance(source, CPUSource)
        kernel = shared(source.kernel, threads.LEAST_SHARED) if team.runner() else None
        if kernel is None:
            return None, []
        if config.check:
            verify(kernel)
        found = printed(kernel, source.buffers, source.late)
        found.calls[TEAM] += 1
        found = replace(found, shared=True)
        return self.compile(found, self.made.graph, self.made.layouts)[0], []
