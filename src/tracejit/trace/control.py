"""Loops and branches whose bodies are traced once: regions.

A body is a function of Python's that assigns the variables of the function around it. It is traced
to see what it changes, undone, and traced again with placeholders in the place of that, until it
changes nothing else. What it has made of the placeholders is the region. Where a value has another
type after the first step than before it (``s = 0`` that becomes a float64), that step is traced by
itself, and the loop begins with the next.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar, cast

from tracejit.errors import NotTraceable
from tracejit.ir import build, control, dims, ops
from tracejit.ir.closing import Body, placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import ArrayType, Node, postorder
from tracejit.ir.region import Check
from tracejit.ir.rewrite import replaced
from tracejit.ir.types import BOOL
from tracejit.trace.effects import Log, State, Variables, contents, put, require_same
from tracejit.trace.memory import births
from tracejit.trace.ranges import Steps
from tracejit.trace.trace import Trace, condition
from tracejit.trace.tracer import Kind, Tracer, wrap

#: What is as good inside of a region, from what it reads.
_MOVED = (ops.POLY, ops.DIM, ops.CONST, ops.IOTA, ops.VIEW, ops.RESHAPE)
#: Steps that are traced by themselves before a loop, at most.
PEELED = 2
F = TypeVar("F", bound=Callable[..., Any])
#: What a carried number of Python's may grow by at each step: more could leave 64 bits.
GROWTH = 1 << 20


class _Unsettled(BaseException):  # no handler of the user's is for it
    """A value has another type after a step than before it."""


class _Structured(BaseException):
    """A variable is a tuple, of so many elements."""

    def __init__(self, place: int, count: int) -> None:
        self.place, self.count = place, count


def _by_elements(f: F) -> F:
    """`f` with a place for each element of variables that are tuples."""

    @functools.wraps(f)
    def call(trace: Trace, *args: Any) -> Any:
        *others, variables, held = args
        while True:
            try:
                return f(trace, *others, variables, held)
            except _Structured as found:
                variables = variables.split(found.place, found.count)

    return cast(F, call)


class _Carried(NamedTuple):
    """What a loop carries: variables, by their places, and arrays; starts and placeholders."""

    places: list[int]
    arrays: list[Any]
    starts: list[Tracer]
    params: list[Node]


class _Found(NamedTuple):
    """What a piece changes: places of variables and their values, arrays and their nodes.

    `result` is what it returns, and `checks` must hold where it runs. One that always raises has
    another exception than NotTraceable.
    """

    values: dict[int, Any]
    arrays: dict[int, tuple[Any, Node]]
    result: Any = None
    checks: tuple[Check, ...] = ()
    error: Exception | None = None


# Loops --------------------------------------------------------------------------------------------


@_by_elements
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
            except _Unsettled:
                pass
        body(wrap_length(start))
    raise NotTraceable(
        "the type of a variable changes at each step of a loop",
        "give it, before the loop, the type that it has in the end",
    )


def _body(results: Sequence[Node], checks: Sequence[Check], holds: Sequence[Node]) -> Body:
    """A body with its checks, whose conditions are now those."""
    new = (replace(c, condition=node) for c, node in zip(checks, holds, strict=True))
    return Body(tuple(results), tuple(new))


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

    carried, found = _settled(trace, run, variables, held)
    starts, params, results, [total], holds = _canonical(
        trace, [s.node for s in carried.starts], [*carried.params, step],
        _results(carried, found), [dims.as_node(count)], [c.condition for c in found.checks],
    )  # fmt: skip
    made = _body(results, found.checks, holds)
    around = _around(made, frozenset(params))
    node = control.steps_of(starts, total, [], params, made, around, trace.origin())
    _take(control.items(node), carried, variables)


@_by_elements
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
            carried, found = _settled(trace, run, variables, held)
        except _Unsettled:
            # The first step by itself: it is done where the test holds.
            if_true(trace, test(), body, lambda: None, variables, held)
            continue
        starts, params, results, decided, holds = _canonical(
            trace, [s.node for s in carried.starts], carried.params, _results(carried, found),
            decisions, [c.condition for c in found.checks],
        )  # fmt: skip
        made, tested = _body(results, found.checks, holds), Body(tuple(decided))
        around = _around(made, frozenset(params)) | _around(tested, frozenset(params))
        node = control.loop(starts, params, tested, made, around, trace.origin())
        _take(control.items(node), carried, variables)
        return
    raise NotTraceable("the type of a variable changes at each step of a loop")


# Branches -----------------------------------------------------------------------------------------


@_by_elements
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
        group = [_value(v, names[k], variables) for k, v in zip(places, own, strict=True)]
        nodes = (side.arrays[k][1] if k in side.arrays else a.node for k, a in arrays.items())
        group += map(Tracer, nodes)
        group += [_value(part, "a value", variables) for part in parts] if gives else []
        groups.append(group)
    for a, b in zip(*groups, strict=True):
        if (a.kind, a.node.type) != (b.kind, b.node.type):
            raise NotTraceable(
                "a variable has another type on each side of a branch",
                "convert it: float(x), np.float64(x), x.astype(...)",
            )
    if not groups[0] and not any(side.checks for side in sides):
        return None
    a, b, [decided], c, d = _canonical(
        trace, *([v.node for v in g] for g in groups), [decided],
        *([c.condition for c in side.checks] for side in sides),
    )  # fmt: skip
    bodies = [_body(a, sides[0].checks, c), _body(b, sides[1].checks, d)]
    known = set(postorder([decided, *(a.node for a in arrays.values())]))
    known |= set(postorder([v.node for v in before if isinstance(v, Tracer)]))
    around = (_around(bodies[0], frozenset()) | _around(bodies[1], frozenset())) & known
    node = control.branch(decided, bodies[0], bodies[1], around, trace.origin())
    items = iter(control.items(node))
    now = variables.get()
    for k, value in zip(places, groups[0], strict=False):
        now[k] = Tracer(next(items), value.kind)
    variables.set(now)
    for array in arrays.values():
        build.solver().wrote(array)
        put(array, next(items))
    if not gives:
        return None
    result = tuple(
        Tracer(item, value.kind)
        for item, value in zip(items, groups[0][-len(given[0]) :], strict=True)
    )
    return result if type(sides[0].result) is tuple else result[0]


def _fill(name: str, sides: list[list[Any]], n: int, variables: Variables) -> None:
    """A value for what has none on one side, and is asked for only where the other one ran."""
    if not name.startswith("."):  # what a rewritten function returns
        return
    for own, other in (sides, sides[::-1]):
        if own[n] is variables.unbound and other[n] is not variables.unbound:
            like = _value(other[n], name, variables)
            own[n] = _nothing(like, name)


def _side(
    trace: Trace, piece: Callable[[], Any], variables: Variables, held: Sequence[Any]
) -> _Found:
    """What one side of a branch changes; or what it raises, if that is the user's."""
    state = State(trace)
    try:
        return _traced(trace, piece, variables, held)
    except NotTraceable:
        raise
    except Exception as error:
        state.restore()
        return _Found({}, {}, error=error.with_traceback(None))


