"""Distributions of ``scipy.stats``: SciPy's own formulas, compiled, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special._ufuncs
import scipy.stats as st
from library_calls import outcome
from scipy.stats import norm

import tracejit
from tracejit.testing import check_grads

PARAMETERS = {
    "norm": "", "uniform": "", "expon": "", "gamma": "2.5, ", "beta": "2.0, 3.5, ", "t": "4, ",
    "chi2": "3, ", "f": "3, 7, ", "lognorm": "0.7, ", "cauchy": "", "laplace": "", "logistic": "",
    "weibull_min": "1.7, ", "poisson": "2.5, ", "binom": "5, 0.3, ",
}  # fmt: skip
DISCRETE = ("poisson", "binom")
METHODS = "pdf logpdf pmf logpmf cdf logcdf sf logsf ppf isf".split()
X = np.array([[-np.inf, -1.0, -0.0, 0.2], [0.5, 1.0, 3.0, 4.5], [7.0, np.nan, np.inf, 1e300]])
Q = np.array([[-1.0, 0.0, 1e-9, 0.2], [0.5, 1.0, 0.999, np.nan], [2.0, np.inf, 0.3, 0.7]])
Y = np.array([1.0, 2.0, -1.0, np.nan])
rv = norm(np.array([[0.5], [1.5]]), scale=2.0)
CHI = st.chi2(3)
SURVIVAL = st.gamma.sf


def function(expression, names="x, y"):
    scope = {"st": st, "np": np, "rv": rv, "CHI": CHI, "SURVIVAL": SURVIVAL, "norm": norm}
    exec(f"def f({names}): return {expression}", scope)
    return scope["f"]


def check(f, *args, compile=False):
    want = outcome(f, *args)
    with tracejit.config(compile=compile, check=True):
        got = outcome(tracejit.function(f, on_unsupported="error"), *args)
    if isinstance(want, type):
        assert isinstance(got, type) and issubclass(got, want), got
        return
    assert type(got) is type(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    np.testing.assert_allclose(got, want, rtol=1e-13)


CALLS = [
    (name, method)
    for name in PARAMETERS
    for method in METHODS
    if hasattr(getattr(st, name), method)
]


@pytest.mark.parametrize(("name", "method"), CALLS)
def test_every_formula(name, method):
    x = Q if method in ("ppf", "isf") else X
    of, given = f"st.{name}", PARAMETERS[name]
    scaled = "loc=1" if name in DISCRETE else "loc=1, scale=y"
    for expression in (
        f"{of}.{method}(x, {given})", f"{of}.{method}(x, {given}{scaled})",
        f"{of}({given}0.5).{method}(x[1])", f"{of}.{method}(x[1, 0], {given})",
        f"{of}.{method}(x[1:1], {given})",
    ):  # fmt: skip
        check(function(expression), x, Y)


@pytest.mark.parametrize("expression", [
    "st.norm.logpdf(x, 1, y)", "st.gamma.cdf(x, 2.5, 0, 2)", "st.poisson.logpmf(x, y)",
    "st.t.ppf(x, 3)", "st.cauchy.isf(x, scale=y)", "st.binom.pmf(x, 4, 0.25)",
])  # fmt: skip
def test_compiled(expression):
    check(function(expression), X, Y, compile=True)


@pytest.mark.parametrize("expression", [
    "st.gamma.pdf(x, y)", "st.beta.logpdf(x / 8, y, 2)", "st.binom.cdf(x, 5, y / 3)",
    "st.poisson.sf(x, y)", "st.t.pdf(x, np.where(y > 1, np.inf, y))", "st.f.pdf(x, y, y + 1)",
    "st.norm.pdf(x, -1, 0)", "st.gamma.pdf(x, -2)", "st.beta.pdf(x, 0, 1)", "st.poisson.pmf(x, -1)",
    "st.binom.ppf(x, 5, 2)", "st.binom.logsf(x, 5.5, 0.5)", "st.weibull_min.isf(x, y)",
])  # fmt: skip
def test_parameters(expression):
    check(function(expression), X, Y)


@pytest.mark.parametrize("dtype", ["?", "i1", "i8", "u4", "f2", "f4"])
@pytest.mark.parametrize("name", ["norm", "gamma", "poisson", "binom"])
def test_dtypes(name, dtype):
    x = np.array([0, 1, 2, 7]).astype(dtype)
    for method in ("logpmf" if name in DISCRETE else "logpdf", "cdf", "ppf"):
        check(function(f"st.{name}.{method}(x, {PARAMETERS[name]})"), x, Y)
    check(function(f"st.{name}.sf(1.5, {PARAMETERS[name]}x)"), x, Y)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda x: x[::-1, ::-2], lambda x: x.T])
def test_layouts(layout):
    check(function("st.lognorm.logpdf(x, 0.5) + st.expon.sf(x)"), layout(X), Y, compile=True)


@pytest.mark.parametrize("expression", [
    "st.norm.pdf(x, 1, 2, 3)", "st.gamma.pdf(x)", "st.gamma()", "st.norm.pdf(x, mu=0)",
    "st.norm.pmf(x)", "st.poisson(1.0).pdf(x)", "st.norm.pdf(x, np.zeros(7))",
])  # fmt: skip
def test_what_scipy_raises(expression):
    f = function(expression)
    assert isinstance(outcome(f, X, Y), type)
    with pytest.raises((outcome(f, X, Y), tracejit.UnsupportedError)):
        tracejit.function(f, on_unsupported="error")(X, Y)


@pytest.mark.parametrize("expression", [
    "rv.logpdf(x[0])", "CHI.cdf(x) * CHI.sf(x)", "SURVIVAL(x, 2.0)", "norm.cdf(x, scale=2)",
    "norm(*[1.0, 2.0]).sf(x)", "st.norm.ppf(0.25) * x",
])  # fmt: skip
def test_however_it_is_reached(expression):
    check(function(expression), X, Y)


def test_parameters_of_one_made_outside_are_read_at_each_call():
    f = tracejit.function(function("rv.pdf(x)", "x"), on_unsupported="error")
    x = np.linspace(-1, 1, 2)
    with tracejit.config(compile=False):
        f(x)
        rv.args[0][...] = [[3.0], [0.0]]
        np.testing.assert_allclose(f(x), rv.pdf(x))
        rv.kwds["scale"] = 0.5
        np.testing.assert_allclose(f(x), rv.pdf(x))


def test_loops_and_branches():
    def total(x, n):
        found = 0.0
        for k in range(n):
            found += norm.logpdf(x, k, 1.5).sum() if k % 2 else norm.cdf(x, k).sum()
        return found

    f = tracejit.function(total, on_unsupported="error")
    np.testing.assert_allclose(f(X[1], 50), total(X[1], 50), rtol=1e-13)


def test_what_is_computed_otherwise_runs_in_scipy():
    f = tracejit.function(lambda x: st.norm.mean() + st.rice.cdf(x, 1.0), on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning):
        assert f(1.5) == st.rice.cdf(1.5, 1.0)


@pytest.mark.parametrize("compile", [False, True])
def test_what_a_loop_of_scipys_raises(compile):
    f = tracejit.function(lambda x: scipy.special._ufuncs._cauchy_ppf(x, 0.0, 1.0))
    with tracejit.config(compile=compile), pytest.raises(OverflowError):
        f(np.array([0.5, 0.0]))
    with tracejit.config(compile=compile):
        assert f(np.array([0.5]))[0] == 0


GRADIENTS = {
    "norm": "st.norm.logpdf(x, y[0], y[1])", "gamma": "st.gamma.logpdf(x, 2.5, scale=y[1])",
    "beta": "st.beta.logpdf(x, 2.0, y[1])", "t": "st.t.logpdf(x, y[1])",
    "normal cdf": "st.norm.cdf(x, y)", "poisson": "st.poisson.logpmf(2, x)",
    "binom": "st.binom.logpmf(np.array([1, 0, 5, 2]), 5, x)", "ppf": "st.logistic.ppf(x, y)",
    "outside": "st.uniform.pdf(x * 3, y) + st.gamma.pdf(x - 0.5, 2.0)",
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_derivatives(name):
    x, y = np.array([0.11, 0.32, 0.63, 0.94]), np.array([0.45, 1.25, 0.85, 1.5])
    with tracejit.config(compile=False):
        check_grads(function(GRADIENTS[name]), [x, y], rtol=1e-5, atol=1e-5)
