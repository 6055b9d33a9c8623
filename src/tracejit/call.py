"""The slow path of a call: describe the arguments, find a path, or trace and compile a new one."""

from __future__ import annotations

import functools
import os
import threading
import time
import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tracejit import shortcut
from tracejit.arguments import Description, storage_of, texts_of
from tracejit.caller import OTHERS
from tracejit.capture import Capture, Root
from tracejit.config import config, settings
from tracejit.dispatch import (
    Interpreted,
    Signature,
    is_length,
    length_text,
    result_text,
)
from tracejit.errors import MISS, NotTraceable, take_refusal
from tracejit.explain import log
from tracejit.fallback import (
    RandomGuard,
    Refusal,
    bound_to,
    interpreted,
    raised,
    raised_by_copy,
    refuse,
    run_plain,
)  # fmt: skip
from tracejit.ir import alias, build
from tracejit.ir.graph import Graph
from tracejit.ir.printer import to_text
from tracejit.ir.stabilise import stabilised
from tracejit.ir.verify import verify
from tracejit.retrace import cause_of, promote_changed_numbers
from tracejit.sharing import shared
from tracejit.structure import (
    ARRAY,
    SCALAR,
    Container,
    Leaf,
    Spec,
    Static,
    children_of,
    flatten,
)
from tracejit.trace import Trace, current
from tracejit.variable import Variable

if TYPE_CHECKING:
    from tracejit.function import Function

MAX_PATHS = 256
MAX_RECENT = 4
# Nodes are hash-consed in one table, so one trace runs at a time.
_lock = threading.RLock()


def trace_lock() -> threading.RLock:
    """The lock under which a trace runs."""
    return _lock


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class Path:
    """One compiled version of a function, and what it was made for."""

    def __init__(
        self, key: Any, graph: Graph, executable: Any, driver: Callable[..., Any], trace: Trace
    ) -> None:
        self.key = key
        self.graph = graph
        self.executable = executable
        self.driver = driver
        self.names = trace.names
        self.texts: dict[str, tuple[Any, str]] = {}
        self.roots: list[Root] = trace.capture.roots
        self.namespace: dict[str, Any] = trace.capture.prologue.namespace
        self.cause = ""
        #: Whether the function uses shared variables.
        self.states = bool(trace.capture.states)
        #: Whether a call draws, or gives a shared variable a new value.
        self.moves = bool(trace.draws) or any(s.changed for s in trace.capture.states.values())


