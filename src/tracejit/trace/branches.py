"""Branches by traced values, of which both sides are traced, and truth values of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracejit.errors import NotTraceable, PieceRaises, Raising
from tracejit.ir import build, control, dims, lengths
from tracejit.ir.closing import Body
from tracejit.ir.dims import INT_SCALAR
from tracejit.ir.invariant import is_guarded, read_of
from tracejit.ir.node import ArrayType, Node, postorder, type_text
from tracejit.ir.types import BOOL
from tracejit.trace.bits import bits_of
from tracejit.trace.effects import NOTHING, State, Variables
from tracejit.trace.facts import consequences
from tracejit.trace.lists import TracedList, any_in
from tracejit.trace.memory import follow, put
from tracejit.trace.mixed import Mixed, chosen, classes_of, is_constant, known
from tracejit.trace.owners import has_views, is_array, memory_of
from tracejit.trace.pieces import (
    Found,
    Structured,
    alike,
    by_parts,
    by_value,
    canonical,
    conjunction,
    doubtful,
    is_doubtful,
    kept_or_not,
    nodes_of,
    note_added,
    nothing,
    of_lists,
    traced,
    value_of,
)
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer, wrap


@by_parts
def if_true(
    trace: Trace,
    test: Any,
    then: Callable[[], Any],
    otherwise: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
) -> Any:
    """One of two pieces, by a traced value, and what it returns: each is traced, one is run."""
    decided, before, common = predicate(test), variables.get(), variables.shared()
    sides = []
    for piece, answer in ((then, True), (otherwise, False)):
        with trace.facts.known(consequences(decided, answer)):
            assumed = [decided] if answer else _denied(decided)
            sides.append(_side(trace, piece, variables, held, assumed))
    for k, other in ((0, otherwise), (1, then)):
        if sides[k].error is not None:
            if sides[1 - k].error is not None:
                raise NotTraceable("both sides of a branch raise")
            holds = decided if k else build.elementwise("logical_not", decided)
            trace.require(holds, holds, holds)
            return other()
    names = variables.names
    note_added(trace, [side.added for side in sides])
    sides, fixed = _fixed(sides, before, variables)
    places = sorted(k for k in {*sides[0].values, *sides[1].values} if names[k] in variables.live)
    arrays = {k: a for side in sides for k, (a, _) in side.arrays.items()}
    values = [
        [side.values[k] if k in side.values else _after(side, before[k]) for k in places]
        for side in sides
    ]
    places, values, constants = _without_constants(places, values, variables)
    if not trace.decisions.are_possible():
        values = [[_read_only(value) for value in own] for own in values]
    maybe, doubted = _maybe_kept(trace, sides, places, before, variables.places(common))
    for n, k in enumerate(places):
        _fill(names[k], values, n, variables)
        if (classes := classes_of(values[0][n], values[1][n])) is not None:
            raise Structured(k, classes)
    given, result_of = _results([side.result for side in sides])
    groups: list[list[Tracer]] = []
    for side, own, parts in zip(sides, values, given, strict=True):
        group = [value_of(v, names[k], variables) for k, v in zip(places, own, strict=True)]
        nodes = (side.arrays[k][1] if k in side.arrays else a.node for k, a in arrays.items())
        group += map(Tracer, nodes)
        group += [value_of(part, "a value", variables) for part in parts]
        groups.append(group)
    called = [*(names[k] for k in places), *("an array" for _ in arrays)]
    called += ["a value"] * (len(groups[0]) - len(called))
    for name, one, another in zip(called, groups[0], groups[1], strict=True):
        if not alike(trace, one, another, asking=True):
            types = " or ".join(type_text(v.node.type) for v in (one, another))
            raise NotTraceable(
                f"{name.removeprefix('.')} is {types}, as a branch goes",
                "convert it: float(x), np.float64(x), x.astype(...)",
            )
    checked = any(side.checks for side in sides)
    if checked:
        for group, side in zip(groups, sides, strict=True):
            group.append(Tracer(conjunction(side.checks), "number"))
    now = variables.get()
    for k, v in (*fixed.items(), *constants.items()):
        now[k] = v
    if not groups[0]:
        variables.set(now)
        return None
    a, b, [decided] = canonical(trace, *([v.node for v in g] for g in groups), [decided])
    bodies = [Body(tuple(a)), Body(tuple(b))]
    written = [a.node for a in arrays.values()]
    known_before = nodes_of(trace, [*before, *held, *map(Tracer, written)])
    outer = set(postorder([decided, *known_before]))
    outside = read_of(bodies[0], outer) | read_of(bodies[1], outer)
    node = control.branch(decided, bodies[0], bodies[1], outside, trace.origin())
    trace.take_loop()
    items = iter(control.items(node))
    for k, *values_of in zip(places, *groups, strict=False):
        now[k] = _chosen(trace, next(items), values_of)
        if k in maybe:
            kept_or_not(now[k], before[k], k in doubted)
    variables.set(now)
    for array in arrays.values():
        build.solver().wrote(array)
        put(array, next(items))
    rest = list(items)
    if checked:
        ok = rest.pop()
        trace.require(ok, ok, ok)
    first = len(groups[0]) - checked - len(rest)
    like = zip(rest, groups[0][first:], groups[1][first:], strict=False)
    return result_of([_chosen(trace, item, values_of) for item, *values_of in like])


def _chosen(trace: Trace, item: Node, values: Sequence[Tracer]) -> Tracer:
    """One of two values, as the result of a branch."""
    if item.type == INT_SCALAR:
        sides = [dims.from_node(v.node) for v in values]
        extents = [e for e in map(trace.extent, sides) if e is not None]
        if len(extents) == len(sides):
            trace.within(item, min(low for low, _ in extents), max(high for _, high in extents))
        else:
            trace.noted(item, max(map(bits_of, sides)))
    value = Tracer(item, values[0].kind)
    return of_lists(doubtful(value) if any(map(is_doubtful, values)) else value, *values)


def _read_only(value: Any) -> Any:
    """A value in place of an array that others see, or that is a part of one."""
    if not is_array(value) or not has_views(value) or is_doubtful(value):
        return value
    return kept_or_not(Tracer(value.node), value)


def _after(side: Found, value: Any) -> Any:
    """A value of before, after a side that may write into its array."""
    memory = memory_of(value)
    _, node = side.arrays.get(id(memory), (None, None)) if memory is not None else (None, None)
    return value if node is None else of_lists(Tracer(follow(value.path, node)), value)


def _without_constants(
    places: Sequence[int], values: list[list[Any]], variables: Variables
) -> tuple[list[int], list[list[Any]], dict[int, Any]]:
    """Places and values of a branch, without what is the same constant on both sides."""
    constants: dict[int, Any] = {}
    for k, one, other in zip(places, *values, strict=True):
        own = variables.names[k].startswith(".")  # which is read only where it is assigned
        found = {v for v in (one, other) if is_constant(v)}
        rest = [v for v in (one, other) if not is_constant(v)]
        if len(found) == 1 and all(own and v is variables.unbound for v in rest):
            constants[k] = found.pop()
    kept = [n for n, k in enumerate(places) if k not in constants]
    return [places[n] for n in kept], [[v[n] for n in kept] for v in values], constants


def _fixed(
    sides: Sequence[Found], before: Sequence[Any], variables: Variables
) -> tuple[list[Found], dict[int, Any]]:
    """The sides, and the arrays that are what is returned whichever side runs, if that returns."""
    all_fixed = {k: v for side in sides for k, (v, _) in side.fixed.items()}
    same = {}
    for k, v in all_fixed.items():
        others = [side.fixed[k][0] for side in sides if k in side.fixed]
        others += [side.values[k] for side in sides if k in side.values]
        others += [] if before[k] is variables.unbound else [before[k]]
        if all(other is v for other in others):
            same[k] = v
    arrays = [v for k, v in all_fixed.items() if k not in same]
    if len({id(v.memory or v) for v in arrays}) < len(arrays):
        raise NotTraceable("which of several arrays is returned depends on values")
    valued = []
    for side in sides:
        values = {k: by_value(*v) for k, v in side.fixed.items() if k not in same}
        valued.append(side._replace(values={**side.values, **values}))
    return valued, same


def _maybe_kept(
    trace: Trace,
    sides: Sequence[Found],
    places: Sequence[int],
    before: Sequence[Any],
    common: frozenset[int],
) -> tuple[set[int], set[int]]:
    """The variables of which it is not known whose array they have after a branch.

    And those of them that may have one that was not known before. NotTraceable where the branch may
    be decided.
    """
    if any(common & {*side.moved, *side.moved.values()} for side in sides):
        raise NotTraceable(
            "in a branch a variable becomes another array that has a name already",
            "copy it: x = y.copy(), or write into it: x[...] = y",
        )
    maybe, doubted = set(), set()
    for k in places:
        kept = any(k not in side.values for side in sides) and is_array(before[k])
        found = [side.values[k] for side in sides if k in side.values]
        if any(is_array(v) and is_doubtful(v) for v in found):
            doubted.add(k)
        if (kept and k in common) or k in doubted:
            maybe.add(k)
    if maybe and trace.decisions.are_possible():
        raise NotTraceable("whose array a variable has depends on a branch")
    return maybe, doubted


def _results(
    results: Sequence[Any],
) -> tuple[list[list[Any]], Callable[[Sequence[Tracer]], Any]]:
    """The values that both sides of a branch give, and what makes a result of such values."""
    if all(result is None for result in results):
        return [[], []], lambda items: None
    tuples = [type(result) is tuple for result in results]
    if tuples[0] != tuples[1] or (tuples[0] and len(results[0]) != len(results[1])):
        raise NotTraceable("each side of a branch gives something else")
    pairs = list(zip(*results, strict=True)) if tuples[0] else [tuple(results)]
    forms = [classes_of(*pair) for pair in pairs]
    values: list[list[Any]] = [[], []]
    for form, pair in zip(forms, pairs, strict=True):
        for own, value in zip(values, pair, strict=True):
            own += [value] if form is None else form.parts(value) or ()

    def result_of(items: Sequence[Tracer]) -> Any:
        rest = iter(items)
        made = [
            next(rest) if form is None else form.whole([next(rest) for _ in form.names("")])
            for form in forms
        ]
        return tuple(made) if tuples[0] else made[0]

    return values, result_of


def _fill(name: str, sides: list[list[Any]], n: int, variables: Variables) -> None:
    """A value for what has none on one side, and is asked for only where the other one ran."""
    if not name.startswith("."):  # what a rewritten function returns
        return
    for own, other in (sides, sides[::-1]):
        if own[n] is variables.unbound and other[n] is not variables.unbound:
            like = other[n]
            own[n] = (
                like if isinstance(like, Mixed) else nothing(value_of(like, name, variables), name)
            )


def _denied(test: Node) -> list[Node]:
    """What holds where a comparison does not."""
    other = lengths.NEGATED.get(test.op.name)
    return [build.elementwise(other, *test.args)] if other and not test.ndim else []


def _side(
    trace: Trace,
    piece: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
    assumed: Sequence[Node],
) -> Found:
    """What one side of a branch changes; or what it raises, if that is the user's.

    Where it runs, what is `assumed` holds.
    """
    state = State(trace)
    trace.assumed += assumed
    try:
        return traced(trace, piece, variables, held, not trace.decisions.are_possible())
    except Raising as problem:
        problem.forget()
        error: Exception = problem
    except NotTraceable:
        raise
    except PieceRaises as raised:
        error = raised.error
    finally:
        del trace.assumed[len(trace.assumed) - len(assumed) :]
    state.restore()
    return Found({}, {}, error=error.with_traceback(None))


def either(
    trace: Trace, name: str, first: Any, other: Callable[[], Any], held: Sequence[Any]
) -> Any:
    """``first and other()``, or ``or``, of numbers.

    The second one is a branch's where it may raise, or reads what the first one guards.
    """
    a, both = predicate(first), name == "logical_and"
    with trace.facts.known(consequences(a, both)):
        found = traced(trace, other, NOTHING, held)
    second = found.result
    b = predicate(second)
    before = set(postorder([a]))
    guarded = any(is_guarded(node) for node in postorder([b]) if node not in before)
    apart = guarded or bool(found.checks or found.arrays)
    if not (_is_truth(first) and _is_truth(second)):
        return _number(trace, a, first, other if apart else second, both, held)
    node = _guarded(trace, a, other, not both, held) if apart else build.elementwise(name, a, b)
    classes = classes_of(first, second)
    if classes is None:
        return Tracer(node, wrap(first).kind)
    (_, one), (_, two) = (classes.parts(v) or () for v in (first, second))
    decisive = (two, one) if name == "logical_and" else (one, two)
    is_first = build.where(a, *(wrap(v).node for v in decisive))
    return classes.whole([Tracer(node, "scalar"), Tracer(is_first, "number")])


def _number(
    trace: Trace, test: Node, first: Any, second: Any, both: bool, held: Sequence[Any]
) -> Any:
    """The one of two numbers that ``and`` or ``or`` gives; the second may be a piece to run."""
    if callable(second):
        then, otherwise = (second, lambda: first) if both else (lambda: first, second)
        return if_true(trace, Tracer(test), then, otherwise, NOTHING, held)
    return chosen(test, second, first) if both else chosen(test, first, second)


def _is_truth(value: Any) -> bool:
    if isinstance(value, Mixed):
        return value.classes.dtypes == (BOOL,) and not value.classes.constants
    return wrap(value).node.dtype == BOOL


def _guarded(
    trace: Trace, first: Node, other: Callable[[], Any], decided: bool, held: Sequence[Any]
) -> Node:
    """The truth of ``other()``, which is asked for unless `first` is `decided`: a branch."""

    def asked() -> Tracer:
        return Tracer(predicate(other()), "number")

    def left() -> Tracer:
        return known(decided)

    sides = (left, asked) if decided else (asked, left)
    result: Node = if_true(trace, Tracer(first), *sides, NOTHING, held).node
    return result


def negated(value: Any) -> Tracer:
    """``not value``."""
    return Tracer(build.elementwise("logical_not", predicate(value)), "number")


def predicate(test: Any) -> Node:
    """The truth of a value, as a branch or a loop takes it."""
    if isinstance(test, TracedList):
        return predicate(any_in(test))
    if isinstance(test, Mixed):
        return build.where(test.is_first.node, *map(predicate, test.sides()))
    if is_constant(test):
        return known(bool(test)).node
    node = wrap(test).node
    if node.shape:
        raise NotTraceable("the truth value of an array with axes is asked for", "use any or all")
    if node.dtype != BOOL:
        zero = build.constant(node.dtype.type(0).item(), node.dtype)
        node = build.elementwise("not_equal", node, zero)
    return node if node.type == ArrayType(BOOL) else build.cast(node, BOOL)
