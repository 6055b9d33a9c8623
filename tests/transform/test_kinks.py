"""Derivatives where formulas have kinks: the true ones of smooth functions, subgradients of others.

Each smooth function is compared with mpmath's derivatives at its special points and beside them.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.special as sc

import tracejit
import tracejit.tensor as T
from tracejit import grad

TINY = 1e-13
#: By dtype: the tolerance for first and second derivatives.
CLOSE = {np.float64: (1e-12, 1e-9), np.float32: (2e-6, 1e-4)}


def near(*points):
    return np.array([v for p in points for v in (p, p - TINY, p + TINY)])


def softplus(x):
    return mpmath.log1p(mpmath.exp(x))


def sinc(x):
    return mpmath.sincpi(x)


def boxcox(p):
    return mpmath.expm1(p * mpmath.log(3)) / p if p else mpmath.log(3)


def i0e(x):
    return mpmath.besseli(0, x) * mpmath.exp(-abs(x))


# Name: (over NumPy's values, over mpmath's, points). NumPy's functions take symbolic variables too.
SMOOTH = {
    "sinc": (np.sinc, sinc, near(0, 0.3)),
    "logaddexp of zero": (lambda x: np.logaddexp(0, x), softplus, near(0, 40, -40)),
    "logaddexp at a tie": (
        lambda x: np.logaddexp(x, 2 * x - 1),
        lambda x: mpmath.log(mpmath.exp(x) + mpmath.exp(2 * x - 1)),
        near(1),
    ),
    "logaddexp2": (
        lambda x: np.logaddexp2(x, -x),
        lambda x: mpmath.log(2**x + mpmath.mpf(2) ** -x, 2), near(0, 3),
    ),
    "log of one and an exponential": (lambda x: np.log(1 + np.exp(x)), softplus, near(0)),
    "softplus in parts": (
        lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), softplus, near(0, 2, -2),
    ),
    "softplus in parts, zero first": (
        lambda x: np.log1p(np.exp(-abs(x))) + np.maximum(0, x), softplus, near(0),
    ),
    "softplus by where": (
        lambda x: np.where(x > 0, x, 0) + np.log1p(np.exp(-abs(x))), softplus, near(0),
    ),
    "softplus by abs": (
        lambda x: 0.5 * (x + abs(x)) + np.log(1 + np.exp(-abs(x))), softplus, near(0),
    ),
    "cross-entropy": (
        lambda x: np.maximum(x, 0) - x * 0.3 + np.log1p(np.exp(-np.abs(x))),
        lambda x: softplus(x) - x * 0.3, near(0, 1),
    ),
    "log sigmoid in parts": (
        lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))), lambda x: -softplus(-x), near(0),
    ),
    "log cosh": (
        lambda x: abs(x) + np.log1p(np.exp(-2 * abs(x))) - np.log(2.0),
        lambda x: mpmath.log(mpmath.cosh(x)), near(0, 1),
    ),
    "sigmoid in two parts": (
        lambda x: np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))),
        lambda x: 1 / (1 + mpmath.exp(-x)), np.array([0, 1.0, -1, 800, -800]),
    ),
    "maximum and minimum": (
        lambda x: np.maximum(x, 0) + np.minimum(x, 0) + x * x, lambda x: x + x * x, near(0),
    ),
    "difference of maxima": (
        lambda x: np.maximum(x, 0) - np.maximum(-x, 0) + x * x, lambda x: x + x * x, near(0),
    ),
    "square of a size": (lambda x: np.abs(x) ** 2, lambda x: x * x, near(0, 1)),
    "size times size": (lambda x: np.abs(x) * np.abs(x), lambda x: x * x, near(0)),
    "fourth power of a size": (lambda x: np.abs(x) ** 4, lambda x: x**4, near(0, 1)),
    "cosine of a size": (lambda x: np.cos(np.abs(x)), mpmath.cos, near(0, 1)),
    "odd by sign": (lambda x: np.sign(x) * np.tanh(abs(x)), mpmath.tanh, near(0, 1)),
    "odd by copysign": (lambda x: np.copysign(np.arctan(abs(x)), x), mpmath.atan, near(0)),
    "cube": (lambda x: x**3, lambda x: x**3, near(0)),
    "cube, its exponent an array": (
        lambda x: x ** (3 + 0 * x), lambda x: x ** 3, np.array([0.5, 2.0]),
    ),
    "tanh": (np.tanh, mpmath.tanh, near(0, 1)),
    "expm1": (np.expm1, mpmath.expm1, near(0, -1)),
    "log1p": (np.log1p, mpmath.log1p, near(0)),
    "cbrt": (np.cbrt, lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), np.array([1.0, -8])),
    "exp2": (np.exp2, lambda x: mpmath.mpf(2) ** x, near(0)),
    "arctan2": (lambda x: np.arctan2(x, 1), mpmath.atan, near(0)),
    "hypot with one": (lambda x: np.hypot(x, 1), lambda x: mpmath.sqrt(x * x + 1), near(0)),
    # scipy.special
    "expit": (sc.expit, lambda x: 1 / (1 + mpmath.exp(-x)), near(0, 30, -30)),
    "log_expit": (sc.log_expit, lambda x: -softplus(-x), near(0, 30, -30)),
    "logit": (sc.logit, lambda x: mpmath.log(x / (1 - x)), np.array([0.5, 0.25])),
    "erf": (sc.erf, mpmath.erf, near(0, 1)),
    "erfc": (sc.erfc, mpmath.erfc, near(0, 5)),
    "erfcx": (
        sc.erfcx, lambda x: mpmath.exp(x * x) * mpmath.erfc(x),
        np.array([0.0, TINY, -TINY, 1, -2, 9]),
    ),
    "log_ndtr": (sc.log_ndtr, lambda x: mpmath.log(mpmath.ncdf(x)), np.array([0.0, -5, 5, -15])),
    "ndtr": (sc.ndtr, mpmath.ncdf, near(0)),
    "dawsn": (
        sc.dawsn,
        lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x), near(0),
    ),
    "exprel": (sc.exprel, lambda x: mpmath.expm1(x) / x if x else mpmath.mpf(1), near(0, 1, -2)),
    "xlogy": (lambda x: sc.xlogy(x, x), lambda x: x * mpmath.log(x), np.array([1.0, 1e-8])),
    "xlog1py": (lambda x: sc.xlog1py(x, x), lambda x: x * mpmath.log1p(x), near(0, 1)),
    "xlogy of two": (
        lambda x: sc.xlogy(x, x + 2), lambda x: x * mpmath.log(x + 2), near(0),
    ),
    "entr": (sc.entr, lambda x: -x * mpmath.log(x), np.array([1.0, 1e-8])),
    "rel_entr": (lambda x: sc.rel_entr(2.0, x), lambda x: 2 * mpmath.log(2 / x), near(2)),
    "rel_entr of nothing": (lambda x: sc.rel_entr(0.0, x), lambda x: 0 * x, near(1)),
    "kl_div": (lambda x: sc.kl_div(x, 1.0), lambda x: x * mpmath.log(x) - x + 1, near(1)),
    "pseudo_huber": (
        lambda x: sc.pseudo_huber(0.5, x),
        lambda x: (mpmath.sqrt(1 + 4 * x * x) - 1) / 4, near(0, 1),
    ),
    "pseudo_huber by its width": (
        lambda x: sc.pseudo_huber(x, 3.0),
        lambda x: x * mpmath.sqrt(x * x + 9) - x * x, np.array([1.0, 0, 1e-9]),
    ),
    "boxcox": (lambda x: sc.boxcox(3.0, x), boxcox, near(0, 1)),
    "boxcox of one": (lambda x: sc.boxcox(x, 0.5), lambda x: 2 * (mpmath.sqrt(x) - 1), near(1)),
    "boxcox1p": (lambda x: sc.boxcox1p(2.0, x), boxcox, near(0, 1)),
    "spence": (sc.spence, lambda x: mpmath.polylog(2, 1 - x), near(1, 0.5, 2)),
    "ellipk": (sc.ellipk, mpmath.ellipk, near(0, 0.5, -2)),
    "ellipe": (sc.ellipe, mpmath.ellipe, near(0, 0.5, -2)),
    "ellipkm1": (sc.ellipkm1, lambda x: mpmath.ellipk(1 - x), near(1)),
    "j0": (sc.j0, lambda x: mpmath.besselj(0, x), near(0, 2)),
    "j1": (sc.j1, lambda x: mpmath.besselj(1, x), near(0, 2)),
    "i0": (sc.i0, lambda x: mpmath.besseli(0, x), near(0, 2, -1)),
    "i1": (sc.i1, lambda x: mpmath.besseli(1, x), near(0, 2, -1)),
    "i0e": (sc.i0e, i0e, near(2, -2)),
    "gammainc": (
        lambda x: sc.gammainc(2.0, x), lambda x: 1 - mpmath.exp(-x) * (1 + x), np.array([0, 1.0]),
    ),
    "gammainc of one": (
        lambda x: sc.gammainc(1.0, x), lambda x: -mpmath.expm1(-x), np.array([0, 1.0]),
    ),
    "betainc": (
        lambda x: sc.betainc(2.0, 3.0, x),
        lambda x: mpmath.betainc(2, 3, 0, x, True), np.array([0, 0.5]),
    ),
    "gammaln": (sc.gammaln, mpmath.loggamma, near(1, 2)),
    "cosm1": (sc.cosm1, lambda x: mpmath.cos(x) - 1, near(0)),
    "powm1": (lambda x: sc.powm1(x, 2.0), lambda x: x * x - 1, near(1)),
    "huber": (lambda x: sc.huber(1.0, x), lambda x: x * x / 2, near(0)),
    "xlogy at zero": (lambda x: sc.xlogy(x, 2.0), lambda x: x * mpmath.log(2), near(0)),
    "betainc at its ends": (
        lambda x: sc.betainc(2.0, 1.0, x), lambda x: x * x, np.array([0, 1.0]),
    ),
    "far erfcx": (
        lambda x: sc.erfcx(x) * 1e4, lambda x: mpmath.erfc(x) * mpmath.exp(x * x) * 10000,
        np.array([12.0, 49, 51, 100]),
    ),
    "far log_ndtr": (
        lambda x: sc.log_ndtr(x), lambda x: mpmath.log(mpmath.ncdf(x)), np.array([-100.0, -40]),
    ),
}  # fmt: skip


def wanted(law, points, order):
    found = []
    with mpmath.workdps(60):
        for p in points:
            at = mpmath.mpf(float(p))
            found.append(float(mpmath.re(mpmath.diff(law, at, order, h=mpmath.mpf(10) ** -15))))
    return np.array(found)


def derivatives(f, dtype, front_end):
    if front_end == "decorated":

        def first(x):
            return grad(lambda x: f(x).sum())(x)

        return grad(lambda x: f(x).sum()), grad(lambda x: first(x).sum())
    x = T.vector("x", dtype=np.dtype(dtype).name)
    one = T.grad(f(x).sum(), x)
    return tracejit.function([x], one), tracejit.function([x], T.grad(one.sum(), x))


@pytest.mark.parametrize("front_end", ["decorated", "symbolic"])
@pytest.mark.parametrize("name", SMOOTH)
def test_a_smooth_function_has_its_derivatives(name, front_end):
    f, law, points = SMOOTH[name]
    for dtype, tolerances in CLOSE.items():
        at = np.asarray(points, dtype)
        with tracejit.config(compile=False):
            for order, (d, close) in enumerate(
                zip(derivatives(f, dtype, front_end), tolerances, strict=True), 1
            ):
                got = d(at)
                assert got.dtype == dtype
                want = wanted(law, at, order)
                np.testing.assert_allclose(got, want, rtol=close, atol=close, err_msg=f"{order}")


# tensor.nnet -------------------------------------------------------------------------------------

NNET = {
    "softplus": (T.nnet.softplus, softplus),
    "softplus squared": (lambda x: T.sqr(T.nnet.softplus(x)), lambda x: softplus(x) ** 2),
    "sigmoid": (T.nnet.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
    "cross-entropy": (
        lambda x: T.nnet.sigmoid_binary_crossentropy(x, 0 * x + 1), lambda x: softplus(-x),
    ),
    "cross-entropy of probabilities": (
        lambda x: T.nnet.binary_crossentropy(T.nnet.sigmoid(x), 0.25),
        lambda x: softplus(x) - x / 4,
    ),
    "softmax": (
        lambda x: T.nnet.softmax(T.stack([x, 0 * x], axis=1))[:, 0],
        lambda x: 1 / (1 + mpmath.exp(-x)),
    ),
    "log of a softmax": (
        lambda x: T.log(T.nnet.softmax(T.stack([x, 0 * x], axis=1)))[:, 0], lambda x: -softplus(-x),
    ),
    "logsoftmax": (
        lambda x: T.nnet.logsoftmax(T.stack([x, 0 * x], axis=1))[:, 0], lambda x: -softplus(-x),
    ),
    "logsumexp": (lambda x: T.logsumexp(T.stack([x, 0 * x], axis=1), axis=1), softplus),
    "log of a sum": (
        lambda x: T.log(T.exp(T.stack([x, 0 * x], axis=1)).sum(axis=1)), softplus,
    ),
    "square of abs": (lambda x: T.sqr(abs(x)), lambda x: x * x),
    "variance": (lambda x: T.var(T.stack([x, 0 * x], axis=1), axis=1), lambda x: x * x / 4),
}  # fmt: skip


@pytest.mark.parametrize("name", NNET)
def test_a_function_of_neural_networks_has_its_derivatives(name):
    f, law = NNET[name]
    for dtype, tolerances in CLOSE.items():
        at = near(0, 2, -2).astype(dtype)
        with tracejit.config(compile=False):
            for order, (d, close) in enumerate(
                zip(derivatives(f, dtype, "symbolic"), tolerances, strict=True), 1
            ):
                np.testing.assert_allclose(d(at), wanted(law, at, order), rtol=close, atol=close)


def test_functions_with_one_derivative_have_that():
    x = T.dvector("x")
    at = np.array([0.0, -1e-13, 1e-13])
    for f, want in (
        (T.nnet.ultra_fast_sigmoid, 0.375), (T.nnet.softsign, 1.0), (T.nnet.elu, 1.0),
        (lambda x: x * abs(x) + x, 1.0),
    ):  # fmt: skip
        slope = tracejit.function([x], T.grad(f(x).sum(), x), mode="FAST_COMPILE")
        np.testing.assert_allclose(slope(at), want, rtol=1e-12)
    symlog = grad(lambda x: (np.sign(x) * np.log1p(np.abs(x))).sum())
    with tracejit.config(compile=False):
        np.testing.assert_allclose(symlog(at), 1.0, rtol=1e-12)


def test_a_first_step_from_zero_weights_is_right_compiled():
    x, w = T.dmatrix("x"), T.dvector("w")
    cost = T.nnet.sigmoid_binary_crossentropy(T.dot(x, w), T.ones_like(x[:, 0])).sum()
    step = tracejit.function([x, w], T.grad(cost, w))
    np.testing.assert_array_equal(step(np.eye(3), np.zeros(3)), [-0.5] * 3)
    by_hand = grad(
        lambda w, x: (np.maximum(x @ w, 0) - x @ w + np.log1p(np.exp(-np.abs(x @ w)))).sum()
    )
    np.testing.assert_array_equal(by_hand(np.zeros(3), np.eye(3)), [-0.5] * 3)


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [0.0, 2.0, 2.0], [-np.inf, 0.0, 0.0]])
def test_logsumexp_and_softmax_at_ties(values):
    at = np.array(values)
    p = sc.softmax(at)
    with tracejit.config(compile=False):
        for f in (
            sc.logsumexp,
            lambda x: np.log(np.sum(np.exp(x))),
            lambda x: np.max(x) + np.log(np.sum(np.exp(x - np.max(x)))),
        ):
            np.testing.assert_allclose(grad(f)(at), p, atol=1e-15)
        got = grad(lambda x: sc.softmax(x)[1])(at)
        np.testing.assert_allclose(got, p[1] * (np.eye(3)[1] - p), atol=1e-15)
        if np.isfinite(at).all():
            curve = tracejit.hessian(sc.logsumexp)(at)
            np.testing.assert_allclose(curve, np.diag(p) - np.outer(p, p), atol=1e-15)


# What is not chosen ------------------------------------------------------------------------------

CHOSEN = {
    "where": lambda xp, x: xp.where(x > 0, xp.sqrt(x), 0),
    "where, turned": lambda xp, x: xp.where(x <= 0, 0, xp.log(x)),
    "where of two": lambda xp, x: xp.where(x > 0, xp.sqrt(x), 0 * x),
    "deep": lambda xp, x: xp.where(x > 0, 1 / xp.sqrt(xp.sqrt(x) * 2 + x) ** 3, 0),
    "nested": lambda xp, x: xp.where(
        x > 0, xp.sqrt(x), xp.where(x < 0, -xp.sqrt(-x), 0 * x + 1)
    ),
    "maximum": lambda xp, x: xp.maximum(xp.sqrt(x), 0.5),
    "overflow": lambda xp, x: xp.where(x > 1e3, xp.exp(x * x * 1e9), 2 * x),
    "with a scalar": lambda xp, x: xp.where(x.sum() > 100, xp.sqrt(x - 4).sum(), 1.0) + 0 * x,
    "a norm": lambda xp, x: xp.where((x**2).sum() > 0, x / xp.sqrt((x**2).sum()), 0 * x),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOSEN)
def test_what_is_not_chosen_contributes_nothing(name):
    """Forward and reverse, first and second order; the chosen side has the derivative it has."""
    f = CHOSEN[name]
    at = np.array([0.0, 4.0, 1e-4])
    v = T.dvector("v")
    with tracejit.config(compile=False):
        back = grad(lambda x: f(np, x).sum())
        got = back(at)
        ahead = tracejit.jvp(lambda x: f(np, x), (at,), (np.ones(3),))[1]
        symbolic = T.grad(f(T, v).sum(), v)
        assert np.isfinite(got).all()
        np.testing.assert_allclose(symbolic.eval({v: at}), got, rtol=1e-12)
        if name not in ("with a scalar", "a norm"):
            np.testing.assert_allclose(ahead, got, rtol=1e-12)
            np.testing.assert_allclose(T.Rop(f(T, v), v, T.ones_like(v)).eval({v: at}), got)
        assert np.isfinite(ahead).all()
        second = grad(lambda x: back(x).sum())(at)
        assert np.isfinite(second).all()
        assert np.isfinite(T.grad(symbolic.sum(), v).eval({v: at})).all()
        safe = np.array([2.0, 4.0, 1.5])
        np.testing.assert_allclose(back(safe), _differences(lambda x: f(np, x).sum(), safe), 1e-6)


def _differences(f, x):
    steps = np.eye(len(x)) * 1e-6
    with np.errstate(all="ignore"):
        return np.array([(f(x + h) - f(x - h)) / 2e-6 for h in steps])


def test_what_is_not_chosen_contributes_nothing_compiled():
    at = np.array([0.0, 4.0, -1.0])
    slope = grad(lambda x: np.where(x > 0, np.sqrt(x) * np.log(x), 0).sum())
    want = np.log(4.0) / 4 + 0.5
    np.testing.assert_allclose(slope(at), [0, want, 0])
    v = T.dvector("v")
    symbolic = tracejit.function([v], T.grad(T.switch(v > 0, T.sqrt(v) * T.log(v), 0).sum(), v))
    np.testing.assert_allclose(symbolic(at), [0, want, 0])


def test_a_weight_shared_by_what_is_not_chosen():
    """The sum over nothing that is chosen is zero, however steep the weight's own function is."""
    with tracejit.config(compile=False):
        slope = grad(lambda w: np.where(np.arange(3.0) > 9, np.sqrt(w) * np.ones(3), 1).sum())
        assert slope(0.0) == 0.0
        slope = grad(lambda w: np.where(np.arange(3.0) > 1, np.sqrt(w) * np.ones(3), 1).sum())
        assert slope(0.0) == np.inf


