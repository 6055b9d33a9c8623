"""A path of a decorated function: the driver around the program that a trace has given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracejit.call.arguments import Description
from tracejit.call.binding import Binding
from tracejit.call.compiled import Compiled
from tracejit.call.executables import executable_of
from tracejit.call.fallback import interpreted
from tracejit.call.paths import Path
from tracejit.call.traced import TraceResult
from tracejit.capture.roots import Root
from tracejit.config import config
from tracejit.ir.graph import Graph
from tracejit.plan.callplan import TOLD, CallPlan, Runnable
from tracejit.plan.prologue import length_text, result_text
from tracejit.plan.structure import Tree
from tracejit.trace.trace import Trace


class TracedPath(Path):
    """A path of a decorated function, and what it was made for."""

    def __init__(
        self, key: Any, graph: Graph, executable: Runnable, driver: Callable[..., Any], trace: Trace
    ) -> None:
        super().__init__(key, graph, executable)
        self.driver = driver
        #: Whether the program has told, since this was asked last, that NumPy raises for values.
        self.told: list[bool] = getattr(driver, TOLD, [False])
        #: Whether NumPy has raised whenever it told so; and the last time that it took no call.
        self.is_trusted, self.has_raised = True, False
        self.device: str = key[3]
        self.names = trace.names
        self.texts: dict[str, tuple[Any, str]] = {}
        self.roots: list[Root] = trace.capture.roots
        #: The names of arguments: which of them are one.
        self.arguments: list[str] = trace.capture.arguments
        self.namespace: dict[str, Any] = trace.capture.prologue.namespace
        #: The names of objects in the driver, and the texts that read them.
        self.objects: dict[str, str] = {}
        self.cause = ""
        self.notes = dict(trace.decisions.notes)
        #: Whether the function uses shared variables.
        self.states = bool(trace.capture.states)
        #: Whether a call draws, or gives a shared variable a new value.
        self.moves = bool(trace.draws) or any(s.changed for s in trace.capture.states.values())


def compile_path(
    fn: Compiled, description: Description, trace: Trace, program: TraceResult
) -> TracedPath:
    """The path of a traced program, for arguments like these."""
    capture = trace.capture
    signature = description.signature
    binding = Binding(description, capture)
    prologue, expressions = binding.prologue, binding.expressions
    if program.changes:
        program.changes.guard(prologue)
    capture.objects.guard(prologue, bool(program.changes))
    binding.close()
    lines = binding.lines
    capture.sliced.guard(expressions, prologue)
    lines += prologue.lines
    for k, draw in enumerate(trace.draws):
        expressions[draw.result] = f"_tj_draw{k}"
    for name, constant in trace.constants.items():
        expressions[name] = prologue.symbol(constant)

    def result(outputs: Sequence[str]) -> str:
        dates = set[str]()
        texts = (_leaf_text(leaf, outputs, expressions, prologue, dates) for leaf in program.leaves)
        if not program.changes or not isinstance(program.spec, Tree):
            return result_text(program.spec, texts, prologue)
        found = [result_text(child, texts, prologue) for child in program.spec.children]
        return program.changes.text(found[0], found[1:], prologue, expressions)

    locked = sorted(program.states, key=id)  # one order for all functions
    plan = CallPlan(
        signature.parameters,
        lines,
        [expressions[node.attr[0]] for node in program.graph.inputs],
        result,
        prologue.namespace,
        program.kinds,
        [prologue.symbol(s, "s") for s in program.states],
        ", ".join(f"{prologue.symbol(s, 's')}.lock" for s in locked),
        [draw.text(expressions, prologue.symbol) for draw in trace.draws],
        program.views,
        program.numbers,
    )
    executable = executable_of(
        program.graph, trace, fn.stats, fn.__name__, plan.kinds, len(plan.states),
        compiling=bool(config.compile), budget=trace.budget.seconds,
        refused=lambda problem: interpreted(fn, problem, trace), device=description.device,
    )  # fmt: skip
    driver = executable.driver(plan)
    path = TracedPath(description.key, program.graph, executable, driver, trace)
    path.objects = binding.objects
    return path


def _leaf_text(
    leaf: tuple[str, Any],
    outputs: Sequence[str],
    expressions: dict[str, str],
    prologue: Any,
    dates: set[str],
) -> str:
    kind, what = leaf
    if kind == "dates":
        make, place = what
        name = f"_tj_dates{place}"
        if name in dates:  # one object, twice
            return name
        dates.add(name)
        return f"({name} := {prologue.symbol(make, 'r')}({outputs[place]}))"
    if kind == "output":
        return outputs[what]
    if kind == "text":
        return str(what)
    if kind == "length":
        return length_text(what, expressions)
    if kind == "made":
        make, *places = what
        return f"{prologue.symbol(make, 'r')}({', '.join(outputs[k] for k in places)})"
    return prologue.shown(expressions[what]) if kind == "input" else prologue.symbol(what, "r")
