"""Shared variables in decorated functions: read by use, written by assignment, all or nothing."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit import ShapeError, UnsupportedError

X = np.arange(4.0)
total = tracejit.shared(0.0, name="total")
weights = tracejit.shared(np.ones(4), name="weights")


@pytest.fixture(autouse=True)
def fresh():
    total.set_value(0.0)
    weights.set_value(np.ones(4))


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"], autouse=True)
def compiled(request):
    with tracejit.config(compile=request.param, check=True):
        yield


def test_a_global_one_is_read_at_each_call():
    @tracejit.function
    def scaled(x):
        return x * weights

    assert scaled(X).tolist() == X.tolist()
    weights.set_value(np.full(4, 3.0))
    assert scaled(X).tolist() == (3 * X).tolist()
    assert scaled.stats.traces == 1


def test_it_is_written_by_set_value_and_read_as_it_then_is():
    @tracejit.function
    def step(x):
        before = total * 1
        total.set_value(total + x.sum())
        return before, total * 10

    assert step(X) == (0.0, 60.0)
    assert step(X) == (6.0, 120.0)
    assert total.get_value() == 12.0 and step.stats.traces == 1


def test_it_is_written_by_its_attribute_value():
    @tracejit.function
    def step(x):
        total.value = total.value - x.max()
        weights.value = weights * x

    assert step(X) is None
    assert total.get_value() == -3.0
    assert weights.get_value().tolist() == X.tolist()


@dataclass
class Model:
    w: Any
    rate: float


def test_as_arguments_and_in_place():
    @tracejit.function
    def train(model, x):
        w = model.w
        w += model.rate * x
        w *= 2
        return w.sum()

    model = Model(weights, 0.5)
    want = (1 + 0.5 * X) * 2
    assert train(model, X) == want.sum()
    assert weights.get_value().tolist() == want.tolist()
    other = Model(tracejit.shared(np.zeros(4)), 1.0)
    assert train(other, X) == (2 * X).sum()
    assert other.w.get_value().tolist() == (2 * X).tolist()
    assert weights.get_value().tolist() == want.tolist()


def test_results_have_their_own_memory():
    @tracejit.function
    def both():
        weights.set_value(weights * 2)
        return weights, weights[1:]

    a, b = both()
    kept = weights.get_value(borrow=True)
    assert not np.shares_memory(a, kept) and not np.shares_memory(b, kept)
    a[:] = 0
    assert both()[0].tolist() == [4.0] * 4


def test_arrays_that_are_referred_to_are_not_overwritten():
    @tracejit.function
    def double():
        weights.set_value(weights * 2)

    held = [weights.get_value(borrow=True)]
    for _ in range(5):
        double()
        held.append(weights.get_value(borrow=True))
    assert [h[0] for h in held] == [1, 2, 4, 8, 16, 32]


def test_symbolic_and_traced_functions_share_a_state():
    add = tracejit.function([], total, updates=[(total, total + 1)])

    @tracejit.function
    def double():
        total.set_value(total * 2)
        return total

    add()
    double()
    assert add().tolist() == 2.0 and double() == 6.0


def test_a_failing_call_changes_nothing():
    @tracejit.function
    def step(x, i):
        total.set_value(total + 1)
        weights.set_value(weights + x)
        return x[i]

    step(X, np.array([0]))
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        step(X, np.array([7]))
    with pytest.raises(ShapeError, match="broadcast"):
        step(np.arange(3.0), np.array([0]))
    assert total.get_value() == 1.0 and weights.get_value().tolist() == (X + 1).tolist()


def test_what_does_not_fit_is_refused():
    count = tracejit.shared(0)

    @tracejit.function
    def wrong_dtype(x):
        count.set_value(x.sum())

    @tracejit.function
    def wrong_rank(x):
        total.set_value(x)

    with pytest.raises(TypeError, match="int64 cannot hold float64"):
        wrong_dtype(X)
    with pytest.raises(ValueError, match="0 axes cannot hold an array of 1"):
        wrong_rank(X)
    assert count.get_value() == 0 and total.get_value() == 0


def test_what_is_not_compiled_says_so():
    @tracejit.function(on_unsupported="warn")
    def branches(x):
        return total if str(x) else total + 1

    with pytest.raises(UnsupportedError, match="uses shared variables and cannot be compiled"):
        branches(X)


def test_no_update_is_lost():
    @tracejit.function
    def count():
        total.set_value(total + 1)

    count()
    threads = [threading.Thread(target=lambda: [count() for _ in range(500)]) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert total.get_value() == 4001


def test_global_and_outer_names_take_augmented_assignment():
    local = tracejit.shared(np.ones(3), "local")

    def helper(x):
        global total
        total *= x
        return total

    @tracejit.function(on_unsupported="error")
    def f(x):
        global total
        nonlocal local
        total += 2
        local -= x
        return helper(3.0), local * 1

    kept = total, local
    total.set_value(1.0)
    for expected, left in ((9.0, 0.0), (33.0, -1.0)):
        product, rest = f(np.ones(3))
        assert product == expected
        assert (rest == left).all()
        assert total.get_value() == expected
        assert (local.get_value() == left).all()
    assert kept == (total, local)
    assert f.stats.traces == 1
    with pytest.raises(ValueError):
        f(np.ones((2, 3)))
    assert total.get_value() == 33.0


def test_names_of_other_things_may_still_not_be_assigned():
    local = 1.0

    @tracejit.function(on_unsupported="error")
    def f(x):
        nonlocal local
        local += 1
        return x * local

    with pytest.raises(UnsupportedError, match="assigns local, a variable of the function around"):
        f(X)
    assert local == 1.0


def test_a_value_of_another_object_is_assigned():
    @tracejit.function
    def f(model):
        model.value = 1.0
        return model.rate

    model = Model(X, 2.0)
    assert f(model) == 2.0 and model.value == 1.0
    assert T.dvector().owner is None
