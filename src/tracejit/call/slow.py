"""The slow path of a call: describe the arguments, find a path, or trace and compile a new one."""

from __future__ import annotations

import time
from typing import Any

from tracejit.call import shortcut
from tracejit.call.arguments import Description, texts_of
from tracejit.call.binding import like_refused
from tracejit.call.compiled import Compiled
from tracejit.call.fallback import (
    Refusal,
    bound_to,
    device_of,
    divide,
    raised,
    raised_by_copy,
    refuse,
    refused_under,
    run_plain,
)  # fmt: skip
from tracejit.call.firstpart import answer
from tracejit.call.paths import tracing
from tracejit.call.random_state import RandomGuard
from tracejit.call.reentry import aside, begins_trace, inlining
from tracejit.call.retrace import (
    asked_too_often,
    cause_of,
    count_refused,
    number_changed,
    promote_changed_numbers,
)
from tracejit.call.told import raised_as_told, run_refused
from tracejit.call.traced import Overlapping, TraceResult, run_trace
from tracejit.call.tracedpath import TracedPath, compile_path
from tracejit.capture.capture import Capture
from tracejit.capture.generators import RANDOM_HINT
from tracejit.capture.rewrite.function import rewritten
from tracejit.capture.rewrite.traced import TracedControl
from tracejit.capture.roots import Root
from tracejit.config import config, settings
from tracejit.errors import (
    MISS,
    DeviceError,
    Hurried,
    NotTraceable,
    OverBudget,
    PieceRaises,
    take_refusal,
)
from tracejit.ir import build
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node
from tracejit.ir.printer import to_text
from tracejit.ir.rules.record import NoDerivativeError
from tracejit.lower.devices import run_plainly
from tracejit.native import floatmodes, locks
from tracejit.native.apart import collecting_nothing
from tracejit.native.caller import OTHERS
from tracejit.plan.signature import Signature
from tracejit.trace.explain import log
from tracejit.trace.trace import Trace, current

MAX_RECENT = 4