def test_the_condition_of_many_cases_counts_each_once():
    with tracejit.config(compile=False):
        f = grad(lambda x: np.where(x > 1, x, np.where(x < -1, -x, np.sqrt(1 - x * x) * x)).sum())
        np.testing.assert_allclose(f(np.array([2.0, -2.0, 0.0])), [1, -1, 1])
        two = grad(
            lambda x: (lambda r: np.where(x > 0, r, 0) + np.where(x > 2, r, 0))(np.sqrt(x)).sum()
        )
        np.testing.assert_allclose(two(np.array([0.0, 1.0, 4.0])), [0, 0.5, 0.5])


# Norms and deviations ----------------------------------------------------------------------------

FLAT = {
    "norm": np.linalg.norm,
    "norm of the third order": lambda x: np.linalg.norm(x, 3),
    "norm of a matrix": lambda x: np.linalg.norm(x[:, None] * np.ones(2)),
    "root of squares": lambda x: np.sqrt((x * x).sum()),
    "root of powers": lambda x: np.sum(np.abs(x) ** 3) ** (1 / 3),
    "hypot": lambda x: np.hypot(x[0], x[1]),
    "std": np.std,
    "std with ddof": lambda x: np.std(x, ddof=1),
    "root of a mean square": lambda x: np.sqrt(np.mean(x**2)),
}


