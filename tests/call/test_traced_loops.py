"""A trace with a loop in it, compiled and interpreted; it has no derivative."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit
import tracejit.arrays  # fills the table of functions
from tracejit.errors import UnsupportedError
from tracejit.ir import build, control
from tracejit.ir.closing import Body
from tracejit.ir.region import Check
from tracejit.ir.types import FLOAT64
from tracejit.trace.tables import FUNCTIONS
from tracejit.trace.tracer import value

X = np.array([1.0, 2.0, 4.0])


@pytest.fixture(autouse=True)
def running_sum(monkeypatch):
    """A function of NumPy's, traced as a loop: here a running sum of small numbers."""

    def loop(x):
        def step(index, carried, elements):
            total = build.elementwise("add", carried[0], elements[0])
            small = build.elementwise("less", total, build.constant(100.0))
            return Body((total, total), (Check(small, "the sum is small"),))

        start = build.constant(0.0, FLOAT64)
        return value(control.scan(x.node.shape[0], [start], [x.node], step)[1])

    monkeypatch.setitem(FUNCTIONS, np.cumsum, loop)


def test_such_a_call_is_compiled():
    f = tracejit.function(lambda x: np.cumsum(x) + 1, on_unsupported="error")
    for x in (X, np.arange(7.0)):
        np.testing.assert_array_equal(f(x), np.cumsum(x) + 1)
    assert f.stats.traces == 1


def test_such_a_call_has_a_derivative():
    @tracejit.grad
    def g(x):
        return (np.cumsum(x) ** 2).sum()

    np.testing.assert_allclose(g(X), 2 * np.cumsum(np.cumsum(X)[::-1])[::-1], rtol=1e-14)


def test_the_interpreter_runs_it():
    with tracejit.config(compile=False, check=True):

        @tracejit.function
        def f(x):
            return np.cumsum(x) + 1

        for x in (X, np.arange(7.0), X[:0]):
            np.testing.assert_array_equal(f(x), np.cumsum(x) + 1)
        assert f.stats.traces == 1
        # A check inside that fails is a miss, and then another trace, which fails alike.
        with pytest.raises(UnsupportedError, match="does not take the arguments"):
            f(X * 40)