def call(fn: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call `fn`: inlined into a running trace, by a path, or in plain NumPy."""
    active = current()
    if active is not None and inlining((*args, *kwargs.values())) is active:
        return active.capture.function(fn.__wrapped__)(*args, **kwargs)
    modes = floatmodes.acting()
    if modes:
        refusal = refused_under(fn, modes)
        if not refusal.bound:
            return refuse(fn, refusal, fn.on_unsupported or config.on_unsupported, args, kwargs)
    now = settings()
    if now.debug < 2:
        # Functions are often called with a few kinds of arguments in turn.
        for path in fn._recent:
            if path.key[0] == now.compile and path.device == device_of(fn):
                try:
                    result = path.driver(*args, **kwargs)
                except OTHERS:
                    continue
                if result is not MISS:
                    _put_first(fn, path)
                    return result
    if locks.busy():
        return _call_aside(fn, args, kwargs)
    return _call(fn, args, kwargs)


def _call_aside(fn: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result where this thread is in the midst of tracing or compiling: nothing is compiled."""
    with aside():
        if not bound_to(fn.__wrapped__):
            return run_plainly(fn.__wrapped__, device_of(fn), args, kwargs)
        with config(compile=False):
            return _call(fn, args, kwargs)


def _put_first(fn: Compiled, path: TracedPath) -> None:
    """`path` is the next call's best guess."""
    path.use()
    if not fn._recent or fn._recent[0] is not path:
        others = [p for p in fn._recent if p is not path]
        fn._recent = (path, *others[: MAX_RECENT - 1])
    fn._ask(path.driver, settings() if config.debug < 2 else None)


def path_for(fn: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TracedPath:
    """The path that these arguments take, which is not run.

    UnsupportedError where they run in plain NumPy.
    """
    description = _description(fn, args, kwargs)
    if isinstance(description, Description):
        with tracing:
            found = _path_of(fn, description)
        if isinstance(found, TracedPath):
            return found
        run_plain(fn, found, "error", args, kwargs, description.key)
    elif description is not None:
        refuse(fn, description, "error", args, kwargs)
    fn.__wrapped__(*args, **kwargs)
    raise AssertionError("the arguments do not bind")


def _description(
    fn: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Description | Refusal | None:
    """What the arguments are; None where they are none of this function's."""
    if fn._signature is None or not fn._signature.is_of(fn.__wrapped__):
        if fn._signature is not None:  # what was refused was another function
            fn._refused.clear()
            fn._refusals.clear()
            fn._often = None
            fn._shortcuts = ()
            fn._plain, fn._segments = fn.__wrapped__, None
        fn._signature = Signature(fn.__wrapped__)
    try:
        bound = fn._signature.bind(*args, **kwargs)
    except TypeError:
        return None
    try:
        description = Description(fn._signature, bound, fn.convert_arrays, device_of(fn))
        if fn._paths.write:
            description.tell_overlaps()
        return description
    except NotTraceable as problem:
        problem.forget()
        refusal = Refusal(problem, fn.__wrapped__)
        refusal.variables = shortcut.refused_among(fn, bound)
        return refusal


def _call(fn: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    description = _description(fn, args, kwargs)
    if description is None:
        return fn.__wrapped__(*args, **kwargs)  # raises Python's own message
    mode = fn.on_unsupported or config.on_unsupported
    if isinstance(description, Refusal):
        if mode != "error":
            divide(fn, description)
        shortcut.note_argument(fn, description, args, kwargs, mode)
        return refuse(fn, description, mode, args, kwargs)
    key = description.key

    def run(path: TracedPath) -> Any:
        return _run(fn, path, description)

    known, path, result = fn._paths.tried(key, run)
    if path is None:
        refusal = fn._refused.get(key)
        if refusal is None and mode != "error" and fn._often and fn._often.holds(*args, **kwargs):
            return refuse(fn, fn._often, mode, args, kwargs)
        if refusal is not None and refusal.holds(*args, **kwargs):
            if not (fn._paths.write and description.overlaps):
                shortcut.note(fn, refusal, description, mode)
            return refuse(fn, refusal, mode, args, kwargs)
        result = raised_as_told(fn, known, mode, args, kwargs, key)
        if result is not MISS:
            return result
        path, result, new = fn._paths.settled(known, key, run, lambda: _new_path(fn, description))
    if path is None:
        if isinstance(new, TracedPath):
            path, result = new, run(new)
            if result is MISS:
                # A path that refuses the arguments it was made for met a value at which NumPy
                # raises; the plain run says so. Where there is none, a second trace does, which
                # finds the same path.
                refusal = Refusal(None, fn.__wrapped__)
                if path.states or refusal.bound:
                    with tracing:
                        again = _new_path(fn, description)
                    refusal = again if isinstance(again, Refusal) else refusal
                new = refusal
        if isinstance(new, Refusal):
            # That arguments share memory is asked only of functions that are known to write.
            if isinstance(new.problem, NotTraceable) and not (
                fn._paths.write and description.overlaps
            ):
                shortcut.note(fn, new, description, mode)
            count_refused(fn, key, new)
            return run_refused(fn, known, new, mode, args, kwargs, key)
    assert path is not None
    _put_first(fn, path)
    return result


def _run(fn: Compiled, path: TracedPath, description: Description) -> Any:
    start = time.perf_counter()
    path.told[0] = False
    result = description.call(path.driver)
    if config.debug >= 2 and result is not MISS:
        log(f"run {fn.__name__}: {(time.perf_counter() - start) * 1e6:.1f} µs")
    return result


# Tracing ----------------------------------------------------------------------------------------


def _new_path(fn: Compiled, description: Description) -> TracedPath | Refusal:
    """Trace and compile `fn` for these arguments, which no known path takes."""
    traced = _traced_apart(fn, description)
    if isinstance(traced, Refusal):
        return traced
    if _known_path(fn, description, traced) is None:
        stop = asked_too_often(fn, description, traced[0])
        return _compiled(fn, description, traced) if stop is None else stop
    fn.stats.traces += 1
    trace, program = traced
    refusal = Refusal(None, fn.__wrapped__, trace)
    problem = raised(_raising(trace, program), trace.values) if refusal.bound else None
    return refusal if problem is None else Refusal(problem, fn.__wrapped__, trace)


def _traced_apart(fn: Compiled, description: Description) -> tuple[Trace, TraceResult] | Refusal:
    """`_traced`, again where it turns out to matter which arguments share memory."""
    traced = _traced_by_regions(fn, description)
    for k in range(3):
        problem = traced.problem if isinstance(traced, Refusal) else None
        if not isinstance(problem, Overlapping):
            break
        if not k and not description.told:
            description.tell_overlaps()
        description.met += problem.met
        traced = _traced_by_regions(fn, description)
    description.met.clear()
    return traced


def _traced_by_regions(
    fn: Compiled, description: Description
) -> tuple[Trace, TraceResult] | Refusal:
    """`_traced`, again with branches and loops as regions where Python cannot decide them.

    So it is with what is large, or a loop of many steps, which is unrolled only where it can be no
    region, and where loops have other numbers of steps than before. What is told of a function that
    cannot be traced is why it can be none.
    """
    first = _traced(fn, description, hurried=True)
    if isinstance(first, Refusal):
        if not isinstance(first.problem, NotTraceable) or isinstance(first.problem, Overlapping):
            return first
    elif not number_changed(fn, description.key, first[0]):
        return first
    if rewritten(fn.__wrapped__.__code__).reason is not None:  # its source takes a while to read
        ended = isinstance(first, Refusal) and isinstance(first.problem, Hurried)
        return _unrolled(fn, description) if ended or _is_bound(fn, first) else first
    traced = _by_regions(fn, description)
    if not isinstance(traced, Refusal) or isinstance(traced.problem, Overlapping):
        return traced
    if config.debug >= 1:
        log(f"{fn.__name__} by regions: {traced.problem!r}")
    if not isinstance(first, Refusal):
        return first
    if isinstance(first.problem, Hurried) and not isinstance(traced.problem, NoDerivativeError):
        # What can be no region may yet be small enough.
        unrolled = _unrolled(fn, description)
        if not isinstance(unrolled, Refusal) or unrolled.error:
            return unrolled
        traced.budget = unrolled.budget  # with more of it, it may be tried again
    return traced


def _unrolled(fn: Compiled, description: Description) -> tuple[Trace, TraceResult] | Refusal:
    """`_traced` as Python runs it; what NumPy cannot run may become as large as it is."""
    traced = _traced(fn, description)
    return _traced(fn, description, unlimited=True) if _is_bound(fn, traced) else traced


def _is_bound(fn: Compiled, traced: Any) -> bool:
    """Whether a trace has become too large of what NumPy cannot run."""
    large = isinstance(traced, Refusal) and isinstance(traced.problem, OverBudget)
    return large and bool(bound_to(fn.__wrapped__))


def _by_regions(fn: Compiled, description: Description) -> tuple[Trace, TraceResult] | Refusal:
    """`_traced` with branches and loops as regions, also those whose numbers of steps change."""
    traced = _traced(fn, description, looping=True)
    if _is_bound(fn, traced):
        traced = _traced(fn, description, looping=True, unlimited=True)
    if not isinstance(traced, Refusal) and number_changed(fn, description.key, traced[0]):
        changing = _traced(fn, description, looping=True, changing=True)
        traced = traced if isinstance(changing, Refusal) else changing
    return traced


def _raising(trace: Trace, program: TraceResult) -> list[Node]:
    """What NumPy computes, read or not."""
    return [*program.graph.outputs, *(r.node for r in trace.requirements)]


@collecting_nothing
@begins_trace
def _traced(
    fn: Compiled,
    description: Description,
    tries: int = 3,
    looping: bool = False,
    hurried: bool = False,
    unlimited: bool = False,
    changing: bool = False,
) -> tuple[Trace, TraceResult] | Refusal:
    """The trace of `fn` and what it gave; at most `tries` where other threads may have drawn."""
    start = time.perf_counter()
    promote_changed_numbers(fn, description)
    trace = Trace(0.0 if unlimited else config.budget, hurried)
    guard = RandomGuard()
    take_refusal()
    control = TracedControl(trace, changing) if looping else None
    if looping:
        trace.decisions.first_part = lambda truth: answer(trace, truth, fn.stats)
    capture = Capture(trace, fn.__wrapped__, fn._dynamic, fn._paths.write, control)
    capture.device, capture.mirrors = description.device, description.stand_ins
    try:
        with build.use_solver(trace):
            program = run_trace(fn, description, capture)
        drawn = guard.drawn()  # asked once: others may go on drawing
        if drawn and (guard.alone or tries == 1):
            raise NotTraceable("the function draws from a global random state", RANDOM_HINT)
    except BaseException as raised:
        problem = raised.error if isinstance(raised, PieceRaises) else raised
        swallowed = take_refusal()
        if not isinstance(problem, Exception) and not raised_by_copy(problem):
            raise
        if isinstance(problem, DeviceError):
            raise
        refusal = Refusal(swallowed or problem, fn.__wrapped__, trace)
        refusal.alike = like_refused(description, trace)
        return refusal
    finally:
        capture.release()
        guard.restore()
    if drawn:
        return _traced(fn, description, tries - 1, looping, hurried, unlimited, changing)
    if bound_to(fn.__wrapped__):
        trace.budget.seconds = 0.0  # NumPy is no way out
    seconds = time.perf_counter() - start
    fn.stats.seconds["trace"] += seconds
    if config.debug >= 1:
        log(f"trace {fn.__name__}: {seconds * 1e3:.1f} ms, {len(program.graph.nodes())} nodes")
    return trace, program


def _path_of(fn: Compiled, description: Description) -> TracedPath | Refusal:
    """The path for these arguments, known or new."""
    traced = _traced_apart(fn, description)
    if isinstance(traced, Refusal):
        return traced
    path = _known_path(fn, description, traced) or _compiled(fn, description, traced)
    traced[0].forget()
    return path


def _known_path(
    fn: Compiled, description: Description, traced: tuple[Trace, TraceResult]
) -> TracedPath | None:
    """The path that has been compiled from this trace's like."""
    trace, program = traced
    for path in fn._paths.of(description.key):
        same = _equal(path.graph, program.graph) and path.arguments == trace.capture.arguments
        if same and _same_reads(path.roots, trace.capture.roots):
            return path
    return None


def _compiled(
    fn: Compiled, description: Description, traced: tuple[Trace, TraceResult]
) -> TracedPath | Refusal:
    trace, program = traced
    fn.stats.traces += 1
    try:
        path = compile_path(fn, description, trace, program)
    except DeviceError:  # what was asked for is not there: NumPy is no substitute
        raise
    except Exception as problem:
        return Refusal(problem, fn.__wrapped__, trace, compiling=True)
    path.texts = texts_of(description)
    path.cause = cause_of(fn, path, trace.values, description)
    fn._paths.keep(path)
    shortcut.forget(fn, path.key)
    return path


def _equal(a: Graph, b: Graph) -> bool:
    """Whether two graphs, of different traces, compute the same."""
    return to_text(a) == to_text(b)


def _same_reads(a: list[Root], b: list[Root]) -> bool:
    return [(r.path, r.spec, r.nodes) for r in a] == [(r.path, r.spec, r.nodes) for r in b]
