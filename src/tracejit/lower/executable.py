"""The pipeline from a graph to something that runs, read from top to bottom."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tracejit.config import config
from tracejit.errors import OverBudget
from tracejit.ir import build, dims, ops
from tracejit.ir.graph import Graph
from tracejit.ir.host import calls_host
from tracejit.ir.node import Node, make
from tracejit.ir.printer import to_text
from tracejit.ir.simplify import simplify
from tracejit.ir.verify import verify
from tracejit.lower.driver import OURS, Driver
from tracejit.lower.emit.values import REFUSED
from tracejit.lower.kernel.verify import verify as verify_kernel
from tracejit.lower.progress import progress
from tracejit.lower.resident import ResidentDriver, constants_of, is_on_device, kept_by_host
from tracejit.lower.schedule import schedule
from tracejit.lower.target import Made, Target
from tracejit.lower.text import to_text as program_text
from tracejit.lower.verify import verify as verify_program
from tracejit.native.hostcalls import framed
from tracejit.plan.callplan import TOLD, CallPlan
from tracejit.plan.text import commit

if TYPE_CHECKING:
    from tracejit.lower.program import Program
    from tracejit.lower.target import Source

#: Array → array, "" → scalar; a layout may end in "r" for a read-only array.
Layouts = Mapping[str, str]


class Executable:
    """A compiled graph: `source`, counts of its program, `seconds` by phase, and `driver`."""

    def __init__(
        self,
        graph: Graph,
        program: Program,
        source: Source,
        entry: Any,
        compiled: bool,
        layouts: Layouts,
        aliases: frozenset[int],
        seconds: dict[str, float],
        target: Target,
    ) -> None:
        self.graph = graph
        self.program = program
        self.emitted = source
        self.entry: Any = framed(entry) if calls_host(graph.nodes()) else entry
        self.compiled = compiled
        self.layouts = {key: layout.rstrip("r") for key, layout in layouts.items()}
        self.aliases = aliases
        self.seconds = seconds
        self.remarks = source.remarks
        self.loops = program.nests
        self.passes = program.passes
        self.temporaries = program.temporaries
        #: How large calls are run.
        self.launch = target.launch(Made(graph, layouts, program, source, self.entry))
        self.residence = target.residence

    @property
    def source(self) -> str:
        """The emitted source, each statement with the user's line that it comes from."""
        return self.emitted.annotated()

    def driver(self, plan: CallPlan) -> Callable[..., Any]:
        """A Python function of the plan's parameters: guards, allocation, the entry, the results.

        It returns MISS where the arguments do not fit.
        """
        states = plan.states
        driver = self._begun(plan)
        buffers = self.emitted.buffers
        driver.tell_halves_apart(self.layouts)
        driver.draw(plan.draws)
        outputs = self.program.graph.outputs
        results, new = outputs[: len(outputs) - len(states)], outputs[len(outputs) - len(states) :]
        homes = {
            self.program.buffers[node][0].name: state
            for node, state in zip(new, states, strict=True)
            if node not in results and new.count(node) == 1 and self.residence is None
        }
        launch = self.launch
        shares = launch is None or launch.shares_memory
        arenas = [a for a in self.program.arenas if len(a) > 1] if shares else []
        together = {b.name for arena in arenas for b in arena}
        launch = launch if launch is not None and launch.works else None
        much = driver.much(launch.works, launch.least) if launch is not None else ""
        passing = [b for b in buffers if b.is_passing]
        apart = {*homes, *together, *(b.name for b in passing)}
        plain = [b for b in buffers if b.name not in apart]
        shapes = [b.shape for b in plain if b.shape]
        if launch is None and shapes:
            driver.much(list(map(dims.product, shapes)))
        driver.allocate(plain, "", bool(shapes))
        given_back = driver.recycle(passing)
        for buffer in buffers:
            if buffer.name in homes:
                driver.reuse(buffer, homes[buffer.name])
        for arena in arenas:
            driver.share(arena)
        arguments = [
            *(driver.argument(i, bool(self.layouts[i.attr[0]])) for i in self.graph.inputs),
            *map(driver.target, buffers),
        ]
        call = f"{OURS}entry({', '.join(arguments)})"
        if launch is not None:
            call = launch.call(driver, much, call, arguments)
        told = [False]
        code, note = f"{OURS}code", f"{OURS}told"
        body = [
            f"{code} = {call}",
            f"if {code}:",
            f"    if {code} == {REFUSED}: {note}[0] = True",
            f"    return {OURS}miss",
        ]
        if self.emitted.late:
            late, names = f"{OURS}late", "".join(f"{OURS}{b.name}, " for b in self.emitted.late)
            body = [f"{late} = {call}", f"if {late} is None:", f"    return {OURS}miss"]
            body.append(f"{names} = {late}")
        texts: list[str] = []
        seen: set[Node] = set()
        for k, (node, kind) in enumerate(zip(outputs, plan.kinds, strict=True)):
            if k in self.aliases or kind in ("required", "write"):
                texts.append("")
                continue
            text = driver.result(self.program.buffers[node][0], kind)
            if node in seen and kind == "array":
                text = driver.twice(text)
            seen.add(node)
            if kind == "array" and not text.isidentifier():
                body.append(f"{OURS}result{k} = {text}")
                text = f"{OURS}result{k}"
            texts.append(text)
        for node, k in plan.numbers.items():
            body.append(f"{OURS}number{k} = {texts[k]}")
            driver.known[node] = f"{OURS}number{k}"
        made: dict[Any, str] = {}
        for k, view in plan.views.items():
            body += driver.view(view, texts, made)
            texts[k] = made[view]
        values = texts[len(results) :]
        for k, kind in enumerate(plan.kinds[: len(results)]):
            if kind in ("array", "alias"):
                texts[k] = driver.shown(texts[k], kind)
        final = plan.result(texts)
        if states:
            # What may fail comes before.
            fresh = [f"{OURS}new{k}" for k in range(len(states))]
            body += [f"{OURS}result = {final}"]
            for name, text, state, node in zip(fresh, values, states, new, strict=True):
                on_device = self.residence is not None and is_on_device(plan, state)
                home = self.program.buffers[node][0].name
                body.append(f"{name} = {driver.stored(text, on_device, home)}")
            body.append(commit(states, fresh, spare=self.residence is None))
            final = f"{OURS}result"
        elif given_back:
            body.append(f"{OURS}result = {final}")
            final = f"{OURS}result"
        body += given_back
        scope = {**plan.namespace, f"{OURS}entry": self.entry, note: told}
        function = driver.make(plan.parameters, plan.prologue, body, final, scope, plan.locks)
        setattr(function, TOLD, told)
        return function

    def _begun(self, plan: CallPlan) -> Driver:
        """The driver of a plan, for where the program has its arrays."""
        if self.residence is None:
            return Driver(self.graph, plan.inputs)
        self.entry.constants.update(constants_of(plan))
        hosts = kept_by_host(plan, self.program.graph.outputs, self.program.buffers)
        return ResidentDriver(self.graph, plan.inputs, self.residence, hosts)


