"""Loops of a number of steps that is known when they begin: their body is traced once.

Where a value has another type after the first step than before it (``s = 0`` that becomes a
float64), that step is traced by itself, and the loop begins with the next. Where an answer changes
from one step to another (is ``x[:i]`` empty?), the loop becomes two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tracejit.errors import NotTraceable, PieceRaises
from tracejit.ir import build, control, dims, ops
from tracejit.ir.closing import Body, placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.invariant import around
from tracejit.ir.lengths import non_negative
from tracejit.ir.node import Node
from tracejit.trace import expectations
from tracejit.trace.bits import bits_of
from tracejit.trace.branches import if_true, predicate
from tracejit.trace.carried import (
    Entered,
    Exchanged,
    Unsettled,
    required,
    results_of,
    settled,
    take,
)
from tracejit.trace.control import looped
from tracejit.trace.effects import State, Variables
from tracejit.trace.pieces import by_parts, canonical, nodes_of, note_added, traced, tried
from tracejit.trace.ranges import Divided, Steps, changing, depends, holds
from tracejit.trace.trace import Trace, condition
from tracejit.trace.tracer import Tracer, wrap

#: Steps that are traced by themselves at most, and loops that one is divided into.
PEELED, PARTS = 2, 6
#: A loop of so many steps from a number on, which may be skipped; the numbers of its steps are put
#: among its `own`.
Region = Callable[[Dim, Dim, "set[Node]", bool], None]


@by_parts
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

    def region(start: Dim, rest: Dim, own: set[Node], skipped: bool) -> None:
        steps = Steps(placeholder(INT_SCALAR), 0, dims.sub(rest, 1))
        own.add(steps.number)
        _scanned(trace, start, by, steps, body, variables, held, skipped)

    def step(start: Dim) -> bool:
        body(wrap_length(start))
        return True

    def again(start: Dim, rest: Dim) -> None:
        for_steps(trace, start, rest, by, body, variables, held)

    try:
        code = getattr(body, "__code__", body)
        _in_parts(trace, first, count, by, region, step, again, code, variables, held)
    except Exchanged as found:
        _in_turns(trace, found, by, body, variables, held)


def _in_turns(
    trace: Trace,
    found: Exchanged,
    by: int,
    body: Callable[[Tracer], Any],
    variables: Variables,
    held: Sequence[Any],
) -> None:
    """What is left of a loop, several steps at once: then each array has its variable again."""
    first, count, period = *found.rest, found.period
    turns, rest = dims.floordiv(count, period), dims.mod(count, period)
    left = next(k for k in range(period) if k == period - 1 or _is_equal(trace, rest, k))

    def step(number: Tracer) -> None:
        start = dims.from_node(number.node)
        for k in range(period):
            body(wrap_length(dims.add(start, by * k)))

    if _is_positive(trace, turns):
        for_steps(trace, first, turns, by * period, step, variables, held)
    for k in range(left):
        body(wrap_length(dims.add(first, dims.mul(by, dims.add(dims.mul(turns, period), k)))))


def _is_equal(trace: Trace, a: Dim, b: int) -> bool:
    return a == b if isinstance(a, int) else trace.equal(a, b)


@by_parts
def for_until(
    trace: Trace,
    first: Dim,
    count: Dim,
    by: int,
    body: Callable[[Tracer], Any],
    goes_on: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
) -> None:
    """`for_steps` that ends before a step at which `goes_on`, of a traced value, does not hold."""

    def region(start: Dim, rest: Dim, own: set[Node], skipped: bool) -> None:
        going = predicate(goes_on())
        if going.op is ops.CONST and not build.constant_value(going):
            return  # a step before, by itself, has left
        _counted(trace, start, rest, by, body, goes_on, variables, held, own, skipped)

    def step(start: Dim) -> bool:
        going = predicate(goes_on())
        if going.op is ops.CONST:
            if build.constant_value(going):
                body(wrap_length(start))
            return bool(build.constant_value(going))

        def one() -> None:
            body(wrap_length(start))

        if_true(trace, Tracer(going), one, lambda: None, variables.going_on(), held)
        return True

    def again(start: Dim, rest: Dim) -> None:
        for_until(trace, start, rest, by, body, goes_on, variables, held)

    code = getattr(body, "__code__", body)
    _in_parts(trace, first, count, by, region, step, again, code, variables, held)


def _in_parts(
    trace: Trace,
    first: Dim,
    count: Dim,
    by: int,
    region: Region,
    step: Callable[[Dim], bool],
    again: Callable[[Dim, Dim], None],
    body: object,
    variables: Variables,
    held: Sequence[Any],
) -> None:
    """A loop as regions, and steps by themselves, each of which says whether to go on.

    Where it is not known whether there is a step, what follows it is done only if there is, by such
    a loop `again`: a value has the type there that it has after a step.

    How many of these there are at first is remembered of a `body`, for when it is traced again.
    """
    parts: list[tuple[Dim, Dim]] = [(first, count)]
    alone = unsettled = 0
    divided, begun, known = 1, False, ("alone", body)
    while parts:
        start, rest = parts.pop(0)
        certain = _is_certain(trace, rest)
        if certain is False:
            continue
        if rest != 1 and not (certain and not begun and alone < trace.learned.get(known, 0)):
            own: set[Node] = set()
            try:
                region(start, rest, own, not certain)
                begun = True
                continue
            except Exchanged as exchanged:
                if parts:
                    raise NotTraceable("arrays change their variables in a loop of parts") from None
                exchanged.rest = start, rest
                raise
            except Divided as found:
                if found.number not in own:
                    raise
                divided += 1
                _require_inside(trace, found, rest, divided)
                behind = dims.add(start, dims.mul(by, found.at))
                parts[:0] = [(start, found.at), (behind, dims.sub(rest, found.at))]
                continue
            except (Unsettled, Entered):
                unsettled += 1
                if unsettled > PEELED:
                    raise NotTraceable(
                        "the type of a variable changes at each step of a loop",
                        "give it, before the loop, the type that it has in the end",
                    ) from None
        if not certain and (some := trace.answer(condition("greater", rest, 0))) is not True:
            if some is None:
                _where(trace, start, rest, by, step, again, variables, held)
            continue
        if not begun:
            alone += 1
            trace.learned[known] = max(alone, trace.learned.get(known, 0))
        if not step(start):
            return
        if rest != 1:
            parts.insert(0, (dims.add(start, by), dims.sub(rest, 1)))


def _where(
    trace: Trace,
    start: Dim,
    rest: Dim,
    by: int,
    step: Callable[[Dim], bool],
    again: Callable[[Dim, Dim], None],
    variables: Variables,
    held: Sequence[Any],
) -> None:
    """The `rest` of a loop, the first step by itself, where there is any."""

    def some() -> None:
        if step(start):
            again(dims.add(start, by), dims.sub(rest, 1))

    any_left = Tracer(condition("greater", dims.as_node(rest), 0), "number")
    if_true(trace, any_left, some, lambda: None, variables, held)


def _is_certain(trace: Trace, count: Dim) -> bool | None:
    """Whether there is a step; None where that depends on the step of a loop around."""
    if isinstance(count, int) or not depends(count, trace.steps):
        return trace.answer(condition("greater", count, 0))
    if holds(dims.sub(count, 1), trace):
        return True
    return False if holds(dims.mul(-1, count), trace) else None


def _is_positive(trace: Trace, d: Dim) -> bool:
    return d > 0 if isinstance(d, int) else trace.truth(condition("greater", d, 0))


def _require_inside(trace: Trace, found: Divided, count: Dim, parts: int) -> None:
    """Refuse a loop that cannot be divided within its steps, or is in too many parts already."""
    after = dims.sub(count, found.at)
    known = all(
        _is_positive(trace, d) if isinstance(d, int) or not depends(d, trace.steps)
        else holds(d, trace)
        for d in (found.at, after)
    )  # fmt: skip
    if not known or parts > PARTS:
        raise changing(found.test)


def cost(
    trace: Trace,
    count: Dim,
    body: Callable[[Tracer], Any],
    variables: Variables,
    held: Sequence[Any],
) -> int:
    """How many operations a step is: of any number, or of the first, where it must be known."""
    steps = Steps(placeholder(INT_SCALAR), 0, dims.sub(count, 1))
    trace.noted(steps.number, bits_of(steps.last))

    def one() -> None:
        trace.steps.append(steps)
        try:
            body(wrap_length(steps.number))
        finally:
            trace.steps.pop()

    try:
        return _tried_step(trace, one, body, variables, held)
    except NotTraceable as refusal:
        refusal.forget()
    except (Divided, Unsettled, PieceRaises):
        pass
    return tried(trace, lambda: body(wrap_length(0)), variables, held)


@by_parts
def _tried_step(
    trace: Trace,
    step: Callable[[], None],
    body: Callable[[Tracer], Any],
    variables: Variables,
    held: Sequence[Any],
) -> int:
    """`tried`; what the step of a `body` has changed is expected of the others."""
    before, state = variables.get(), State(trace)
    try:
        found = traced(trace, step, variables, held)
        expectations.note_found(trace, body, variables, before, found)
        return trace.budget.made - state.made
    finally:
        state.restore()


def wrap_length(d: Dim) -> Tracer:
    """A length, or a position, as a number of Python's."""
    return Tracer(d, "number") if isinstance(d, Node) else wrap(d)