@pytest.mark.parametrize("name", FLAT)
def test_norms_and_deviations_have_the_subgradient_zero(name):
    with tracejit.config(compile=False):
        f = FLAT[name]
        np.testing.assert_array_equal(grad(f)(np.zeros(3)), np.zeros(3))
        np.testing.assert_array_equal(grad(lambda x: grad(f)(x).sum())(np.zeros(3)), np.zeros(3))
        at = np.array([1.0, -2.0, 0.5])
        np.testing.assert_allclose(grad(f)(at), _differences(f, at), rtol=1e-6, atol=1e-8)


def test_the_deviation_of_one_and_of_equal_elements():
    with tracejit.config(compile=False):
        assert grad(np.std)(np.array([3.5])).tolist() == [0.0]
        assert grad(np.std)(np.full(4, 0.1)).tolist() == [0.0] * 4
        assert grad(lambda x: np.std(x, axis=1).sum())(np.ones((2, 1))).tolist() == [[0.0], [0.0]]
        x = T.dvector("x")
        for f in (T.std, lambda x: x.norm(2), lambda x: T.sqrt(T.sqr(x).sum())):
            slope = tracejit.function([x], T.grad(f(x), x))
            assert slope(np.zeros(1)).tolist() == [0.0]
            assert slope(np.zeros(4)).tolist() == [0.0] * 4
    assert grad(np.std)(np.array([3.5])).tolist() == [0.0]


