"""What a trace may make: operations, seconds, and what is undone."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest

import tracejit
from tracejit.errors import Hurried, NotTraceable, OverBudget, take_refusal
from tracejit.trace import budget
from tracejit.trace.budget import Budget
from tracejit.trace.trace import current


def refused(problem: type[NotTraceable], text: str) -> object:
    take_refusal()
    return pytest.raises(problem, match=text)


def test_operations_are_counted_up_to_what_they_take_to_compile() -> None:
    own = Budget(seconds=0.1)
    assert own.most == pytest.approx(0.1 / budget.SECONDS)
    for _ in range(int(own.most)):
        own.take()
    with refused(OverBudget, "more than the 250 operations of a budget of 0.1 s") as caught:
        own.take()
    assert caught.value.budget == 0.1
    take_refusal()


def test_without_seconds_a_program_is_large_at_some_time() -> None:
    own = Budget()
    assert (own.most, own.until) == (budget.MOST, math.inf)
    own.made = budget.MOST
    with refused(OverBudget, "operations of one program"):
        own.take()
    take_refusal()


def test_the_time_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Budget(seconds=2.0)
    own.until = -1.0
    for _ in range(budget.LOOKS - 1):
        own.take()
    with refused(OverBudget, "more than half of a budget of 2 s"):
        own.take()
    take_refusal()


def test_a_loop_counts_for_more() -> None:
    own = Budget(seconds=2.0)
    own.take_loop()
    assert own.made == budget.LOOP


def test_a_first_trace_ends_at_a_loop_and_where_it_is_large() -> None:
    own = Budget(seconds=2.0, hurried=True)
    own.unroll(budget.FEW)
    with refused(Hurried, "may be a region"):
        own.unroll(budget.FEW + 1)
    for _ in range(budget.FIRST):
        own.take()
    with refused(Hurried, "may be a region"):
        own.take()
    take_refusal()
    patient = Budget(seconds=2.0)
    patient.unroll(10**6)


def test_what_is_undone_counts_too() -> None:
    own = Budget(seconds=0.1)
    for _ in range(budget.UNDONE):
        own.made = 250
        own.undo(0)
    assert own.made == 0
    own.made = 1
    with refused(OverBudget, "traced again more often than a budget of 0.1 s"):
        own.undo(0)
    take_refusal()


@pytest.mark.parametrize("count", [budget.FIRST - 50, budget.FIRST + 100])
def test_a_long_formula_is_one_program(count: int) -> None:
    def f(x: object, y: object) -> object:
        for k in (*range(count // 2),):
            x = x * y + k  # type: ignore[operator]
        return x

    g = tracejit.function(f)
    x = np.linspace(0, 1, 5)
    np.testing.assert_allclose(g(x, x), f(x, x), rtol=1e-12)
    assert (g.stats.traces, g.stats.loops, g.stats.fallbacks) == (1, 1, 0)


def test_the_process_garbage_is_not_the_trace_s() -> None:
    """A heap of gigabytes takes a second to look through: the budget of a trace would end."""
    collected = []

    def see(phase: str, info: dict[str, int]) -> None:
        collected.append(current() is not None)

    def f(x: object) -> object:
        for k in range(50):
            x = x * 2.0 + k  # type: ignore[operator]
        return x

    thresholds = gc.get_threshold()
    gc.set_threshold(20, 1, 1)
    gc.callbacks.append(see)
    try:
        tracejit.function(f)(np.ones(3))
    finally:
        gc.callbacks.remove(see)
        gc.set_threshold(*thresholds)
    assert collected and not any(collected) and gc.isenabled()