def _scanned(
    trace: Trace,
    first: Dim,
    by: int,
    steps: Steps,
    body: Callable[[Tracer], Any],
    variables: Variables,
    held: Sequence[Any],
    skipped: bool,
) -> None:
    number = dims.add(first, dims.mul(by, steps.number))

    trace.noted(steps.number, bits_of(steps.last))

    def run() -> None:
        trace.steps.append(steps)
        try:
            with trace.facts.known([steps.number, dims.sub(steps.last, steps.number)]):
                body(wrap_length(number))
        finally:
            trace.steps.pop()

    carried, found = settled(trace, run, variables, held, skipped, body, steps)
    extra = required(found)
    starts, params, results, [total] = canonical(
        trace, [*(s.node for s in carried.starts), *extra.starts],
        [*carried.params, *extra.params, steps.number],
        [*results_of(carried, found), *extra.results], [dims.as_node(dims.add(steps.last, 1))],
    )  # fmt: skip
    note_added(trace, [_most(found.added, steps)], _often(steps, skipped))
    made = Body(tuple(results))
    outside = around(made, frozenset(params), nodes_of(trace, [*held, *variables.get()]))
    node = control.steps_of(starts, total, [], params, made, outside, trace.origin())
    trace.take_loop()
    extra.take(trace, take(trace, control.items(node), carried, found, variables, skipped))