def test_a_root_that_is_no_norm_is_steep_at_zero():
    with tracejit.config(compile=False):
        assert grad(lambda x: np.sqrt(x).sum())(np.zeros(2)).tolist() == [np.inf] * 2
        assert grad(lambda x: np.sqrt(x.sum()))(np.zeros(2)).tolist() == [np.inf] * 2
        assert grad(lambda x: (x**0.5).sum())(np.zeros(2)).tolist() == [np.inf] * 2


# Positions ---------------------------------------------------------------------------------------


def test_gradients_through_positions():
    at = np.array([3.0, 1.0, 2.0])
    x = T.dvector("x")
    cases = (
        (lambda xp, x: x[xp.argmax(x)], [1, 0, 0]),
        (lambda xp, x: (x[xp.argsort(x)] * np.arange(3.0)).sum(), [2, 0, 1]),
        (lambda xp, x: xp.sort(x)[0] * 2, [0, 2, 0]),
        (lambda xp, x: (x[xp.argsort(-x)][:2]).sum(), [1, 0, 1]),
        (lambda xp, x: x[xp.argmin(x)] ** 2, [0, 2, 0]),
    )
    with tracejit.config(compile=False):
        for f, want in cases:
            assert grad(lambda x, f=f: f(np, x))(at).tolist() == want
            assert T.grad(f(T, x), x).eval({x: at}).tolist() == want
            _, ahead = tracejit.jvp(lambda x, f=f: f(np, x), (at,), (np.array([1.0, 10, 100]),))
            assert ahead == np.dot(want, [1, 10, 100])
    taken = grad(lambda x: x[np.argmax(x)] + x[np.argsort(x)][0])
    assert taken(at).tolist() == [1, 1, 0]
