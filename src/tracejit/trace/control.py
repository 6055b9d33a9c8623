"""Loops whose bodies are traced once: regions.

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
from tracejit.ir.node import Node
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
from tracejit.trace.effects import Variables
from tracejit.trace.mixed import known
from tracejit.trace.pieces import around, by_parts, canonical
from tracejit.trace.ranges import Steps
from tracejit.trace.trace import Trace, condition
from tracejit.trace.tracer import Tracer, wrap

#: Steps that are traced by themselves before a loop, at most.
PEELED = 2


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
    peels = ("peeled", getattr(body, "__code__", body))
    for peeled in range(PEELED + 1):
        rest = dims.sub(count, peeled)
        if not _is_positive(trace, rest):
            return
        start = dims.add(first, by * peeled)
        if rest != 1 and peeled >= trace.learned.get(peels, 0):
            try:
                return _scanned(trace, start, rest, by, body, variables, held)
            except Unsettled:
                trace.learned[peels] = peeled + 1
            except Exchanged as found:
                return _in_turns(trace, start, rest, by, body, found.period, variables, held)
        body(wrap_length(start))
    raise NotTraceable(
        "the type of a variable changes at each step of a loop",
        "give it, before the loop, the type that it has in the end",
    )


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
    for peeled in range(PEELED + 1):
        rest = dims.sub(count, peeled)
        if not _is_positive(trace, rest):
            return
        start = dims.add(first, by * peeled)
        try:
            return _counted(trace, start, rest, by, body, goes_on, variables, held)
        except Unsettled:
            going = predicate(goes_on())
        except Entered:
            going = known(trace.decisions.decide(predicate(goes_on()))).node

        def step(start: Dim = start) -> None:
            body(wrap_length(start))

        if going.op is not ops.CONST:
            if_true(trace, Tracer(going), step, lambda: None, variables, held)
        elif build.constant_value(going):
            step()
        else:
            return
    raise NotTraceable("the type of a variable changes at each step of a loop")


def _counted(
    trace: Trace,
    first: Dim,
    count: Dim,
    by: int,
    body: Callable[[Tracer], Any],
    goes_on: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
) -> None:
    """The loop as a ``while``, which carries the number of the step."""
    counter: list[Any] = [wrap(0)]
    counts: set[Node] = set()

    def test() -> Node:
        step = dims.from_node(counter[0].node)
        below = condition("less", step, count)
        return build.elementwise("logical_and", below, predicate(goes_on()))

    def step() -> None:
        number = counter[0].node
        if number.op is not ops.CONST:
            counts.add(number)
            trace.counts.add(number)
            trace.steps.append(Steps(number, 0, dims.sub(count, 1)))
        position = dims.from_node(number)
        try:
            body(wrap_length(dims.add(first, dims.mul(by, position))))
        finally:
            if number.op is not ops.CONST:
                trace.steps.pop()
        counter[0] = wrap_length(dims.add(position, 1))

    skipped = predicate(goes_on()).op is not ops.CONST
    try:
        _looped(trace, test, step, variables.counting(counter), held, skipped)
    finally:
        trace.counts -= counts


def _in_turns(
    trace: Trace,
    first: Dim,
    count: Dim,
    by: int,
    body: Callable[[Tracer], Any],
    period: int,
    variables: Variables,
    held: Sequence[Any],
) -> None:
    """The loop with `period` steps at once, after which each array has its variable again."""
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

    carried, found = settled(trace, run, variables, held, skipped=False)
    extra = required(found)
    starts, params, results, [total] = canonical(
        trace, [*(s.node for s in carried.starts), *extra.starts],
        [*carried.params, *extra.params, step], [*results_of(carried, found), *extra.results],
        [dims.as_node(count)],
    )  # fmt: skip
    made = Body(tuple(results))
    outside = around(made, frozenset(params))
    node = control.steps_of(starts, total, [], params, made, outside, trace.origin())
    extra.take(trace, take(control.items(node), carried, found, variables, skipped=False))


@by_parts
def while_true(
    trace: Trace,
    test: Callable[[], Any],
    body: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
) -> None:
    """A loop that goes on while `test`, which is of a traced value, holds."""
    for _ in range(PEELED + 1):
        try:
            return _looped(trace, lambda: predicate(test()), body, variables, held, skipped=True)
        except Unsettled:
            # The first step by itself: it is done where the test holds.
            if_true(trace, test(), body, lambda: None, variables, held)
        except Entered:
            if not trace.decisions.decide(predicate(test())):
                return
            body()
    raise NotTraceable("the type of a variable changes at each step of a loop")


def _looped(
    trace: Trace,
    test: Callable[[], Node],
    body: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
    skipped: bool,
) -> None:
    """The region of a loop that goes on while `test` holds; raises `Unsettled`.

    Where it may be `skipped`, the test may not hold at first.
    """
    decisions: list[Node] = []

    def run() -> None:
        decisions[:] = [trace.decisions.bound(test())]
        body()

    carried, found = settled(trace, run, variables, held, skipped)
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
    extra.take(trace, take(control.items(node), carried, found, variables, skipped))
