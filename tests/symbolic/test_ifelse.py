"""``ifelse``: one side is computed, and no other; results, types, gradients."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.ifelse import IfElse, ifelse
from tracejit.printing import Print

X = np.array([1.0, 2.0, 3.0])


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False, check=True):
        yield


@pytest.mark.parametrize("condition", [1, 0, -2, 0.5, np.nan, True, False])
def test_conditions(condition):
    c = T.tensor(np.asarray(condition).dtype, ())
    f = tracejit.function([c], ifelse(c, T.constant(1), T.constant(2)))
    assert f(np.asarray(condition)) == (1 if condition else 2)


def test_one_side_is_computed():
    a, b, x = T.dscalar("a"), T.dscalar("b"), T.dvector("x")
    shared = x * 3
    found = ifelse(a < b, T.exp(shared).sum(), T.log(x).sum())
    f = tracejit.function([a, b, x], [found, shared])
    assert f(0, 1, X)[0] == np.exp(X * 3).sum()
    assert f(1, 0, X)[0] == np.log(X).sum()
    text = str(f.graph())
    around, _, inside = text.partition("= cond")
    assert "exp" not in around and "log" not in around and "multiply" in around
    then, _, otherwise = inside.partition("else")
    assert "exp" in then and "log" not in then
    assert "log" in otherwise.partition("\n%")[0] and "exp" not in otherwise


def test_what_raises_on_the_other_side():
    x, k = T.dvector("x"), T.lscalar("k")
    f = tracejit.function([x, k], ifelse(k < 3, x[k], T.constant(-1.0, dtype="float64")))
    assert (float(f(X, 1)), float(f(X, 5))) == (2.0, -1.0)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
def test_what_the_other_side_prints_is_not_printed(capsys, mode):
    x = T.dvector("x")
    found = ifelse(x.sum() > 0, Print("positive")(x * 2), Print("negative")(x * 3))
    f = tracejit.function([x], found, mode=mode)
    assert f(X).tolist() == [2.0, 4.0, 6.0]
    printed = capsys.readouterr().out
    assert "positive" in printed and "negative" not in printed


def test_several_values():
    x, c = T.dvector("x"), T.bscalar("c")
    found = ifelse(c, [x, x.sum()], [x * 2, T.constant(0.0, dtype="float64")])
    assert isinstance(found, list)
    assert isinstance(ifelse(c, (x,), (x,)), tuple) and isinstance(ifelse(c, x, x).owner.op, IfElse)
    f = tracejit.function([x, c], found)
    assert [v.tolist() for v in f(X, 1)] == [[1.0, 2.0, 3.0], 6.0]
    assert [v.tolist() for v in f(X, 0)] == [[2.0, 4.0, 6.0], 0.0]


def test_one_in_another_and_shapes_that_differ():
    x, c = T.dvector("x"), T.lscalar("c")
    found = ifelse(c > 0, ifelse(c > 1, x * 2, x * 3), x[1:])
    f = tracejit.function([x, c], found)
    assert f(X, 2).tolist() == [2.0, 4.0, 6.0]
    assert f(X, 1).tolist() == [3.0, 6.0, 9.0]
    assert f(X, 0).tolist() == [2.0, 3.0]


def test_gradients_of_the_side_that_is_taken():
    x, c = T.dvector("x"), T.lscalar("c")
    cost = ifelse(c, T.log(x).sum(), (x**2).sum())
    f = tracejit.function([x, c], [T.grad(cost, x), T.grad(cost, c)])
    assert [v.tolist() for v in f(X, 1)] == [(1 / X).tolist(), 0.0]
    assert [v.tolist() for v in f(np.array([0.0, 1.0]), 0)] == [[0.0, 2.0], 0.0]
    for taken in (1, 0):
        T.verify_grad(
            lambda x, taken=taken: ifelse(T.constant(taken), T.exp(x) * x, T.sin(x)),
            [X],
            rng=np.random.RandomState(0),
        )


def test_gradient_by_what_is_in_between():
    x, c = T.dvector("x"), T.lscalar("c")
    y = T.exp(x)
    f = tracejit.function([x, c], T.grad(ifelse(c, (y**2).sum(), y.sum()), y))
    np.testing.assert_allclose(f(X, 1), 2 * np.exp(X))
    assert f(X, 0).tolist() == [1.0, 1.0, 1.0]


def test_in_a_loop():
    x = T.dvector("x")
    found, _ = tracejit.scan(lambda v, h: ifelse(v > 1.5, h + T.sqrt(v), h - 1), x, np.float64(0))
    f = tracejit.function([x], [found, T.grad(found[-1], x)])
    rows, gradient = f(X)
    np.testing.assert_allclose(rows, np.cumsum([-1, np.sqrt(2), np.sqrt(3)]))
    np.testing.assert_allclose(gradient, [0, 0.5 / np.sqrt(2), 0.5 / np.sqrt(3)])


def test_updates_and_states():
    state, c = tracejit.shared(1.0), T.lscalar("c")
    f = tracejit.function([c], state, updates={state: ifelse(c, state * 2, state - 1)})
    assert [float(f(k)) for k in (1, 1, 0)] == [1.0, 2.0, 4.0]
    assert state.get_value() == 3.0


def test_refused():
    x, c = T.dvector("x"), T.lscalar("c")
    with pytest.raises(TypeError, match="identical types"):
        ifelse(c, x, T.dscalar())
    with pytest.raises(TypeError, match="identical types"):
        ifelse(c, x, T.fvector())
    with pytest.raises(ValueError, match="same number of variables"):
        ifelse(c, [x, x], [x])
    with pytest.raises(TypeError, match="scalar"):
        ifelse(x, x, x)


def test_the_other_side_of_switch_has_no_gradient():
    x = T.dvector("x")
    f = tracejit.function([x], T.grad(T.switch(x > 0, T.log(x), x * 2).sum(), x))
    assert f(np.array([-1.0, 0.0, 2.0])).tolist() == [2.0, 2.0, 0.5]


def test_compiled():
    a, x = T.dscalar("a"), T.dmatrix("x")
    f = tracejit.function([a, x], ifelse(a > 0, T.exp(x).mean(), T.log(x).mean()))
    with tracejit.config(compile=True):
        values = np.arange(1.0, 7.0).reshape(2, 3)
        np.testing.assert_allclose(f(1, values), np.exp(values).mean())
        np.testing.assert_allclose(f(-1, values), np.log(values).mean())
    assert "else:" in f.source() and f.stats.traces == 1
