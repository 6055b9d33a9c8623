"""Loops and branches whose bodies are traced once: regions.

A body is a function of Python's that assigns the names of the function around it. It is traced to
see what it changes, undone, and traced again with placeholders in the place of that, until it
changes nothing else. What it has made of the placeholders is the region. Where a value has another
type after the first step than before it (``s = 0`` that becomes a float64), that step is traced by
itself, and the loop begins with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tracejit.errors import NotTraceable
from tracejit.ir import build, control, dims
from tracejit.ir.closing import Body, placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import ArrayType, Node, postorder
from tracejit.ir.region import Check
from tracejit.ir.rewrite import replaced
from tracejit.trace.effects import Log, Names, State, contents, put, require_same
from tracejit.trace.ranges import Steps, reaches
from tracejit.trace.trace import Trace, condition
from tracejit.trace.tracer import Tracer, wrap

#: What a name has that has no value yet.
UNBOUND: Any = object()
#: Steps that are traced by themselves before a loop, at most.
PEELED = 2


class _Unsettled(Exception):
    """A value has another type after a step than before it."""


class _Carried(NamedTuple):
    """What a loop carries: names, by their places, and arrays; their types and placeholders."""

    names: list[int]
    arrays: list[Any]
    starts: list[Tracer]
    params: list[Node]


class _Found(NamedTuple):
    """What a body changes: places of names and their new values, arrays and their new nodes."""

    names: dict[int, Any]
    arrays: dict[int, tuple[Any, Node]]


def for_steps(
    trace: Trace,
    first: Dim,
    count: Dim,
    by: int,
    body: Callable[[Tracer], None],
    names: Names,
    held: Sequence[Any] = (),
) -> None:
    """A loop of `count` steps, whose number goes from `first` by steps of `by`.

    `held` are values that the body reads; containers among them must stay as they are.
    """
    for peeled in range(PEELED + 1):
        rest = dims.sub(count, peeled)
        if isinstance(rest, int) and rest <= 0:
            return
        if not isinstance(rest, int) and not trace.truth(condition("greater", rest, 0)):
            return
        start = dims.add(first, by * peeled)
        if not (isinstance(rest, int) and rest == 1):
            try:
                _scanned(trace, start, rest, by, body, names, held)
            except _Unsettled:
                pass
            else:
                return
        body(wrap_length(start))
    raise NotTraceable(
        f"the type of {' or '.join(names.names)} changes at each step of a loop",
        "give it the type that it has in the end before the loop",
    )


def wrap_length(d: Dim) -> Tracer:
    """A length, or a position, as a number of Python's."""
    return Tracer(d, "number") if isinstance(d, Node) else wrap(d)


def _scanned(
    trace: Trace, first: Dim, count: Dim, by: int, body: Any, names: Names, held: Sequence[Any]
) -> None:
    step = placeholder(INT_SCALAR)
    number = dims.add(first, dims.mul(by, step))
    steps = Steps(step, 0, dims.sub(count, 1))

    def run() -> None:
        trace.steps.append(steps)
        try:
            body(wrap_length(number))
        finally:
            trace.steps.pop()

    carried, found, checks = _settled(trace, run, names, held)
    results = _results(carried, found)
    starts, params, results, [total] = _canonical(
        trace, [s.node for s in carried.starts], [*carried.params, step], results,
        [dims.as_node(count)],
    )  # fmt: skip
    made = Body(tuple(results), tuple(checks))
    around = _around(made, frozenset(params))
    node = control.steps_of(starts, total, [], params, made, around, trace.origin())
    _take(control.items(node), carried, names)


def while_true(
    trace: Trace,
    test: Callable[[], Any],
    body: Callable[[], None],
    names: Names,
    held: Sequence[Any] = (),
) -> None:
    """A loop that goes on while `test`, which is of a traced value, holds."""
    for _ in range(PEELED + 1):
        decisions: list[Node] = []

        def run(decisions: list[Node] = decisions) -> None:
            decisions[:] = [_decision(test())]
            body()

        try:
            carried, found, checks = _settled(trace, run, names, held)
        except _Unsettled:
            # The first step by itself: it is done where the test holds.
            if_true(trace, test(), body, lambda: None, names, held)
            continue
        if checks:
            raise NotTraceable("what holds at each step of a loop cannot be tested before it")
        starts, params, results, decisions = _canonical(
            trace, [s.node for s in carried.starts], carried.params, _results(carried, found),
            decisions,
        )  # fmt: skip
        made, decided = Body(tuple(results)), Body((decisions[0],))
        around = _around(made, frozenset(params)) | _around(decided, frozenset(params))
        node = control.loop(starts, params, decided, made, around, trace.origin())
        _take(control.items(node), carried, names)
        return
    raise NotTraceable("the type of a value changes at each step of a loop")


