"""Loops and branches whose bodies are traced once: regions.

A body is a function of Python's that assigns the variables of the function around it. It is traced
to see what it changes, undone, and traced again with placeholders in the place of that, until it
changes nothing else. What it has made of the placeholders is the region. Where a value has another
type after the first step than before it (``s = 0`` that becomes a float64), that step is traced by
itself, and the loop begins with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracejit.errors import NotTraceable
from tracejit.ir import build, control, dims, ops
from tracejit.ir.closing import Body, placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.invariant import around
from tracejit.ir.node import ArrayType, Node, postorder
from tracejit.ir.types import BOOL
from tracejit.trace.carried import Unsettled, required, results_of, settled, take
from tracejit.trace.effects import State, Variables
from tracejit.trace.memory import Log, put
from tracejit.trace.pieces import (
    Found,
    by_elements,
    canonical,
    conjunction,
    nothing,
    traced,
    tried,
    value_of,
)  # fmt: skip
from tracejit.trace.ranges import Steps
from tracejit.trace.trace import Trace, condition
from tracejit.trace.tracer import Kind, Tracer, wrap

__all__ = [
    "Truth", "either", "for_steps", "if_true", "negated", "predicate", "tried", "while_true",
    "wrap_length",
]  # fmt: skip
#: Steps that are traced by themselves before a loop, at most.
PEELED = 2


@by_elements
def for_steps(
    trace: Trace,
    first: Dim,
    count: Dim,
    by: int,
    body: Callable[[Tracer], Any],
    variables: Variables,
    held: Sequence[Any],
) -> None:
    """A loop of `count` steps, whose number goes from `first` by steps of `by`.

    `held` are values that the body reads; containers among them must stay as they are.
    """
    for peeled in range(PEELED + 1):
        rest = dims.sub(count, peeled)
        if not _is_positive(trace, rest):
            return
        start = dims.add(first, by * peeled)
        if rest != 1:
            try:
                return _scanned(trace, start, rest, by, body, variables, held)
            except Unsettled:
                pass
        body(wrap_length(start))
    raise NotTraceable(
        "the type of a variable changes at each step of a loop",
        "give it, before the loop, the type that it has in the end",
    )


def _is_positive(trace: Trace, d: Dim) -> bool:
    return d > 0 if isinstance(d, int) else trace.truth(condition("greater", d, 0))


def wrap_length(d: Dim) -> Tracer:
    """A length, or a position, as a number of Python's."""
    return Tracer(d, "number") if isinstance(d, Node) else wrap(d)


