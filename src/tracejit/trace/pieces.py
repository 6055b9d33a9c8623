"""A piece of a function, traced for what it does, and then undone."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from tracejit.errors import NotTraceable, OverBudget
from tracejit.ir import build, ops
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.region import Check
from tracejit.trace.effects import Elements, Form, State, Variables, require_fixed
from tracejit.trace.memory import Log, births, put
from tracejit.trace.mixed import Mixed
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer, wrap

F = TypeVar("F", bound=Callable[..., Any])


class Structured(BaseException):
    """A variable has values of parts: each of these is to have a place."""

    def __init__(self, place: int, form: Form) -> None:
        self.place, self.form = place, form


def by_parts(f: F) -> F:
    """`f` with a place for each part of the variables' values."""

    @functools.wraps(f)
    def call(trace: Trace, *args: Any) -> Any:
        *others, variables, held = args
        # What is within a loop is traced several times: what was found is found at once then.
        codes = [a.__code__ for a in others if isinstance(a, types.FunctionType)]
        known: list[Structured] = trace.learned.setdefault((*codes, variables.names), [])
        for found in known:
            variables = variables.split(found.place, found.form)
        while True:
            try:
                return f(trace, *others, variables, held)
            except Structured as found:
                known.append(found.with_traceback(None))
                variables = variables.split(found.place, found.form)

    return cast(F, call)


class Found(NamedTuple):
    """What a piece changes: places of variables and their values, arrays and their nodes.

    `result` is what it returns, and `checks` must hold where it runs. One that always raises has
    another exception than NotTraceable.
    """

    values: dict[int, Any]
    arrays: dict[int, tuple[Any, Node]]
    result: Any = None
    checks: tuple[Check, ...] = ()
    error: Exception | None = None


@by_parts
def tried(trace: Trace, piece: Callable[[], Any], variables: Variables, held: Sequence[Any]) -> int:
    """Trace a piece, and undo all of it. How many operations it makes."""
    state = State(trace)
    try:
        traced(trace, piece, variables, held)
        return trace.made - state.made
    finally:
        state.restore()


def attempted(trace: Trace, piece: Callable[[], None], variables: Variables) -> bool:
    """Whether a piece has been traced; where it cannot be, it is undone."""
    before, log, state = variables.get(), Log(), State(trace)
    trace.logs.append(log)
    try:
        piece()
    except NotTraceable as problem:
        if isinstance(problem, OverBudget):
            raise
        problem.forget()
        for array, node in log.before.values():
            put(array, node)
        variables.set(before)
        state.restore()
        return False
    finally:
        trace.logs.pop()
    return True


def traced(
    trace: Trace, piece: Callable[[], Any], variables: Variables, held: Sequence[Any]
) -> Found:
    """What a piece does, which is then undone, but for the questions that have been asked."""
    before, log, state, since = variables.get(), Log(), State(trace), next(births)
    require_fixed(v for v in (*held, *before) if v is not variables.unbound)
    trace.logs.append(log)
    try:
        result = piece()
        state.require_pure()
        after = variables.get()
        written = {k: (a, a.node) for k, (a, _) in log.before.items() if a.born < since}
    finally:
        checks = state.take_requirements()
        trace.logs.pop()
        for array, node in log.before.values():
            put(array, node)
        variables.set(before)
    changed = {k: v for k, v in enumerate(after) if v is not before[k]}
    for k, v in changed.items():
        if type(v) is tuple:
            raise Structured(k, Elements(len(v)))
        if isinstance(v, Mixed):
            raise Structured(k, v.classes)
    _require_own([*changed.values(), result], since)
    return Found(changed, written, result, checks)


def _require_own(values: Sequence[Any], since: int) -> None:
    """NotTraceable for an array that has another name, by which it could be written into."""
    arrays = [v for v in values if isinstance(v, Tracer) and v.kind == "array"]
    if any(a.born < since for a in arrays) or len({id(a) for a in arrays}) < len(arrays):
        raise NotTraceable(
            "in a loop or a branch a variable becomes another array that has a name already",
            "copy it: x = y.copy(), or write into it: x[...] = y",
        )


def value_of(value: Any, name: str, variables: Variables) -> Tracer:
    """A value that is carried, or that a branch gives."""
    if value is variables.unbound or value is None:
        raise NotTraceable(
            f"{name} may have no value after a branch or a loop", "give it one before"
        )
    if not isinstance(value, (Tracer, int, float, complex)):
        raise NotTraceable(f"{name} is a {type(value).__name__}, which a loop cannot carry")
    tracer = wrap(value)
    if tracer.kind == "array" and tracer.memory is not None:
        raise NotTraceable(
            f"{name} is another array after a branch or a step", f"write into it: {name}[...] = x"
        )
    return tracer


def nothing(like: Tracer, name: str) -> Tracer:
    """A value of a type that nobody reads."""
    node = like.node
    if any(isinstance(d, Node) for d in node.shape):
        raise NotTraceable(f"{name}, of an unknown length, is read after a loop or a branch")
    zero = build.constant(node.dtype.type(0).item(), node.dtype, node.type.weak)
    return Tracer(build.broadcast_to(zero, node.shape), like.kind)


def canonical(trace: Trace, *groups: Sequence[Node]) -> list[list[Node]]:
    """Groups of nodes, with what others stand for replaced."""
    nodes = iter(trace.settled([node for group in groups for node in group]))
    return [[next(nodes) for _ in group] for group in groups]


def conjunction(checks: Sequence[Check]) -> Node:
    """Whether all checks hold."""
    result = build.constant(True, np.bool_)
    result = make(ops.CONST, (), result.attr, ArrayType(result.dtype))
    for check in checks:
        result = build.elementwise("logical_and", result, check.condition)
    return result
