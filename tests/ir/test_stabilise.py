"""Stabilising rewrites: their laws at extreme arguments, and gradients without nan."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import tracejit
import tracejit.tensor as T

EXTREME = np.array([-1e4, -800.0, -40.0, -1.0, -1e-9, 0.0, 1e-9, 0.5, 36.0, 800.0, 1e4])
SMALL = np.array([-0.9, -1e-3, -1e-12, 1e-18, 1e-8, 0.25, 0.9])

LAWS = {
    "sigmoid": (lambda x: 1 / (1 + T.exp(-x)), lambda x: 1 / (1 + mpmath.exp(-x)), EXTREME),
    "scaled sigmoid": (lambda x: 3 / (1 + T.exp(x)), lambda x: 3 / (1 + mpmath.exp(x)), EXTREME),
    "exp ratio": (
        lambda x: T.exp(x) / (1 + T.exp(x)), lambda x: 1 / (1 + mpmath.exp(-x)), EXTREME,
    ),
    "exp times sigmoid": (
        lambda x: T.exp(x) * T.nnet.sigmoid(-x), lambda x: 1 / (1 + mpmath.exp(-x)), EXTREME,
    ),
    "one minus sigmoid": (
        lambda x: 1 - 1 / (1 + T.exp(-x)), lambda x: 1 / (1 + mpmath.exp(x)), EXTREME,
    ),
    "log sigmoid": (
        lambda x: T.log(1 / (1 + T.exp(-x))), lambda x: -mpmath.log1p(mpmath.exp(-x)), EXTREME,
    ),
    "log one minus sigmoid": (
        lambda x: T.log(1 - T.nnet.sigmoid(x)), lambda x: -mpmath.log1p(mpmath.exp(x)), EXTREME,
    ),
    "log1p of minus sigmoid": (
        lambda x: T.log1p(-T.nnet.sigmoid(x)), lambda x: -mpmath.log1p(mpmath.exp(x)), EXTREME,
    ),
    "softplus": (
        lambda x: T.log(1 + T.exp(x)), lambda x: mpmath.log1p(mpmath.exp(x)), EXTREME,
    ),
    "softplus of a reshape": (
        lambda x: T.log1p(T.exp(x).reshape((x.shape[0], 1))).flatten(),
        lambda x: mpmath.log1p(mpmath.exp(x)), EXTREME,
    ),
    "log sigmoid through a new axis": (
        lambda x: T.log(T.nnet.sigmoid(x).dimshuffle(0, "x"))[:, 0],
        lambda x: -mpmath.log1p(mpmath.exp(-x)), EXTREME,
    ),
    "log sum of two": (
        lambda x: T.log(T.exp(x) + T.exp(-x)),
        lambda x: abs(x) + mpmath.log1p(mpmath.exp(-2 * abs(x))), EXTREME,
    ),
    "log1p": (lambda x: T.log(1 + x), mpmath.log1p, SMALL),
    "log of one minus": (lambda x: T.log(1 - x), lambda x: mpmath.log1p(-x), SMALL),
    "expm1": (lambda x: T.exp(x) - 1, mpmath.expm1, SMALL),
    "expm1 by addition": (lambda x: T.exp(x) + (-1), mpmath.expm1, SMALL),
    "erfc": (lambda x: 1 - T.erf(x), mpmath.erfc, np.array([-3.0, 0.0, 3.0, 8.0, 20.0])),
    "erfc of the negative": (
        lambda x: 1 + T.erf(x), lambda x: mpmath.erfc(-x), np.array([-20.0, -8.0, -3.0, 0.0, 3.0]),
    ),
    "log erfc": (
        lambda x: T.log(T.erfc(x)), lambda x: mpmath.log(mpmath.erfc(x)),
        np.array([-3.0, 0.0, 3.0, 8.0, 20.0]),
    ),
}  # fmt: skip


def exactly(f, x):
    with mpmath.workdps(60):
        return np.array([float(f(mpmath.mpf(float(v)))) for v in x])


@pytest.mark.parametrize("name", LAWS)
def test_the_law(name):
    symbolic, law, points = LAWS[name]
    x = T.dvector("x")
    f = tracejit.function([x], symbolic(x), mode="FAST_COMPILE")
    want = exactly(law, points)
    np.testing.assert_allclose(f(points), want, rtol=3e-15, atol=1e-300)


@pytest.mark.parametrize("name", LAWS)
def test_its_derivative_is_right_where_the_formula_overflows(name):
    symbolic, law, points = LAWS[name]
    x = T.dvector("x")
    f = tracejit.function([x], T.grad(symbolic(x).sum(), x), mode="FAST_COMPILE")
    with mpmath.workdps(60):
        want = [float(mpmath.diff(law, mpmath.mpf(float(v)))) for v in points]
    # Two slopes that nearly cancel have the error of either.
    absolute = 2e-16 if name == "log sum of two" else 1e-290
    np.testing.assert_allclose(f(points), want, rtol=1e-12, atol=absolute)


def test_without_it_the_formula_is_computed_as_written():
    x = T.dvector("x")
    with tracejit.change_flags(stabilise=False), np.errstate(all="ignore"):
        f = tracejit.function([x], T.log(1 / (1 + T.exp(-x))), mode="FAST_COMPILE")
        assert f(np.array([-800.0])) == -np.inf


def test_a_decorated_functions_own_results_are_numpys():
    f = tracejit.function(lambda x: np.log(1 / (1 + np.exp(-x))))
    with np.errstate(all="ignore"):
        assert f(np.array([-800.0])) == -np.inf
    better = tracejit.function(lambda x: np.log(1 / (1 + np.exp(-x))), stabilise=True)
    assert better(np.array([-800.0])) == -800.0
    slope = tracejit.grad(lambda x: np.log(1 / (1 + np.exp(-x))).sum())
    assert slope(np.array([-800.0, 800.0])).tolist() == [1.0, 0.0]


# Rows of probabilities ---------------------------------------------------------------------------

SCORES = np.array([[1000.0, 0.0, -1000.0], [3.0, 3.0, 3.0], [-1e4, 0.0, 1e4]])
LABELS = np.array([2, 0, 0])


def log_softmax(x):
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("form", ["nnet", "quotient", "shifted"])
def test_cross_entropy_of_a_softmax_stays_finite(form):
    x, y = T.dmatrix("x"), T.lvector("y")
    p = {
        "nnet": lambda: T.nnet.softmax(x),
        "quotient": lambda: T.exp(x) / T.exp(x).sum(axis=1, keepdims=True),
        "shifted": lambda: (
            T.exp(x - x.max(axis=1, keepdims=True))
            / T.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
        ),
    }[form]()
    picked = -T.log(p)[T.arange(y.shape[0]), y]
    also = -T.log(p[T.arange(y.shape[0]), y])
    f = tracejit.function([x, y], [picked, also, T.grad(also.sum(), x)], mode="FAST_COMPILE")
    want = -log_softmax(SCORES)[np.arange(3), LABELS]
    first, second, gradient = f(SCORES, LABELS)
    np.testing.assert_allclose(first, want, rtol=1e-15)
    np.testing.assert_allclose(second, want, rtol=1e-15)
    expected = np.exp(log_softmax(SCORES))
    expected[np.arange(3), LABELS] -= 1
    np.testing.assert_allclose(gradient, expected, atol=1e-15)


def test_log_sum_exp():
    x = T.dmatrix("x")
    f = tracejit.function([x], T.log(T.exp(x).sum(axis=1)), mode="FAST_COMPILE")
    np.testing.assert_allclose(f(SCORES), [1000.0, 3 + np.log(3), 1e4])
    assert f(np.full((2, 3), -np.inf)).tolist() == [-np.inf, -np.inf]