def _scanned(
    trace: Trace,
    first: Dim,
    count: Dim,
    by: int,
    body: Callable[[Tracer], Any],
    variables: Variables,
    held: Sequence[Any],
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

    carried, found = settled(trace, run, variables, held)
    extra = required(found)
    starts, params, results, [total] = canonical(
        trace, [*(s.node for s in carried.starts), *extra.starts],
        [*carried.params, *extra.params, step], [*results_of(carried, found), *extra.results],
        [dims.as_node(count)],
    )  # fmt: skip
    made = Body(tuple(results))
    outside = around(made, frozenset(params))
    node = control.steps_of(starts, total, [], params, made, outside, trace.origin())
    extra.take(trace, take(control.items(node), carried, variables))


@by_elements
def while_true(
    trace: Trace,
    test: Callable[[], Any],
    body: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
) -> None:
    """A loop that goes on while `test`, which is of a traced value, holds."""
    for _ in range(PEELED + 1):
        decisions: list[Node] = []

        def run(decisions: list[Node] = decisions) -> None:
            decisions[:] = [predicate(test())]
            body()

        try:
            carried, found = settled(trace, run, variables, held)
        except Unsettled:
            # The first step by itself: it is done where the test holds.
            if_true(trace, test(), body, lambda: None, variables, held)
            continue
        extra = required(found)
        for ok in extra.params:  # what raises leaves the loop
            decisions[:] = [build.elementwise("logical_and", ok, *decisions)]
        starts, params, results, decided = canonical(
            trace, [*(s.node for s in carried.starts), *extra.starts],
            [*carried.params, *extra.params], [*results_of(carried, found), *extra.results],
            decisions,
        )  # fmt: skip
        made, tested = Body(tuple(results)), Body(tuple(decided))
        outside = around(made, frozenset(params)) | around(tested, frozenset(params))
        node = control.loop(starts, params, tested, made, outside, trace.origin())
        extra.take(trace, take(control.items(node), carried, variables))
        return
    raise NotTraceable("the type of a variable changes at each step of a loop")


@by_elements
def if_true(
    trace: Trace,
    test: Any,
    then: Callable[[], Any],
    otherwise: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
) -> Any:
    """One of two pieces, by a traced value, and what it returns: each is traced, one is run."""
    decided, before = predicate(test), variables.get()
    sides = [_side(trace, piece, variables, held) for piece in (then, otherwise)]
    for k, other in ((0, otherwise), (1, then)):
        if sides[k].error is not None:
            if sides[1 - k].error is not None:
                raise NotTraceable("both sides of a branch raise")
            holds = decided if k else build.elementwise("logical_not", decided)
            trace.require(holds, holds, holds)
            return other()
    names = variables.names
    places = sorted(k for k in {*sides[0].values, *sides[1].values} if names[k] in variables.live)
    arrays = {k: a for side in sides for k, (a, _) in side.arrays.items()}
    given = [side.result if type(side.result) is tuple else (side.result,) for side in sides]
    gives = any(side.result is not None for side in sides)
    if gives and (
        len(given[0]) != len(given[1]) or len({type(s.result) is tuple for s in sides}) > 1
    ):
        raise NotTraceable("each side of a branch gives something else")
    values = [[side.values.get(k, before[k]) for k in places] for side in sides]
    for n, k in enumerate(places):
        _fill(names[k], values, n, variables)
    groups: list[list[Tracer]] = []
    for side, own, parts in zip(sides, values, given, strict=True):
        group = [value_of(v, names[k], variables) for k, v in zip(places, own, strict=True)]
        nodes = (side.arrays[k][1] if k in side.arrays else a.node for k, a in arrays.items())
        group += map(Tracer, nodes)
        group += [value_of(part, "a value", variables) for part in parts] if gives else []
        groups.append(group)
    for a, b in zip(*groups, strict=True):
        if (a.kind, a.node.type) != (b.kind, b.node.type):
            raise NotTraceable(
                "a variable has another type on each side of a branch",
                "convert it: float(x), np.float64(x), x.astype(...)",
            )
    checked = any(side.checks for side in sides)
    if checked:
        for group, side in zip(groups, sides, strict=True):
            group.append(Tracer(conjunction(side.checks), "number"))
    if not groups[0]:
        return None
    a, b, [decided] = canonical(trace, *([v.node for v in g] for g in groups), [decided])
    bodies = [Body(tuple(a)), Body(tuple(b))]
    known = set(postorder([decided, *(a.node for a in arrays.values())]))
    known |= set(postorder([v.node for v in before if isinstance(v, Tracer)]))
    outside = (around(bodies[0], frozenset()) | around(bodies[1], frozenset())) & known
    node = control.branch(decided, bodies[0], bodies[1], outside, trace.origin())
    items = iter(control.items(node))
    now = variables.get()
    for k, value in zip(places, groups[0], strict=False):
        now[k] = Tracer(next(items), value.kind)
    variables.set(now)
    for array in arrays.values():
        build.solver().wrote(array)
        put(array, next(items))
    rest = list(items)
    if checked:
        ok = rest.pop()
        trace.require(ok, ok, ok)
    if not gives:
        return None
    like = groups[0][-len(given[0]) - checked :]
    result = tuple(Tracer(item, v.kind) for item, v in zip(rest, like, strict=False))
    return result if type(sides[0].result) is tuple else result[0]


def _fill(name: str, sides: list[list[Any]], n: int, variables: Variables) -> None:
    """A value for what has none on one side, and is asked for only where the other one ran."""
    if not name.startswith("."):  # what a rewritten function returns
        return
    for own, other in (sides, sides[::-1]):
        if own[n] is variables.unbound and other[n] is not variables.unbound:
            like = value_of(other[n], name, variables)
            own[n] = nothing(like, name)


def _side(
    trace: Trace, piece: Callable[[], Any], variables: Variables, held: Sequence[Any]
) -> Found:
    """What one side of a branch changes; or what it raises, if that is the user's."""
    state = State(trace)
    try:
        return traced(trace, piece, variables, held)
    except NotTraceable:
        raise
    except Exception as error:
        state.restore()
        return Found({}, {}, error=error.with_traceback(None))


class Truth:
    """A truth value that would be Python's or NumPy's, by what it is: for branches alone."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def __bool__(self) -> bool:
        raise NotTraceable("Python asks for a truth value that is Python's or NumPy's", "compare")


def either(
    trace: Trace, name: str, first: Any, other: Callable[[], Any], held: Sequence[Any]
) -> Any:
    """``first and other()``, or ``or``, of truth values."""
    log = Log()
    trace.logs.append(log)
    try:
        second = other()
    finally:
        trace.logs.pop()
    a, b = predicate(first), predicate(second)
    truths = [getattr(v, "node", None) is None or v.node.dtype == BOOL for v in (first, second)]
    if not all(truths) or log.before:
        raise NotTraceable("`and` and `or` of traced values that are no truth values", "compare")
    known = set(postorder([a]))
    if any(_may_raise(node) for node in postorder([b]) if node not in known):
        raise NotTraceable("what `and` or `or` guards may raise", "write it as nested ifs")
    node = build.elementwise(name, a, b)
    kinds = {getattr(v, "kind", "number") for v in (first, second)}
    mixed = len(kinds) > 1 or any(isinstance(v, Truth) for v in (first, second))
    kind: Kind = "scalar" if "scalar" in kinds else "number"
    return Truth(node) if mixed else Tracer(node, kind)


def negated(value: Any) -> Tracer:
    """``not value``."""
    return Tracer(build.elementwise("logical_not", predicate(value)), "number")


def _may_raise(node: Node) -> bool:
    return node.op in (ops.GATHER, ops.SCATTER) or bool(getattr(node.op, "trap", None))


def predicate(test: Any) -> Node:
    """The truth of a value, as a branch or a loop takes it."""
    node = test.node if isinstance(test, Truth) else wrap(test).node
    if node.shape:
        raise NotTraceable("the truth value of an array with axes is asked for", "use any or all")
    if node.dtype != BOOL:
        zero = build.constant(node.dtype.type(0).item(), node.dtype)
        node = build.elementwise("not_equal", node, zero)
    return node if node.type == ArrayType(BOOL) else build.cast(node, BOOL)
