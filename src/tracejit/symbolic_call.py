"""Calls of symbolic functions: binding and converting arguments, finding or compiling a path.

A path is one compiled version of a function's program, for one memory layout of its inputs and
states. It is shared by the copies of the function, whose drivers differ in the states they name.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tracejit.arguments import storage_of
from tracejit.call import trace_lock
from tracejit.config import config
from tracejit.dispatch import Interpreted
from tracejit.errors import (
    MISS,
    NotTraceable,
    ShapeError,
    UnsupportedError,
    UnsupportedWarning,
    take_refusal,
)
from tracejit.explain import log, message
from tracejit.function import Stats
from tracejit.ir import build
from tracejit.ir.graph import Graph
from tracejit.state import Threaded
from tracejit.tensor.graph import Variable
from tracejit.tensor.replay import SymbolicTrace, replay
from tracejit.tensor.type import TensorType
from tracejit.variable import Variable as Traced

if TYPE_CHECKING:
    from tracejit.symbolic import SymbolicFunction

MAX_PATHS = 64


class Profile:
    """Calls of a function and their times: ``function(..., profile=True).profile``."""

    def __init__(self) -> None:
        self.fct_callcount = 0
        self.fct_call_time = 0.0

    def summary(self) -> str:
        """Calls, total time and time a call as text."""
        each = self.fct_call_time / max(1, self.fct_callcount)
        return f"{self.fct_callcount} calls, {self.fct_call_time:.6f} s, {each * 1e6:.1f} µs each"


class Path:
    """One compiled version: `inputs` names the graph's inputs as (kind, position)."""

    def __init__(
        self, key: Any, graph: Graph, executable: Any, sources: list[tuple[str, Any]]
    ) -> None:
        self.key = key
        self.graph = graph
        self.executable = executable
        self.sources = sources


class Plan:
    """What copies of a function share: the threaded program and its compiled paths.

    `public` are the shared variables that the user knows; the other states belong to inputs.
    """

    def __init__(
        self, inputs: Sequence[Variable], threaded: Threaded, mode: str, public: set[Any]
    ) -> None:
        self.inputs = list(inputs)
        self.threaded = threaded
        self.mode = mode
        self.public = public
        self.paths: list[Path] = []
        self.stats = Stats()
        self.warned = False


# Binding -----------------------------------------------------------------------------------------