def compile_graph(
    graph: Graph,
    layouts: Layouts,
    target: Target,
    *,
    name: str = "program",
    kinds: Sequence[str] | None = None,
    states: int = 0,
    budget: float = 0.0,
) -> Executable:
    """Compile `graph` for inputs of the given `layouts`.

    OverBudget where it would take more than `budget` seconds, if that is not 0.

    A layout is "C", "F", "R" (rows without gaps) or "A" for an array, with "r" appended where it is
    read-only, and "" for a scalar. `kinds` as in `CallPlan`; "alias" outputs are not
    computed; where one that is "required" is false, NumPy would raise; and a "write" is an
    `assign`, of whose result the caller's array is all there is. The last `states`
    outputs are stored in C order.
    """
    seconds: dict[str, float] = {}
    start = perf_counter()
    graph = _pass(graph, "trace", lambda g: g)
    graph = _pass(graph, "simplify", simplify)
    aliases = frozenset(k for k, kind in enumerate(kinds or ()) if kind == "alias")
    graph = _pass(graph, "own outputs", lambda g: _own_outputs(g, aliases))
    plain = {key: layout.rstrip("r") for key, layout in layouts.items()}
    program = schedule(graph, plain, target, aliases, states)
    if config.check:
        verify_program(program)
    if config.debug >= 3:
        print(f"# the program\n{program_text(program)}\n", file=sys.stderr)
    _require(program, kinds or ())
    _pass_scalars(program, kinds or ["array"] * len(graph.outputs), states)
    seconds["schedule"] = perf_counter() - start
    start = perf_counter()
    source = target.render(program)
    if config.check:
        verify_kernel(source.kernel)
    seconds["emit"] = perf_counter() - start
    if budget and (estimate := target.seconds(source)) > budget:
        raise _over_budget(program, source, estimate, budget)
    if config.debug >= 4:
        print(source.text, file=sys.stderr)
    start = perf_counter()
    with progress(name):
        entry, compiled = target.compile(source, graph, layouts)
    seconds["compile"] = perf_counter() - start
    if config.debug >= 1:
        how = "compiled" if compiled else "reused"
        print(
            f"tracejit: {name}: {how} in {seconds['compile'] * 1e3:.0f} ms, "
            f"{program.nests} loops, {program.passes} passes, {program.temporaries} temporaries",
            file=sys.stderr,
        )

    return Executable(graph, program, source, entry, compiled, layouts, aliases, seconds, target)


