"""Loops by a condition, whose bodies are traced once: regions.

A body is a function of Python's that assigns the variables of the function around it. It is traced
to see what it changes, undone, and traced again with placeholders in the place of that, until it
changes nothing else. What it has made of the placeholders is the region.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracejit.errors import NotTraceable
from tracejit.ir import build, control
from tracejit.ir.closing import Body
from tracejit.ir.dims import Dim
from tracejit.ir.invariant import around
from tracejit.ir.node import Node
from tracejit.trace.branches import if_true, predicate
from tracejit.trace.carried import Entered, Unsettled, required, results_of, settled, take
from tracejit.trace.effects import Variables
from tracejit.trace.facts import consequences
from tracejit.trace.memory import Log
from tracejit.trace.pieces import by_parts, canonical, nodes_of, note_added
from tracejit.trace.trace import Trace

#: Steps that are traced by themselves before a loop, at most.
PEELED = 2


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
            return looped(
                trace, lambda: predicate(test()), body, variables, held, skipped=True, code=body
            )
        except Unsettled:
            # The first step by itself: it is done where the test holds.
            if_true(trace, test(), body, lambda: None, variables.going_on(), held)
        except Entered:
            if not trace.decisions.decide(predicate(test())):
                return
            body()
    raise NotTraceable("the type of a variable changes at each step of a loop")


def _pure(trace: Trace, test: Callable[[], Node], variables: Variables) -> Node:
    """The test of a loop, which changes nothing: it is made once more than the body."""
    before, log = variables.get(), Log(region=False)
    trace.logs.append(log)
    try:
        decided = test()
    finally:
        trace.logs.remove(log)
    after = variables.get()
    if log.before or any(a is not b for a, b in zip(before, after, strict=True)):
        raise NotTraceable(
            "the test of a loop assigns a variable, or writes into an array",
            "write: while True: ...; if not test: break",
        )
    return decided


def looped(
    trace: Trace,
    test: Callable[[], Node],
    body: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
    skipped: bool,
    code: object,
    most: Dim | None = None,
) -> None:
    """The region of a loop that goes on while `test` holds; raises `Unsettled`.

    Where it may be `skipped`, the test may not hold at first. There are at `most` so many steps.
    The `code` tells bodies apart.
    """
    decisions: list[Node] = []

    def run() -> None:
        decisions[:] = [trace.decisions.bound(_pure(trace, test, variables))]
        with trace.facts.known(consequences(decisions[0], True)):
            body()

    carried, found = settled(trace, run, variables, held, skipped, code)
    extra = required(found)
    for ok in extra.params:  # what raises leaves the loop
        decisions[:] = [build.elementwise("logical_and", ok, *decisions)]
    starts, params, results, decided = canonical(
        trace, [*(s.node for s in carried.starts), *extra.starts],
        [*carried.params, *extra.params], [*results_of(carried, found), *extra.results],
        decisions,
    )  # fmt: skip
    note_added(trace, [found.added], most)
    made, tested = Body(tuple(results)), Body(tuple(decided))
    before = nodes_of(trace, [*held, *variables.get()])
    outside = around(made, params, before) | around(tested, params, before)
    node = control.loop(starts, params, tested, made, outside, trace.origin())
    trace.take_loop()
    extra.take(trace, take(trace, control.items(node), carried, found, variables, skipped))