class Truth(NamedTuple):
    """A truth value that would be Python's or NumPy's, by what it is: for branches alone."""

    node: Node


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


# Tracing a piece ----------------------------------------------------------------------------------


@_by_elements
def tried(
    trace: Trace, piece: Callable[[], Any], variables: Variables, held: Sequence[Any]
) -> None:
    """Trace a piece, and undo all of it."""
    state = State(trace)
    try:
        _traced(trace, piece, variables, held)
    finally:
        state.restore()


def _traced(
    trace: Trace, piece: Callable[[], Any], variables: Variables, held: Sequence[Any]
) -> _Found:
    """What a piece does, which is then undone, but for the questions that have been asked."""
    before, log, state, since = variables.get(), Log(), State(trace), next(births)
    parts = contents([*held, *before])
    trace.logs.append(log)
    try:
        result = piece()
        require_same(parts, [*held, *before])
        state.require_pure()
        after = variables.get()
        written = {k: (a, a.node) for k, (a, _) in log.before.items() if a.born < since}
        checks = state.take_requirements()
    finally:
        trace.logs.pop()
        for array, node in log.before.values():
            put(array, node)
        variables.set(before)
    changed = {k: v for k, v in enumerate(after) if v is not before[k]}
    for k, v in changed.items():
        if type(v) is tuple:
            raise _Structured(k, len(v))
    _require_own([*changed.values(), result], since)
    return _Found(changed, written, result, checks)


