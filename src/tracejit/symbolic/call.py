"""Calls of symbolic functions: binding and converting arguments, finding or compiling a path.

A path is one compiled version of a function's program, for one memory layout of its inputs and
states. It is shared by the copies of the function, whose drivers differ in the states they name.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.call import paths
from tracejit.call.arguments import storage_of
from tracejit.call.executables import executable_of
from tracejit.call.fallback import COMPILER_FAILED
from tracejit.call.reentry import aside
from tracejit.config import config, settings
from tracejit.errors import MISS, NotTraceable, take_refusal
from tracejit.ir import build
from tracejit.ir.cancel import cancelled
from tracejit.ir.stabilise import stabilised
from tracejit.ir.stacks import last_rows
from tracejit.lower.devices import is_device_array, residence_of
from tracejit.native import locks
from tracejit.native.apart import collecting_nothing
from tracejit.symbolic.driver import driver_of
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.opcodes import node_of
from tracejit.symbolic.places import on_host, shadow
from tracejit.symbolic.plain import located, run_plain, tell_plain
from tracejit.symbolic.program import Callee, SymbolicPath
from tracejit.symbolic.replay import SymbolicTrace, replay
from tracejit.symbolic.type import TensorType
from tracejit.trace.explain import log
from tracejit.trace.requirements import Requirement, rewritten, unread
from tracejit.trace.tracer import Tracer

# Running -----------------------------------------------------------------------------------------


def run(f: Callee, values: list[Any], given: Sequence[tuple[Any, Any]] = ()) -> Any:
    """The result for converted `values`; states are updated all at once or not at all.

    `given` are values for states, in force during the call: where it fails, and in a function
    without updates, the states become what they were.
    """
    start = time.perf_counter()
    watch = f.watch or WATCHES.get(f.mode)
    held = {*f.updated(), *(c for c, _ in given), *(f.containers if watch else ())}

    def call() -> Any:
        if watch:
            watch(f, values)
        return _run(f, values)

    result = _under(sorted(held, key=id), lambda: _with_states(given, call))
    if f.profile is not None:
        f.profile.fct_callcount += 1
        f.profile.fct_call_time += time.perf_counter() - start
    return result


#: By mode, what looks at every value before a call: see `debugmode`.
WATCHES: dict[str, Callable[[Callee, Sequence[Any]], None]] = {}


def _under(containers: Sequence[Any], call: Callable[[], Any]) -> Any:
    """``call()`` under the locks of `containers`, which no signal can leave locked."""
    if not containers:
        return call()
    if len(containers) < 4:
        with containers[0].lock:
            return _under(containers[1:], call)
    a, b, c, d, *rest = containers
    with a.lock, b.lock, c.lock, d.lock:
        return _under(rest, call)


def _with_states(given: Sequence[tuple[Any, Any]], call: Callable[[], Any]) -> Any:
    """``call()`` where states have the `given` values; one that it has not updated gets its old."""
    if not given:
        return call()
    before = [c.value for c, _ in given]
    try:
        for container, value in given:
            container.value = value
        return call()
    finally:
        for (container, value), old in zip(given, before, strict=True):
            if container.value is value:
                container.value = old


def _compiling(f: Callee) -> bool:
    return bool(config.compile) and f.mode != "FAST_COMPILE"


def _run(f: Callee, values: list[Any]) -> Any:
    program, device = f.program, f.device()
    if program.other is not None:
        reason = f"{program.other} is no array"
        return run_plain(f, values, NotTraceable(reason, "pass arrays and numbers"))
    scalars = [on_host(v)[()] if not v.ndim else v for v in values]
    states = f.snapshot()
    key = (
        _compiling(f),
        tuple(storage_of(shadow(v)) for v in scalars),
        tuple(_storage_of_state(s) for s in states),
        device,
    )

    def run(path: SymbolicPath) -> Any:
        return _driver(f, path)(*scalars)

    known, path, result = program.paths.tried(key, run)
    if path is not None:
        path.use()
        return result
    if locks.busy() and (key[0] or build.solver() is not build.IDLE):
        with aside(), config(compile=False):
            return _run(f, values)
    try:
        path, result, new = program.paths.settled(
            known, key, run, lambda: _new_path(f, key, scalars, states)
        )
    except NotTraceable as refusal:
        refusal.forget()
        return run_plain(f, values, refusal)
    except Exception as error:
        take_refusal()
        raise located(error) from error.__cause__
    if path is not None:
        return result
    result = None
    try:
        result = run(new)
    finally:
        if result is not MISS:
            program.paths.keep(new)
    if result is MISS:
        # A value at which NumPy raises: let it say so. A path like this one may be there already.
        f.drivers.pop(new, None)
        return run_plain(f, values, None)
    return result


def _storage_of_state(value: Any) -> str:
    """The layout of a state, empty for a scalar of the host's: on a device that stays an array."""
    lies = shadow(value)
    if not isinstance(lies, np.ndarray):
        return ""
    return storage_of(lies) if lies.ndim or lies is not value else ""