def _over_budget(program: Program, source: Source, estimate: float, budget: float) -> OverBudget:
    """The refusal to compile a program; its place is the line that most of it comes from."""
    error = OverBudget(
        f"compiling its {program.passes} loops and {len(source.origins)} statements would take "
        f"about {estimate:.2g} s, more than the budget of {budget:g} s",
        budget,
    )
    places = Counter(filter(None, source.origins)).most_common(1)
    error.place = places[0][0] if places else None
    return error


def _require(program: Program, kinds: Sequence[str]) -> None:
    """Let the output that is "required" be the entry's code, and nothing that it gives."""
    if "required" not in kinds:
        return
    k = kinds.index("required")
    program.required = node = program.graph.outputs[k]
    others = program.graph.outputs[:k] + program.graph.outputs[k + 1 :]
    if node not in others:  # what a target reads it from may be in memory all the same
        program.buffers[node] = [b for b in program.buffers[node] if not b.output]


def _pass_scalars(program: Program, kinds: Sequence[str], states: int) -> None:
    """Let scalars that nobody gets as an array pass through arrays of one element.

    The type of an array without axes is slow to look up.
    """
    outputs = program.graph.outputs
    kept = {
        id(b)
        for k, (node, kind) in enumerate(zip(outputs, kinds, strict=True))
        if kind == "array" or k >= len(outputs) - states
        for b in program.buffers.get(node, ())
    }
    for b in {id(b): b for bs in program.buffers.values() for b in bs}.values():
        if b.output and not b.shape and id(b) not in kept:
            b.shape = (1,)


def _pass(graph: Graph, name: str, run: Callable[[Graph], Graph]) -> Graph:
    """Run a pass, and look at what it made as the settings ask."""
    before, graph = graph, run(graph)
    if config.check:
        verify(graph, name)
    if config.debug >= 3:
        text = to_text(graph)
        same = graph is not before and text == to_text(before)
        print(
            f"# after {name}: unchanged\n" if same else f"# after {name}\n{text}\n", file=sys.stderr
        )
    return graph


def _own_outputs(graph: Graph, aliases: frozenset[int]) -> Graph:
    """Copy the outputs that are inputs; nothing is computed of those that are `aliases`."""
    outputs = []
    for k, node in enumerate(graph.outputs):
        if k in aliases:
            node = build.constant(0)
        elif node.op is ops.INPUT:
            node = make(ops.CAST, (node,), None, node.type, node.origin)
        outputs.append(node)
    return Graph(graph.inputs, tuple(outputs), graph.checks)