def _require_own(values: Sequence[Any], since: int) -> None:
    """NotTraceable for an array that has another name, by which it could be written into."""
    arrays = [v for v in values if isinstance(v, Tracer) and v.kind == "array"]
    if any(a.born < since for a in arrays) or len({id(a) for a in arrays}) < len(arrays):
        raise NotTraceable(
            "in a loop or a branch a variable becomes another array that has a name already",
            "copy it: x = y.copy(), or write into it: x[...] = y",
        )


def _settled(
    trace: Trace, run: Callable[[], None], variables: Variables, held: Sequence[Any]
) -> tuple[_Carried, _Found]:
    """What a body carries, and what it makes of that."""
    before = variables.get()
    carried = _Carried([], [], [], [])
    while True:
        state = State(trace)
        found = _with(trace, carried, run, variables, held)
        fresh = [
            k
            for k in found.values
            if k not in carried.places and variables.names[k] in variables.read | variables.live
        ]
        arrays = [a for a, _ in found.arrays.values() if all(a is not c for c in carried.arrays)]
        if not fresh and not arrays:
            _require_settled(carried, found, variables, trace)
            return carried, found
        state.restore()
        places, every = [*carried.places, *fresh], [*carried.arrays, *arrays]
        starts = list(carried.starts[: len(carried.places)])
        starts += [_start(k, before[k], found.values[k], variables) for k in fresh]
        starts += [Tracer(a.node) for a in every]
        params = [placeholder(s.node.type) for s in starts]
        carried = _Carried(places, every, starts, params)


def _with(
    trace: Trace, carried: _Carried, run: Callable[[], None], variables: Variables, held: Any
) -> _Found:
    """What a body makes of the placeholders."""
    before, saved = variables.get(), [(a, a.node) for a in carried.arrays]
    known, count = list(before), len(carried.places)
    for k, param, start in zip(carried.places, carried.params, carried.starts, strict=False):
        known[k] = Tracer(param, start.kind)
    for array, param in zip(carried.arrays, carried.params[count:], strict=True):
        put(array, param)
    variables.set(known)
    ints = {p for p in carried.params if p.type == INT_SCALAR}
    trace.carried |= ints
    try:
        found = _traced(trace, run, variables, held)
        if any(a is v for a, _ in found.arrays.values() for v in known):
            raise NotTraceable(
                "in a loop an array is written into, and its variable becomes another one",
                "write into it alone: x[...] = y",
            )
        return found
    finally:
        trace.carried -= ints
        for array, node in saved:
            put(array, node)
        variables.set(before)


def _start(place: int, before: Any, after: Any, variables: Variables) -> Tracer:
    """Where a variable starts: at nothing in particular, if it is only assigned."""
    name = variables.names[place]
    if name in variables.read:
        return _value(before, name, variables)
    return _nothing(_value(after, name, variables), name)


def _nothing(like: Tracer, name: str) -> Tracer:
    """A value of a type that nobody reads."""
    node = like.node
    if any(isinstance(d, Node) for d in node.shape):
        raise NotTraceable(f"{name}, of an unknown length, is read after a loop or a branch")
    zero = build.constant(node.dtype.type(0).item(), node.dtype, node.type.weak)
    return Tracer(build.broadcast_to(zero, node.shape), like.kind)