@collecting_nothing
def _new_path(f: Callee, key: Any, values: list[Any], states: list[Any]) -> SymbolicPath:
    start = time.perf_counter()
    program, trace, residence = f.program, SymbolicTrace(), residence_of(key[3])
    if residence is not None and not key[0]:
        raise NotTraceable(f"nothing interprets a graph on {key[3]}", "compile it, or use the CPU")
    mirrors = residence.mirrors() if residence is not None else None
    threaded = program.threaded
    env: dict[Variable, Any] = {}
    sources: list[tuple[str, Any]] = []
    outputs = [*threaded.outputs, *(expression for _, expression in threaded.updates)]
    take_refusal()
    with build.use_solver(trace):
        for kind, variables, found in (
            ("input", program.inputs, values), ("state", threaded.states, states)
        ):  # fmt: skip
            for k, (v, value) in enumerate(zip(variables, found, strict=True)):
                if not isinstance(v.type, TensorType):
                    raise NotTraceable(f"{v} is no array")
                if mirrors is not None and is_device_array(value):
                    value = mirrors.of(value)
                elif not value.ndim:
                    value = value[()]
                env[v] = trace.typed_input(value, v.name or f"{kind}{k}", v.type.broadcastable)
                sources.append((kind, k))
        results = replay(outputs, env, trace)
        nodes = [
            build.cast(_node(r), v.type.numpy_dtype) for r, v in zip(results, outputs, strict=True)
        ]
        nodes = last_rows(nodes)
        requirements: Sequence[Requirement] = list(trace.requirements)
        if config.stabilise and not program.exact:
            nodes, requirements = rewritten(
                nodes, requirements, lambda found: stabilised(cancelled(found))
            )
        required = unread(requirements, nodes)
        kinds = ["array"] * len(nodes)
        if required is not None:
            first = len(threaded.outputs)
            nodes.insert(first, required)
            kinds.insert(first, "required")
    for name in trace.constants:
        sources.append(("constant", trace.constants[name]))
    graph = trace.graph(nodes)
    named = [n.attr[0] for n in trace.inputs]
    constants = iter(sources[len(env) :])
    placed = dict(zip([n for n in named if n not in trace.constants], sources, strict=False))
    placed.update({n: next(constants) for n in trace.constants})
    program.stats.traces += 1
    program.stats.seconds["trace"] += time.perf_counter() - start
    if config.debug >= 1:
        log(f"trace {f.name}: {len(graph.nodes())} nodes")
    executable = executable_of(
        graph, trace, program.stats, f.name or "function", kinds, len(threaded.updates),
        compiling=key[0], refused=functools.partial(_interpreted, f),
        device=key[3],
    )  # fmt: skip
    return SymbolicPath(key, graph, executable, [placed[n.attr[0]] for n in graph.inputs], kinds)


def _node(value: Any) -> Any:
    return value.node if isinstance(value, Tracer) else node_of(value)


def _interpreted(f: Callee, problem: Exception) -> bool:
    """Whether a graph that the compiler refuses is interpreted: on the CPU, which is said."""
    if residence_of(f.device()) is not None:
        return False
    if isinstance(problem, NotTraceable):  # of a target that has no kernel for something
        tell_plain(f, None, problem.reason, problem.hint or "report the expression")
    else:
        tell_plain(f, None, COMPILER_FAILED, "report the expression")
    return True


def _driver(f: Callee, path: SymbolicPath) -> Any:
    """The driver of a path over the containers of `f`; from now on it is tried first."""
    driver = f.drivers.get(path)
    if driver is None:
        if len(f.drivers) > paths.MOST:
            f.drivers.clear()
        driver = f.drivers[path] = driver_of(f, path)
    plain = f.mode in ("FAST_RUN", "FAST_COMPILE") and f.profile is None and not f.watch
    if plain and not config.debug:
        f._ask(driver, settings())
    return driver