def if_true(
    trace: Trace,
    test: Any,
    then: Callable[[], None],
    otherwise: Callable[[], None],
    names: Names,
    held: Sequence[Any] = (),
) -> None:
    """One of two pieces, by a traced value: each is traced, and one of them runs."""
    predicate = _decision(test)
    state, before = State(trace), names.read()
    sides = [_traced(trace, piece, names, held, state, before) for piece in (then, otherwise)]
    places = sorted({*sides[0].names, *sides[1].names})
    arrays = {**{k: a for s in sides for k, (a, _) in s.arrays.items()}}
    results: list[list[Tracer]] = []
    for side in sides:
        values = [_value(side.names.get(k, before[k]), names.names[k]) for k in places]
        nodes = [side.arrays[k][1] if k in side.arrays else a.node for k, a in arrays.items()]
        results.append([*values, *(Tracer(n) for n in nodes)])
    for k, (a, b) in enumerate(zip(*results, strict=True)):
        if (a.kind, a.node.type) != (b.kind, b.node.type):
            what = names.names[places[k]] if k < len(places) else "an array"
            raise NotTraceable(f"{what} has another type on each side of a branch")
    if not results[0]:
        return
    *sides_, [predicate] = _canonical(
        trace, *([v.node for v in side] for side in results), [predicate]
    )
    bodies = [Body(tuple(nodes)) for nodes in sides_]
    around = _around(bodies[0], frozenset()) | _around(bodies[1], frozenset())
    known = set(postorder([a.node for a in arrays.values()]))
    node = control.branch(predicate, bodies[0], bodies[1], around & known, trace.origin())
    items = control.items(node)
    now = list(names.read())
    for k, item, value in zip(places, items, results[0], strict=False):
        now[k] = Tracer(item, value.kind)
    names.assign(tuple(now))
    for array, item in zip(arrays.values(), items[len(places) :], strict=True):
        build.solver().wrote(array)
        put(array, item)


# Tracing a piece ----------------------------------------------------------------------------------


def _traced(
    trace: Trace,
    piece: Callable[[], None],
    names: Names,
    held: Sequence[Any],
    state: State,
    before: tuple[Any, ...],
    keep: bool = False,
) -> _Found:
    """What `piece` changes, which is then undone, but for what was asked if that is to `keep`."""
    log, parts = Log(), contents([*held, *before])
    trace.logs.append(log)
    try:
        piece()
        require_same(parts, [*held, *before])
        after = names.read()
        written = {k: (a, a.node) for k, (a, _) in log.before.items()}
    finally:
        trace.logs.pop()
        for array, node in log.before.values():
            put(array, node)
        names.assign(before)
    if not keep:
        state.restore()
    changed = {k: v for k, v in enumerate(after) if v is not before[k]}
    return _Found(changed, written)