def _often(steps: Steps, skipped: bool) -> Dim:
    """How many steps there are at most."""
    count = dims.add(steps.last, 1)
    return dims.maximum(count, 0) if skipped and not non_negative(count) else count


def _most(
    added: Mapping[int, tuple[Any, Dim | None]], steps: Steps
) -> dict[int, tuple[Any, Dim | None]]:
    """By how many elements lists grow at any step, at most."""
    return {key: (grown, _greatest(count, steps)) for key, (grown, count) in added.items()}


def _greatest(count: Dim | None, steps: Steps) -> Dim | None:
    """The greatest length at a step, where the number of the step is no factor of others."""
    if not isinstance(count, Node) or not depends(count, [steps]):
        return count
    terms = dims.poly(count)
    factor = terms.pop((steps.number,), 0)
    rest = dims.from_poly(terms)
    if isinstance(rest, Node) and depends(rest, [steps]):
        return None
    return dims.add(rest, dims.mul(factor, steps.last)) if factor > 0 else rest


def _counted(
    trace: Trace,
    first: Dim,
    count: Dim,
    by: int,
    body: Callable[[Tracer], Any],
    goes_on: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
    own: set[Node],
    skipped: bool,
) -> None:
    """The loop as a ``while``, which carries the number of the step, one of its `own`."""
    counter: list[Any] = [wrap(0)]

    def test() -> Node:
        step = dims.from_node(counter[0].node)
        below = condition("less", step, count)
        return build.elementwise("logical_and", below, predicate(goes_on()))

    def step() -> None:
        number = counter[0].node
        if number.op is not ops.CONST:
            own.add(number)
            trace.counts.add(number)
            trace.steps.append(Steps(number, 0, dims.sub(count, 1)))
            trace.noted(number, bits_of(count))
        position = dims.from_node(number)
        facts = [position, dims.sub(dims.sub(count, 1), position)]
        try:
            with trace.facts.known(facts if number.op is not ops.CONST else []):
                body(wrap_length(dims.add(first, dims.mul(by, position))))
        finally:
            if number.op is not ops.CONST:
                trace.steps.pop()
        counter[0] = wrap_length(dims.add(position, 1))

    skipped = skipped or predicate(goes_on()).op is not ops.CONST
    try:
        most = count if not skipped or non_negative(count) else dims.maximum(count, 0)
        looped(trace, test, step, variables.counting(counter), held, skipped, body, most)
    finally:
        trace.counts -= own
