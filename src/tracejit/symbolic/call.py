"""Calls of symbolic functions: binding and converting arguments, finding or compiling a path.

A path is one compiled version of a function's program, for one memory layout of its inputs and
states. It is shared by the copies of the function, whose drivers differ in the states they name.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from tracejit.call.arguments import storage_of
from tracejit.call.fallback import COMPILER_FAILED, hint_for, stack_level
from tracejit.call.reentry import aside
from tracejit.call.slow import trace_lock
from tracejit.config import config, settings
from tracejit.errors import (
    MISS,
    InvalidGraphError,
    NotTraceable,
    ShapeError,
    UnsupportedError,
    UnsupportedWarning,
    take_refusal,
)
from tracejit.ir import build
from tracejit.ir.cancel import cancelled
from tracejit.ir.graph import Graph
from tracejit.ir.node import Origin
from tracejit.ir.stabilise import stabilised
from tracejit.native import locks
from tracejit.native.apart import imported
from tracejit.plan.dispatch import Interpreted
from tracejit.plan.text import Parameters, commit, make_function
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.io import Slot
from tracejit.symbolic.plan import Callee, Path, Plan
from tracejit.symbolic.replay import SymbolicTrace, replay
from tracejit.symbolic.type import TensorType
from tracejit.trace.explain import log, message
from tracejit.trace.variable import Variable as Traced

MAX_PATHS = 64
#: Locks that one statement takes.
MAX_LOCKS = 16


# Running -----------------------------------------------------------------------------------------


def run(f: Callee, values: list[Any], given: Sequence[tuple[Any, Any]] = ()) -> Any:
    """The result for converted `values`; states are updated all at once or not at all.

    `given` are values for states, in force during the call: where it fails, and in a function
    without updates, the states become what they were.
    """
    start = time.perf_counter()
    watch = WATCHES.get(f.mode)
    held = {*updated(f), *(c for c, _ in given), *(f.containers if watch else ())}

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


def updated(f: Callee) -> list[Any]:
    """The containers that `f` updates, in the order in which their locks are taken."""
    return sorted(set(targets_of(f)), key=id)


def targets_of(f: Callee) -> list[Any]:
    """The containers of the updates, in their order."""
    place = {s: k for k, s in enumerate(f.plan.threaded.states)}
    return [f.containers[place[s]] for s, _ in f.plan.threaded.updates] if f.updating else []


def _compiling(f: Callee) -> bool:
    return bool(config.compile) and f.mode != "FAST_COMPILE"


def _run(f: Callee, values: list[Any]) -> Any:
    plan = f.plan
    scalars = [v[()] if not v.ndim else v for v in values]
    states = _snapshot(f)
    key = (
        _compiling(f),
        tuple(storage_of(v) for v in scalars),
        tuple(storage_of(s) if isinstance(s, np.ndarray) and s.ndim else "" for s in states),
    )
    for path in reversed(plan.paths):
        if path.key == key:
            result = _driver(f, path)(*scalars)
            if result is not MISS:
                return result
    if locks.busy() and (key[0] or build.solver() is not build.IDLE):
        with aside(), config(compile=False):
            return _run(f, values)
    with trace_lock():
        try:
            path = _new_path(f, key, scalars, states)
        except NotTraceable as refusal:
            refusal.forget()
            return _plain(f, values, refusal)
        except Exception as error:
            take_refusal()
            raise located(f, error) from error.__cause__
    result = None
    try:
        result = _driver(f, path)(*scalars)
    finally:
        if result is not MISS:
            plan.paths.append(path)
            del plan.paths[:-MAX_PATHS]
    if result is MISS:
        # A value at which NumPy raises: let it say so. A path like this one may be there already.
        f.drivers.pop(path, None)
        return _plain(f, values, None)
    return result


def _snapshot(f: Callee) -> list[Any]:
    """The values of all states at one moment: nothing comes between what C does."""
    return list(map(_value_of, f.containers))


_value_of = attrgetter("value")


def _new_path(f: Callee, key: Any, values: list[Any], states: list[Any]) -> Path:
    start = time.perf_counter()
    plan, trace = f.plan, SymbolicTrace()
    threaded = plan.threaded
    env: dict[Variable, Any] = {}
    sources: list[tuple[str, Any]] = []
    outputs = [*threaded.outputs, *(expression for _, expression in threaded.updates)]
    take_refusal()
    with build.use_solver(trace):
        for kind, variables, found in (
            ("input", plan.inputs, values), ("state", threaded.states, states)
        ):  # fmt: skip
            for k, (v, value) in enumerate(zip(variables, found, strict=True)):
                if not isinstance(v.type, TensorType):
                    raise NotTraceable(f"{v} is no array")
                value = value[()] if not value.ndim else value
                env[v] = trace.typed_input(value, v.name or f"{kind}{k}", v.type.broadcastable)
                sources.append((kind, k))
        results = replay(outputs, env, trace)
        nodes = [
            build.cast(_node(r), v.type.numpy_dtype) for r, v in zip(results, outputs, strict=True)
        ]
        if config.stabilise and not plan.exact:
            nodes = stabilised(cancelled(nodes))
    for name in trace.constants:
        sources.append(("constant", trace.constants[name]))
    graph = trace.graph(nodes)
    order = {n.attr[0]: k for k, n in enumerate(graph.inputs)}
    named = [n.attr[0] for n in trace.inputs]
    constants = iter(sources[len(env) :])
    placed = dict(zip([n for n in named if n not in trace.constants], sources, strict=False))
    placed.update({n: next(constants) for n in trace.constants})
    plan.stats.traces += 1
    plan.stats.seconds["trace"] += time.perf_counter() - start
    if config.debug >= 1:
        log(f"trace {f.name}: {len(graph.nodes())} nodes")
    executable = _executable(f, key[0], graph, trace, len(threaded.updates))
    return Path(key, graph, executable, [placed[n] for n in sorted(order, key=order.__getitem__)])


def _node(value: Any) -> Any:
    from tracejit.symbolic.opcodes import node_of

    return value.node if isinstance(value, Traced) else node_of(value)


def _executable(f: Callee, compiling: bool, graph: Graph, trace: SymbolicTrace, states: int) -> Any:
    stats = f.plan.stats
    if not compiling:
        return Interpreted(graph)
    compile_graph = imported("tracejit.lower.executable").compile_graph
    target = imported("tracejit.lower.registry").target()
    layouts = {name: storage_of(value) for name, value in trace.values.items()}
    kinds = ["array"] * len(graph.outputs)
    try:
        executable = compile_graph(
            graph, layouts, target, name=f.name or "function", kinds=kinds, states=states
        )
    except InvalidGraphError:
        raise
    except Exception:
        _warn(f, None, COMPILER_FAILED, "report the expression")
        return Interpreted(graph)
    stats.compiles += executable.compiled
    stats.loops, stats.passes = executable.loops, executable.passes
    stats.temporaries = executable.temporaries
    for phase, seconds in executable.seconds.items():
        stats.seconds[phase] = stats.seconds.get(phase, 0.0) + seconds
    return executable


# Drivers -----------------------------------------------------------------------------------------


def _driver(f: Callee, path: Path) -> Any:
    """The driver of a path over the containers of `f`; from now on it is tried first."""
    driver = f.drivers.get(path)
    if driver is None:
        if len(f.drivers) > MAX_PATHS:
            f.drivers.clear()
        driver = f.drivers[path] = _make_driver(f, path)
    plain = f.mode in ("FAST_RUN", "FAST_COMPILE") and f.profile is None
    if plain and not config.debug:
        f._ask(driver, settings())
    return driver


def _make_driver(f: Callee, path: Path) -> Any:
    plan = f.plan
    namespace: dict[str, Any] = {"MISS": MISS, "_absent": _absent, "_ndarray": np.ndarray}
    names = {}
    for k, container in enumerate(f.containers):
        namespace[f"_c{k}"] = container
        names[k] = f"_c{k}"
    lines: list[str] = []
    parameters: list[str] = []
    for slot in f.slots:
        text = _parameter(f, slot, lines, namespace)
        # Python wants defaults after one; what is no value is refused by the tests below.
        late = parameters and "=" in parameters[-1] and "=" not in text
        parameters.append(f"{text}=_absent" if late else text)
    if parameters:
        parameters.append("/")  # their names are not the user's
    reads = [k for kind, k in path.sources if kind == "state"]
    if reads:
        places = ", ".join(f"_s{k}" for k in reads)
        lines.append(f"{places} = {', '.join(_state_text(plan, names, k) for k in reads)}")
    inputs = []
    for kind, which in path.sources:
        if kind == "constant":
            namespace[f"_k{len(namespace)}"] = which
            inputs.append(f"_k{len(namespace) - 1}")
        else:
            inputs.append(f"p{which}" if kind == "input" else f"_s{which}")
    states = [names[f.containers.index(c)] for c in targets_of(f)]
    locks = [f"{names[f.containers.index(c)]}.lock" for c in updated(f)]
    kinds = ["array"] * len(path.graph.outputs)
    # Python nests twenty blocks at most: the first locks are taken around the driver.
    locks, around = locks[-MAX_LOCKS:], locks[:-MAX_LOCKS]
    driver = path.executable.driver(
        Parameters(", ".join(parameters)), lines, inputs, lambda outputs: _result_text(f, outputs),
        namespace, kinds, states, ", ".join(locks),
    )  # fmt: skip
    while around:
        around, part = around[:-MAX_LOCKS], around[-MAX_LOCKS:]
        scope = {**namespace, "_inner": driver}
        driver = make_function(
            Parameters("*args"), ["return _inner(*args)"], scope, ", ".join(part)
        )
    return driver


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_absent = _Absent()


def _state_text(plan: Plan, names: dict[int, str], k: int) -> str:
    scalar = plan.threaded.states[k].type.ndim == 0
    return f"{names[k]}.value[()]" if scalar else f"{names[k]}.value"


def _parameter(f: Callee, slot: Slot, lines: list[str], namespace: dict[str, Any]) -> str:
    """A parameter of the driver; `lines` leave where its value needs a conversion."""
    if slot.private:
        name = f"x{f.slots.index(slot)}"
        lines.append(f"if {name} is not _absent: return MISS")
        return f"{name}=_absent"
    k, kind = f.plan.inputs.index(slot.variable), slot.variable.type
    name = f"p{k}"
    if kind.ndim:
        test = [f"if type({name}) is not _ndarray: return MISS"]
    else:
        scalar = f"_t_{kind.dtype}"
        namespace[scalar] = kind.numpy_dtype.type
        convert = {
            "i": f"{name} = {scalar}({name}) if type({name}) is int else MISS",
            "u": f"{name} = {scalar}({name}) if type({name}) is int else MISS",
        }.get(kind.numpy_dtype.kind, f"{name} = MISS")
        accepted = f"type({name}) is not {scalar}"
        if kind.dtype == "float64":
            accepted += f" and type({name}) is not float"
            convert = f"{name} = float({name}) if type({name}) is int else MISS"
        if slot.spec.strict:
            convert = f"{name} = MISS"
        test = [f"if {accepted}:", f"    {convert}", f"    if {name} is MISS: return MISS"]
        if kind.dtype == "float64":
            test.insert(
                1, f"    if type({name}) is int and not -{2**53} <= {name} <= {2**53}: return MISS"
            )
    if slot.container is None:
        lines += test
        return name
    namespace[f"_d{k}"] = slot.container
    value = f"_d{k}.value" + ("" if kind.ndim else "[()]")
    lines += [f"if {name} is _absent: {name} = {value}", *test]
    return f"{name}=_absent"


def _result_text(f: Callee, outputs: Sequence[str]) -> str:
    outputs = outputs[: len(f.plan.threaded.outputs)]
    items = ", ".join(outputs)
    if f.structure is None:
        return "None"
    if f.structure == "single":
        return items
    if f.structure == "list":
        return f"[{items}]"
    return f"{{{', '.join(f'{k!r}: {o}' for k, o in zip(f.structure, outputs, strict=True))}}}"


# Plain NumPy -------------------------------------------------------------------------------------


def plain_values(f: Callee, values: Sequence[Any]) -> list[Any]:
    """The values of outputs and updates in plain NumPy; each has its own memory."""
    threaded = f.plan.threaded
    env: dict[Variable, Any] = dict(zip(f.plan.inputs, values, strict=True))
    env.update(zip(threaded.states, _snapshot(f), strict=True))
    outputs = [*threaded.outputs, *(u for _, u in threaded.updates)]
    found = replay(outputs, env)
    return [
        np.array(r, v.type.numpy_dtype) if isinstance(v.type, TensorType) else r
        for r, v in zip(found, outputs, strict=True)
    ]


def _warn(f: Callee, place: Origin | None, reason: str, hint: str) -> None:
    """Say once that `f` is not compiled; or raise, where that is asked for."""
    title = f"{f.name or 'a symbolic function'} runs in plain NumPy"
    text = message(title, place, reason, "", hint)
    if config.on_unsupported == "error":
        raise UnsupportedError(text) from None
    f.plan.stats.fallbacks += 1
    if not f.plan.warned:
        f.plan.warned = True
        warnings.warn(text, UnsupportedWarning, stacklevel=stack_level())


def _plain(f: Callee, values: Sequence[Any], refusal: NotTraceable | None) -> Any:
    """Run in plain NumPy: with one warning where `refusal` says why it is not compiled."""
    if refusal is not None:
        apply = getattr(refusal, "__tracejit_apply__", None)
        hint = refusal.hint or "compute it outside and pass it as an input"
        _warn(f, apply.origin if apply else None, refusal.reason, hint)
    try:
        found = plain_values(f, values)
    except Exception as error:
        raise located(f, error) from error.__cause__
    count = len(f.plan.threaded.outputs)
    if f.updating:
        _committer(len(found) - count)(*targets_of(f), *found[count:])
    return structured(f, found[:count])


@functools.cache
def _committer(count: int) -> Callable[..., None]:
    """A function of containers and their new values that sets them all at once."""
    if not count:
        return lambda: None
    names, values = ([f"{letter}{k}" for k in range(count)] for letter in "sv")
    return make_function(Parameters(", ".join([*names, *values])), [commit(names, values)], {})


def structured(f: Callee, results: list[Any]) -> Any:
    """Results as the function returns them."""
    if f.structure is None:
        return None
    if f.structure == "single":
        return results[0]
    if f.structure == "list":
        return results
    return dict(zip(f.structure, results, strict=True))


def located(f: Callee, error: Exception) -> Exception:
    """`error` with the user's line that made the application which raised it."""
    apply = getattr(error, "__tracejit_apply__", None)
    if apply is None or apply.origin is None:
        return error
    if isinstance(error, ShapeError):
        shapes = ", ".join(f"{v} {v.type}" for v in apply.inputs[:6])
        hint = hint_for(error)
        if apply.op == "elemwise":
            hint = "axes broadcast only where their type says so: see T.addbroadcast"
        return ShapeError(message(str(error), apply.origin, f"in {apply.label()}", shapes, hint))
    error.add_note(message("", apply.origin, f"in {apply.label()}").strip("\n"))
    return error