def _settled(
    trace: Trace, run: Callable[[], None], names: Names, held: Sequence[Any]
) -> tuple[_Carried, _Found, list[Check]]:
    """What a body carries, what it makes of that, and what must hold at each step."""
    before = names.read()
    carried = _Carried([], [], [], [])
    while True:
        state = State(trace)
        known = list(before)
        saved = [(a, a.node) for a in carried.arrays]
        for k, param, start in zip(carried.names, carried.params, carried.starts, strict=False):
            known[k] = Tracer(param, start.kind)
        for array, param in zip(carried.arrays, carried.params[len(carried.names) :], strict=True):
            put(array, param)
        names.assign(tuple(known))
        try:
            found = _traced(trace, run, names, held, state, tuple(known), keep=True)
        finally:
            for array, node in saved:
                put(array, node)
            names.assign(before)
        fresh = [k for k in found.names if k not in carried.names]
        arrays = [a for a, _ in found.arrays.values() if all(a is not c for c in carried.arrays)]
        if not fresh and not arrays:
            _require_settled(carried, found)
            if len(trace.requirements) > state.requirements:
                raise NotTraceable("positions that are looked up in a loop are not tested yet")
            checks = trace.checks[state.checks :]
            params = frozenset([*carried.params, *(s.number for s in trace.steps)])
            inside = [c for c in checks if reaches(c.condition, params)]
            if inside:
                raise NotTraceable("a question in a loop has an answer at each step")
            return carried, found, []
        state.restore()
        starts = [_value(before[k], names.names[k]) for k in [*carried.names, *fresh]]
        every = [*carried.arrays, *arrays]
        starts += [Tracer(a.node) for a in every]
        carried = _Carried(
            [*carried.names, *fresh], every, starts, [placeholder(s.node.type) for s in starts]
        )


def _value(value: Any, name: str) -> Tracer:
    """A value that is carried, or that a branch gives."""
    if value is UNBOUND:
        raise NotTraceable(
            f"{name} has no value before a loop or on one side of a branch", "give it one before"
        )
    if not isinstance(value, (Tracer, int, float, complex)):
        raise NotTraceable(f"{name} is a {type(value).__name__}, which a loop cannot carry")
    tracer = wrap(value)
    if tracer.kind == "array" and tracer.memory is not None:
        raise NotTraceable(f"{name} is another array after a step", "write into it: name[...] = x")
    return tracer


def _require_settled(carried: _Carried, found: _Found) -> None:
    for k, start in zip(carried.names, carried.starts, strict=False):
        value = found.names.get(k)
        if value is None:
            continue
        tracer = wrap(value) if isinstance(value, (Tracer, int, float, complex)) else None
        if tracer is None or (tracer.kind, tracer.node.type) != (start.kind, start.node.type):
            raise _Unsettled


def _canonical(trace: Trace, *groups: Sequence[Node]) -> list[list[Node]]:
    """Groups of nodes, with lengths that stand for others replaced."""
    table = {key: dims.as_node(target) for key, target in trace.substitutions.items()}
    nodes = iter(replaced([node for group in groups for node in group], table))
    return [[next(nodes) for _ in group] for group in groups]


def _results(carried: _Carried, found: _Found) -> list[Node]:
    """What the carried values are after a step."""
    count = len(carried.names)
    results = [
        wrap(found.names[k]).node if k in found.names else param
        for k, param in zip(carried.names, carried.params, strict=False)
    ]
    for array, param in zip(carried.arrays, carried.params[count:], strict=True):
        written = found.arrays.get(id(array))
        results.append(param if written is None else written[1])
    return results


def _take(items: Sequence[Node], carried: _Carried, names: Names) -> None:
    """Let names and arrays have what a loop has come to."""
    now = list(names.read())
    count = len(carried.names)
    for k, item, start in zip(carried.names, items, carried.starts, strict=False):
        now[k] = Tracer(item, start.kind)
    names.assign(tuple(now))
    for array, item in zip(carried.arrays, items[count:], strict=True):
        build.solver().wrote(array)
        put(array, item)


def _around(body: Body, params: frozenset[Node]) -> set[Node]:
    """What a body reads that does not change: it is computed once, before."""
    found: set[Node] = set()
    inside: dict[Node, bool] = {}
    for node in postorder(body.roots()):
        operands = (*node.args, *node.dims)
        inside[node] = node in params or any(inside[a] for a in operands)
        if inside[node]:
            found.update(a for a in operands if not inside[a])
    found.update(r for r in body.roots() if not inside[r])
    return found


def _decision(test: Any) -> Node:
    """The predicate of a branch or a loop."""
    tracer = wrap(test)
    if tracer.node.shape:
        raise NotTraceable("the truth value of an array with axes is asked for")
    node = tracer.node
    if node.dtype.kind != "b":
        zero = build.constant(node.dtype.type(0).item(), node.dtype)
        node = build.elementwise("not_equal", node, zero)
    return node if node.type == ArrayType(node.dtype) else build.cast(node, node.dtype)