def _value(value: Any, name: str, variables: Variables) -> Tracer:
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


def _require_settled(carried: _Carried, found: _Found, variables: Variables, trace: Trace) -> None:
    whole = frozenset(carried.params) | trace.carried
    for k, start in zip(carried.places, carried.starts, strict=False):
        if k not in found.values:
            continue
        value = _value(found.values[k], variables.names[k], variables)
        if (value.kind, value.node.type) != (start.kind, start.node.type):
            raise _Unsettled
        if value.node.type == INT_SCALAR and not _stays_small(value.node, whole, trace):
            raise NotTraceable(
                f"{variables.names[k]}, an integer of Python's, may grow beyond 64 bits in a loop",
                "make it one of NumPy's: np.int64(0)",
            )


def _stays_small(result: Node, carried: frozenset[Node], trace: Trace) -> bool:
    """Whether a number of Python's is one of the `carried` ones, or small, and little besides."""
    if result.op is ops.CONST:
        return abs(int(build.constant_value(result))) <= GROWTH
    numbers = {steps.number for steps in trace.steps}
    terms = dims.poly(dims.from_node(result))
    if abs(terms.pop((), 0)) > GROWTH:
        return False
    grown = small = 0
    for monomial, factor in terms.items():
        [atom, *others] = monomial
        if others or (factor < 0 and atom in carried):
            return False
        if atom in carried or (atom.op is ops.ITEM and _is_chosen(atom, carried, trace)):
            grown += factor
        elif atom.op in (ops.DIM, ops.INPUT) or atom in numbers:
            small += abs(factor)
        else:
            return False
    return grown <= 1 and small <= 1


def _is_chosen(result: Node, carried: frozenset[Node], trace: Trace) -> bool:
    """Whether a number is what one side of a branch gives, each of which is small."""
    node = result.args[0]
    if node.op is not ops.COND:
        return False
    regions, captures = node.attr[0], node.args[1:]
    return all(
        _stays_small(
            region.results[result.attr],
            frozenset(p for p, c in zip(region.params, captures, strict=True) if c in carried),
            trace,
        )
        for region in regions
    )


def _canonical(trace: Trace, *groups: Sequence[Node]) -> list[list[Node]]:
    """Groups of nodes, with lengths that stand for others replaced."""
    table = {key: dims.as_node(target) for key, target in trace.substitutions.items()}
    nodes = iter(replaced([node for group in groups for node in group], table))
    return [[next(nodes) for _ in group] for group in groups]


def _results(carried: _Carried, found: _Found) -> list[Node]:
    """What the carried values are after a step."""
    count = len(carried.places)
    results = [
        wrap(found.values[k]).node if k in found.values else param
        for k, param in zip(carried.places, carried.params, strict=False)
    ]
    for array, param in zip(carried.arrays, carried.params[count:], strict=True):
        written = found.arrays.get(id(array))
        results.append(param if written is None else written[1])
    return results


def _take(items: Sequence[Node], carried: _Carried, variables: Variables) -> None:
    """Let variables and arrays have what a loop has come to."""
    now = variables.get()
    count = len(carried.places)
    for k, item, start in zip(carried.places, items, carried.starts, strict=False):
        now[k] = Tracer(item, start.kind)
    variables.set(now)
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
    return _computed(found)


def _computed(nodes: set[Node]) -> set[Node]:
    """What of `nodes` is worth a place: of what only moves elements, what it reads."""
    result: set[Node] = set()
    stack, seen = list(nodes), set(nodes)
    while stack:
        node = stack.pop()
        if node.op not in _MOVED:
            result.add(node)
            continue
        parts = [a for a in (*node.args, *node.dims) if a not in seen]
        seen.update(parts)
        stack += parts
    return result