def bind(f: SymbolicFunction, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The converted values of all inputs that are no states; raises TypeError as Theano does."""
    slots = f.slots
    given: dict[int, Any] = {}
    if len(args) + len(kwargs) > len(slots) + len(f.plan.public):
        raise TypeError("Too many parameter passed to tracejit function")
    for position, value in enumerate(args):
        if position >= len(slots) or slots[position].spec.implicit:
            what = slots[position].variable if position < len(slots) else "a shared variable"
            raise TypeError(f"Tried to provide value for implicit input: {what}")
        given[position] = value
    for name, value in kwargs.items():
        position = _named(f, name)
        if position in given:
            raise TypeError(f"Multiple values for input: {slots[position].variable}")
        if slots[position].spec.implicit:
            raise TypeError(f"Tried to provide value for implicit input: {name}")
        given[position] = value
    values: list[Any] = []
    states: dict[int, Any] = {}
    for position, slot in enumerate(slots):
        private = slot.variable not in f.plan.inputs
        if position in given:
            value = _converted(f, position, given[position])
            if private:
                states[position] = value
            else:
                values.append(value)
        elif slot.container is None:
            raise TypeError(f"Missing required input: {slot.name or slot.variable}")
        elif not private:
            values.append(slot.container.value)
    for position, value in states.items():  # once everything is known to fit
        container = slots[position].container
        assert container is not None
        container.set(value)
    return values


def _named(f: SymbolicFunction, name: str) -> int:
    found = [k for k, slot in enumerate(f.slots) if slot.name == name]
    if len(found) > 1:
        raise TypeError(
            f"Ambiguous name: {name} - please check the names of the inputs of your function for "
            "duplicates."
        )
    if not found:
        names = [slot.name for slot in f.slots if slot.name]
        unnamed = len(f.slots) - len(names)
        text = f"The function has {len(names)} named input{'' if len(names) == 1 else 's'}"
        text += f" ({', '.join(names)})" if names else ""
        if unnamed:
            text += (
                f", and {unnamed} unnamed input{'' if unnamed == 1 else 's'} which thus cannot be "
                "accessed through keyword argument (use 'name=...' in a variable's constructor to "
                "give it a name)"
            )
        raise TypeError(f"Unknown input or state: {name}. {text}.")
    return found[0]


def _converted(f: SymbolicFunction, position: int, value: Any) -> Any:
    slot = f.slots[position]
    spec = slot.spec
    try:
        return slot.variable.type.filter(value, spec.strict, spec.allow_downcast)
    except Exception as error:
        name = f' with name "{slot.name}"' if slot.name else ""
        function = f' with name "{f.name}"' if f.name else ""
        origin = slot.variable.origin
        place = f'\n  the input was made in "{origin.file}", line {origin.line}' if origin else ""
        first = error.args[0] if error.args else ""
        error.args = (
            f"Bad input argument{name} to tracejit function{function} at index {position} "
            f"(0-based): {first}{place}",
            *error.args[1:],
        )
        raise


# Running -----------------------------------------------------------------------------------------


def run(f: SymbolicFunction, values: list[Any]) -> Any:
    """The result for converted `values`; states are updated all at once or not at all."""
    start = time.perf_counter()
    if f.mode == "DebugMode":
        from tracejit.debugmode import check

        check(f, values)
    with locked(f):
        result = _run(f, values)
    if f.mode == "NanGuardMode":
        _guard(f, result)
    if f.profile is not None:
        f.profile.fct_callcount += 1
        f.profile.fct_call_time += time.perf_counter() - start
    return result


def _guard(f: SymbolicFunction, result: Any) -> None:
    items = result.values() if isinstance(result, dict) else result
    for k, item in enumerate(items if isinstance(items, list) else [items]):
        array = np.asarray(item)
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise AssertionError(f"output {k} of {f} holds nan or infinity")


@contextlib.contextmanager
def locked(f: SymbolicFunction) -> Any:
    """Hold the locks of the states that `f` updates."""
    with contextlib.ExitStack() as stack:
        for container in updated(f):
            stack.enter_context(container.lock)
        yield


def updated(f: SymbolicFunction) -> list[Any]:
    """The containers that `f` updates, in the order in which their locks are taken."""
    if not f.updating:
        return []
    place = {s: k for k, s in enumerate(f.plan.threaded.states)}
    found = {f.containers[place[s]] for s, _ in f.plan.threaded.updates}
    return sorted(found, key=id)


def _compiling(f: SymbolicFunction) -> bool:
    return bool(config.compile) and f.mode != "FAST_COMPILE"


def _run(f: SymbolicFunction, values: list[Any]) -> Any:
    plan = f.plan
    scalars = [v[()] if not v.ndim else v for v in values]
    states = [c.value for c in f.containers]
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
    with trace_lock():
        try:
            path = _new_path(f, key, scalars, states)
        except NotTraceable as refusal:
            refusal.forget()
            return _plain(f, values, refusal)
        except Exception as error:
            take_refusal()
            raise located(f, error) from error.__cause__
    result = _driver(f, path)(*scalars)
    if result is MISS:
        # A value at which NumPy raises: let it say so.
        return _plain(f, values, None)
    return result


def _new_path(f: SymbolicFunction, key: Any, values: list[Any], states: list[Any]) -> Path:
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
    path = Path(key, graph, executable, [placed[n] for n in sorted(order, key=order.__getitem__)])
    plan.paths.append(path)
    del plan.paths[:-MAX_PATHS]
    return path


def _node(value: Any) -> Any:
    from tracejit.tensor.opcodes import node_of

    return value.node if isinstance(value, Traced) else node_of(value)


def _executable(
    f: SymbolicFunction, compiling: bool, graph: Graph, trace: SymbolicTrace, states: int
) -> Any:
    stats = f.plan.stats
    if not compiling:
        return Interpreted(graph)
    from tracejit.cpu.backend import CPU
    from tracejit.lower import compile_graph

    layouts = {name: storage_of(value) for name, value in trace.values.items()}
    kinds = ["array"] * len(graph.outputs)
    executable = compile_graph(
        graph, layouts, CPU(), name=f.name or "function", kinds=kinds, states=states
    )
    stats.compiles += executable.compiled
    stats.loops, stats.passes = executable.loops, executable.passes
    stats.temporaries = executable.temporaries
    for phase, seconds in executable.seconds.items():
        stats.seconds[phase] = stats.seconds.get(phase, 0.0) + seconds
    return executable


# Drivers -----------------------------------------------------------------------------------------


def _driver(f: SymbolicFunction, path: Path) -> Any:
    """The driver of a path over the containers of `f`; from now on it is tried first."""
    driver = f.drivers.get(id(path))
    if driver is None:
        if len(f.drivers) > MAX_PATHS:
            f.drivers.clear()
        driver = f.drivers[id(path)] = _make_driver(f, path)
    plain = f.mode in ("FAST_RUN", "FAST_COMPILE") and f.profile is None
    if plain and path.key[0] == _compiling(f) and not config.debug:
        f._driver = driver
    return driver


def _make_driver(f: SymbolicFunction, path: Path) -> Any:
    plan = f.plan
    namespace: dict[str, Any] = {"MISS": MISS, "_absent": _absent, "_ndarray": np.ndarray}
    names = {}
    for k, container in enumerate(f.containers):
        namespace[f"_c{k}"] = container
        names[k] = f"_c{k}"
    lines: list[str] = []
    parameters = [_parameter(f, k, v, lines, namespace) for k, v in enumerate(plan.inputs)]
    reads = [k for kind, k in path.sources if kind == "state"]
    if reads:
        places = "".join(f"_s{k}, " for k in reads)
        lines.append(f"{places}= {''.join(_state_text(plan, names, k) for k in reads)}")
    inputs = []
    for kind, which in path.sources:
        if kind == "constant":
            namespace[f"_k{len(namespace)}"] = which
            inputs.append(f"_k{len(namespace) - 1}")
        else:
            inputs.append(f"p{which}" if kind == "input" else f"_s{which}")
    place = {s: k for k, s in enumerate(plan.threaded.states)}
    updates = plan.threaded.updates if f.updating else []
    states = [names[place[s]] for s, _ in updates]
    locks = []
    for container in updated(f):
        locks.append(f"{names[f.containers.index(container)]}.lock")
    kinds = ["array"] * len(path.graph.outputs)
    return path.executable.driver(
        ", ".join(parameters), lines, inputs, _result_text(f), namespace, kinds, states,
        ", ".join(locks),
    )  # fmt: skip


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_absent = _Absent()


def _state_text(plan: Plan, names: dict[int, str], k: int) -> str:
    scalar = plan.threaded.states[k].type.ndim == 0
    return f"{names[k]}.value[()], " if scalar else f"{names[k]}.value, "


def _parameter(
    f: SymbolicFunction, k: int, variable: Variable, lines: list[str], namespace: dict[str, Any]
) -> str:
    """A parameter of the driver; `lines` leave where its value needs a conversion."""
    slot = next(s for s in f.slots if s.variable is variable)
    kind = variable.type
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
    if slot.implicit:
        lines.append(f"{name} = {value}")
        return f"{name}=_absent"
    lines += [f"if {name} is _absent: {name} = {value}", *test]
    return f"{name}=_absent"


def _result_text(f: SymbolicFunction) -> str:
    count = len(f.plan.threaded.outputs)
    items = ", ".join(f"{{o[{k}]}}" for k in range(count))
    if f.structure is None:
        return "None"
    if f.structure == "single":
        return items
    if f.structure == "list":
        return f"[{items}]"
    pairs = (f"{key!r}: {{o[{k}]}}" for k, key in enumerate(f.structure))
    return f"{{{{{', '.join(pairs)}}}}}"


# Plain NumPy -------------------------------------------------------------------------------------


def plain_values(f: SymbolicFunction, values: Sequence[Any]) -> list[Any]:
    """The values of outputs and updates in plain NumPy; each has its own memory."""
    threaded = f.plan.threaded
    env: dict[Variable, Any] = dict(zip(f.plan.inputs, values, strict=True))
    env.update(zip(threaded.states, (c.value for c in f.containers), strict=True))
    outputs = [*threaded.outputs, *(u for _, u in threaded.updates)]
    found = replay(outputs, env)
    return [
        np.array(r, v.type.numpy_dtype) if isinstance(v.type, TensorType) else r
        for r, v in zip(found, outputs, strict=True)
    ]


def _plain(f: SymbolicFunction, values: Sequence[Any], refusal: NotTraceable | None) -> Any:
    """Run in plain NumPy: with one warning where `refusal` says why it is not compiled."""
    if refusal is not None:
        apply = getattr(refusal, "__tracejit_apply__", None)
        hint = refusal.hint or "compute it outside and pass it as an input"
        title = f"{f.name or 'a symbolic function'} runs in plain NumPy"
        text = message(title, apply.origin if apply else None, refusal.reason, "", hint)
        if config.on_unsupported == "error":
            raise UnsupportedError(text)
        f.plan.stats.fallbacks += 1
        if not f.plan.warned:
            f.plan.warned = True
            warnings.warn(text, UnsupportedWarning, stacklevel=5)
    try:
        found = plain_values(f, values)
    except Exception as error:
        raise located(f, error) from error.__cause__
    threaded = f.plan.threaded
    count = len(threaded.outputs)
    place = {s: k for k, s in enumerate(threaded.states)}
    targets = [f.containers[place[s]] for s, _ in threaded.updates] if f.updating else []
    for container, value in zip(targets, found[count:], strict=False):
        container.spare, container.value = None, value
    return structured(f, found[:count])


def structured(f: SymbolicFunction, results: list[Any]) -> Any:
    """Results as the function returns them."""
    if f.structure is None:
        return None
    if f.structure == "single":
        return results[0]
    if f.structure == "list":
        return results
    return dict(zip(f.structure, results, strict=True))


def located(f: SymbolicFunction, error: Exception) -> Exception:
    """`error` with the user's line that made the application which raised it."""
    apply = getattr(error, "__tracejit_apply__", None)
    if apply is None or apply.origin is None:
        return error
    if isinstance(error, ShapeError):
        shapes = ", ".join(f"{v} {v.type}" for v in apply.inputs[:6])
        hint = "axes broadcast only where their type says so: see T.addbroadcast"
        return ShapeError(message(str(error), apply.origin, f"in {apply.label()}", shapes, hint))
    error.add_note(message("", apply.origin, f"in {apply.label()}").strip("\n"))
    return error