def call(fn: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call `fn`: inlined into a running trace, by a path, or in plain NumPy."""
    active = current()
    if active is not None:
        return active.capture.function(fn.__wrapped__)(*args, **kwargs)
    now = settings()
    if now.debug < 2:
        # Functions are often called with a few kinds of arguments in turn.
        for path in fn._recent:
            if path.key[0] == now.compile:
                try:
                    result = path.driver(*args, **kwargs)
                except OTHERS:
                    continue
                if result is not MISS:
                    _put_first(fn, path)
                    return result
    return _call(fn, args, kwargs)[1]


def _put_first(fn: Function, path: Path) -> None:
    """`path` is the next call's best guess."""
    if not fn._recent or fn._recent[0] is not path:
        others = [p for p in fn._recent if p is not path]
        fn._recent = (path, *others[: MAX_RECENT - 1])
    fn._ask(path.driver, settings() if config.debug < 2 else None)


def path_for(fn: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Path:
    """The path that these arguments take, which is not run.

    UnsupportedError where they run in plain NumPy.
    """
    description = _description(fn, args, kwargs)
    if isinstance(description, Description):
        with _lock:
            found = _path_of(fn, description)
        if isinstance(found, Path):
            return found
        run_plain(fn, found, "error", args, kwargs, description.key)
    elif description is not None:
        refuse(fn, description, "error", args, kwargs)
    fn.__wrapped__(*args, **kwargs)
    raise AssertionError("the arguments do not bind")


def _description(
    fn: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Description | Refusal | None:
    """What the arguments are; None where they are none of this function's."""
    if fn._signature is None or not fn._signature.is_of(fn.__wrapped__):
        if fn._signature is not None:  # what was refused was another function
            fn._refused.clear()
            fn._shortcuts = ()
        fn._signature = Signature(fn.__wrapped__)
    try:
        bound = fn._signature.bind(*args, **kwargs)
    except TypeError:
        return None
    try:
        return Description(fn._signature, bound, fn.convert_arrays)
    except NotTraceable as problem:
        problem.forget()
        return Refusal(problem, fn.__wrapped__)


def _call(fn: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Path | None, Any]:
    description = _description(fn, args, kwargs)
    if description is None:
        return None, fn.__wrapped__(*args, **kwargs)  # raises Python's own message
    mode = fn.on_unsupported or config.on_unsupported
    if isinstance(description, Refusal):
        shortcut.note_argument(fn, description, args, kwargs, mode)
        return None, refuse(fn, description, mode, args, kwargs)
    path, result = _try_paths(fn, description)
    if path is None:
        refusal = fn._refused.get(description.key)
        if refusal is not None and refusal.holds():
            shortcut.note(fn, refusal, description, mode)
            return None, refuse(fn, refusal, mode, args, kwargs)
        with _lock:
            path, result = _try_paths(fn, description)  # another thread may have been faster
            if path is None:
                new = _new_path(fn, description)
        if path is None:
            if isinstance(new, Path):
                path, result = new, _run(fn, new, description)
                if result is MISS:
                    # A path that refuses the arguments it was made for met a value at which NumPy
                    # raises; the plain run says so. Where there is none, a second trace does, which
                    # finds the same path.
                    refusal = Refusal(None, fn.__wrapped__)
                    if path.states or refusal.bound:
                        with _lock:
                            again = _new_path(fn, description)
                        refusal = again if isinstance(again, Refusal) else refusal
                    new = refusal
            if isinstance(new, Refusal):
                if isinstance(new.problem, NotTraceable):
                    shortcut.note(fn, new, description, mode)
                return None, run_plain(fn, new, mode, args, kwargs, description.key)
    assert path is not None
    _put_first(fn, path)
    return path, result


def _try_paths(fn: Function, description: Description) -> tuple[Path | None, Any]:
    for path in reversed(fn._paths.get(description.key, ())):
        result = _run(fn, path, description)
        if result is not MISS:
            return path, result
    return None, MISS


def _run(fn: Function, path: Path, description: Description) -> Any:
    start = time.perf_counter()
    result = description.call(path.driver)
    if config.debug >= 2 and result is not MISS:
        log(f"run {fn.__name__}: {(time.perf_counter() - start) * 1e6:.1f} µs")
    return result


# Tracing ----------------------------------------------------------------------------------------


def _new_path(fn: Function, description: Description) -> Path | Refusal:
    """Trace and compile `fn` for these arguments, which no known path takes."""
    traced = _traced(fn, description)
    if isinstance(traced, Refusal):
        return traced
    if _known_path(fn, description, traced) is None:
        return _compiled(fn, description, traced)
    fn.stats.traces += 1
    trace, program = traced
    refusal = Refusal(None, fn.__wrapped__, trace)
    problem = raised(program.graph.outputs, trace.values) if refusal.bound else None
    return refusal if problem is None else Refusal(problem, fn.__wrapped__, trace)


def _traced(fn: Function, description: Description) -> tuple[Trace, _Program] | Refusal:
    start = time.perf_counter()
    promote_changed_numbers(fn)
    trace = Trace(0.0 if bound_to(fn.__wrapped__) else config.budget)
    guard = RandomGuard()
    take_refusal()
    capture = Capture(trace, fn.__wrapped__, fn._dynamic)
    try:
        with build.use_solver(trace):
            program = _run_trace(fn, description, capture)
        guard.check()
    except BaseException as problem:
        swallowed = take_refusal()
        if not isinstance(problem, Exception) and not raised_by_copy(problem):
            raise
        return Refusal(swallowed or problem, fn.__wrapped__, trace)
    finally:
        capture.release()
        guard.restore()
    seconds = time.perf_counter() - start
    fn.stats.seconds["trace"] += seconds
    if config.debug >= 1:
        log(f"trace {fn.__name__}: {seconds * 1e3:.1f} ms, {len(program.graph.nodes())} nodes")
    return trace, program


def _path_of(fn: Function, description: Description) -> Path | Refusal:
    """The path for these arguments, known or new."""
    traced = _traced(fn, description)
    if isinstance(traced, Refusal):
        return traced
    path = _known_path(fn, description, traced) or _compiled(fn, description, traced)
    traced[0].forget()
    return path


def _known_path(
    fn: Function, description: Description, traced: tuple[Trace, _Program]
) -> Path | None:
    """The path that has been compiled from this trace's like."""
    trace, program = traced
    for path in fn._paths.get(description.key, ()):
        if _equal(path.graph, program.graph) and _same_reads(path.roots, trace.capture.roots):
            return path
    return None


def _compiled(
    fn: Function, description: Description, traced: tuple[Trace, _Program]
) -> Path | Refusal:
    trace, program = traced
    fn.stats.traces += 1
    try:
        path = _compile(fn, description, trace, program)
    except Exception as problem:
        return Refusal(problem, fn.__wrapped__, trace, compiling=True)
    path.texts = texts_of(description)
    path.cause = cause_of(fn, path, trace.values)
    _keep(fn, path)
    return path


def _equal(a: Graph, b: Graph) -> bool:
    """Whether two graphs, of different traces, compute the same."""
    return to_text(a) == to_text(b)


def _same_reads(a: list[Root], b: list[Root]) -> bool:
    return [(r.path, r.spec) for r in a] == [(r.path, r.spec) for r in b]


class _Program:
    """What a trace gave: the graph, its outputs' kinds, and text that builds the result."""

    def __init__(self, graph: Graph, kinds: list[str], spec: Spec, leaves: list[Any]) -> None:
        self.graph = graph
        self.kinds = kinds
        self.spec = spec
        self.leaves = leaves
        self.inputs: list[str] = []
        self.views: dict[int, alias.View] = {}
        #: Containers whose new values are the last outputs.
        self.states: list[Any] = []


def _run_trace(fn: Function, description: Description, capture: Capture) -> _Program:
    copy = capture.function(fn.__wrapped__)
    leaves, names, signature = iter(description.values), list[str](), description.signature
    arguments = [
        capture.rebuild(spec, leaves, names, name, value, local)
        for name, local, spec, value in zip(
            signature.names, signature.locals, description.specs, description.bound, strict=True
        )
    ]
    result = signature.recall(copy, *arguments)
    swallowed = take_refusal()
    if swallowed is not None:
        raise swallowed
    capture.verify_unchanged()
    values: list[Variable] = []
    places: dict[int, int] = {}
    texts: list[Any] = []

    def leaf(value: Any, path: str) -> Leaf | None:
        known = capture.handles.get(id(value))
        if known is not None:
            texts.append(("input", known[1]))
            return ARRAY
        if isinstance(value, Variable):
            if value.kind == "number" and is_length(value.node):
                texts.append(("length", value.node))
            else:
                if id(value) not in places:
                    places[id(value)] = len(values)
                    values.append(value)
                texts.append(("output", places[id(value)]))
            return ARRAY
        if id(value) in capture.containers:
            texts.append(("text", capture.containers[id(value)]))
            return ARRAY
        if isinstance(value, np.generic):
            texts.append(("value", value))
            return SCALAR
        if isinstance(value, np.ndarray):
            raise NotTraceable(
                f"{path} is an array that was made without traced values, and would be frozen",
                "make it outside the function",
            )
        if children_of(value) is None:
            original = capture.original(value)
            if original is value and isinstance(value, (types.FunctionType, functools.partial)):
                raise NotTraceable(f"{path} is a function made inside the traced one")
            if original is not value or (callable(value) and not isinstance(value, type)):
                texts.append(("value", original))
                return SCALAR
        return None

    spec = _with_original_classes(flatten(result, "the result", leaf), capture)
    views, bases = shared(values)
    outputs = [*(v.node for v in values), *bases]
    kinds = ["alias" if k in views else v.kind for k, v in enumerate(values)]
    kinds += ["array"] * (len(outputs) - len(kinds))
    if fn.stabilise:
        outputs = stabilised(outputs)
    changed = [s for s in capture.states.values() if s.changed]
    graph = capture.trace.graph([*outputs, *(s.node for s in changed)])
    program = _Program(graph, [*kinds, *("array" for _ in changed)], spec, texts)
    program.inputs, program.views = names, views
    program.states = [s.container for s in changed]
    return program


def _with_original_classes(spec: Spec, capture: Capture) -> Spec:
    if not isinstance(spec, Container):
        return spec
    children = tuple(_with_original_classes(c, capture) for c in spec.children)
    keys = spec.keys
    if spec.kind == "dict":
        keys = tuple(Static(capture.original(k.value)) for k in spec.keys)
    return spec._replace(cls=capture.original(spec.cls), keys=keys, children=children)


def _compile(fn: Function, description: Description, trace: Trace, program: _Program) -> Path:
    capture = trace.capture
    prologue, signature = capture.prologue, description.signature
    prologue.namespace.update(signature.defaults)
    leaves = iter(description.values)
    read: list[str] = []
    for name, spec in zip(signature.locals, description.specs, strict=True):
        read += prologue.unpack(spec, name, leaves)
    prologue.flush()
    expressions = dict(zip(program.inputs, read, strict=True))
    lines, prologue.lines = prologue.lines, []
    for root in capture.roots:
        names = prologue.unpack(root.spec, root.expression, iter(root.values))
        expressions.update(zip(root.nodes, names, strict=True))
        root.values = []  # arrays of this call, which the path must not keep
    prologue.flush()
    if prologue.lines:
        # What is captured may have been deleted, or be of another structure.
        lines += ["try:", *(f"    {line}" for line in prologue.lines)]
        lines += ["except (LookupError, AttributeError, TypeError, ValueError): return MISS"]
    for k, draw in enumerate(trace.draws):
        expressions[draw.result.attr[0]] = f"_tj_draw{k}"
    for name, constant in trace.constants.items():
        expressions[name] = prologue.symbol(constant)

    def result(outputs: Sequence[str]) -> str:
        texts = (_leaf_text(leaf, outputs, expressions, prologue) for leaf in program.leaves)
        return result_text(program.spec, texts, prologue)

    executable = _executable(fn, trace, program)
    locked = sorted(program.states, key=id)  # one order for all functions
    drawn = [draw.text(expressions, prologue.symbol) for draw in trace.draws]
    driver = executable.driver(
        signature.parameters,
        lines,
        [expressions[node.attr[0]] for node in program.graph.inputs],
        result,
        prologue.namespace,
        program.kinds,
        [prologue.symbol(s, "s") for s in program.states],
        ", ".join(f"{prologue.symbol(s, 's')}.lock" for s in locked),
        drawn,
        program.views,
    )
    for phase, seconds in executable.seconds.items():
        fn.stats.seconds[phase] = fn.stats.seconds.get(phase, 0.0) + seconds
    fn.stats.loops, fn.stats.passes = executable.loops, executable.passes
    fn.stats.temporaries = executable.temporaries
    return Path(description.key, program.graph, executable, driver, trace)


def _leaf_text(
    leaf: tuple[str, Any], outputs: Sequence[str], expressions: dict[str, str], prologue: Any
) -> str:
    kind, what = leaf
    if kind == "output":
        return outputs[what]
    if kind == "text":
        return str(what)
    if kind == "length":
        return length_text(what, expressions)
    return expressions[what] if kind == "input" else prologue.symbol(what, "r")


def _executable(fn: Function, trace: Trace, program: _Program) -> Any:
    if not config.compile:
        if config.check:
            verify(program.graph)
        if config.debug >= 3:
            log(f"graph of {fn.__name__} as traced:\n{to_text(program.graph)}")
        return Interpreted(program.graph)
    from tracejit.cpu.backend import CPU
    from tracejit.lower import compile_graph

    layouts = {name: storage_of(value) for name, value in trace.values.items()}
    try:
        executable = compile_graph(
            program.graph, layouts, CPU(), name=fn.__name__, kinds=program.kinds,
            states=len(program.states), budget=trace.budget,
        )  # fmt: skip
    except Exception as problem:
        if not interpreted(fn, problem, trace, fn.on_unsupported or config.on_unsupported):
            raise
        return Interpreted(program.graph)
    fn.stats.compiles += executable.compiled
    return executable


def _keep(fn: Function, path: Path) -> None:
    fn._records.append(path)
    shortcut.forget(fn, path.key)
    fn._paths.setdefault(path.key, []).append(path)
    if len(fn._records) > MAX_PATHS:
        old = fn._records.pop(0)
        fn._paths[old.key].remove(old)
        if not fn._paths[old.key]:
            del fn._paths[old.key]
