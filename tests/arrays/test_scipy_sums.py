"""``scipy.integrate`` of samples and ``scipy.spatial.distance``, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate as si
import scipy.spatial.distance as sd
from library_calls import met, outcome

import tracejit
from tracejit.testing import check_grads

RNG = np.random.default_rng(2)
ARGUMENTS = {
    "y": RNG.normal(size=(4, 9)), "x": np.sort(RNG.random(9)), "v": RNG.normal(size=17),
    "i": RNG.integers(0, 9, 9), "s": 0.3, "a": RNG.normal(size=(7, 3)),
    "b": RNG.normal(size=(5, 3)),
}  # fmt: skip
ARGUMENTS["a"][0] = 0  # type: ignore[index]

INTEGRALS = """
si.trapezoid(y)
si.trapezoid(y, x)
si.trapezoid(y, axis=0, dx=0.5)
si.trapezoid(i, dx=s)
si.trapezoid(y, y + 9 * x)
si.trapezoid(y.astype('f'))
si.trapezoid(y[:, :1])
si.simpson(y)
si.simpson(y, x=x)
si.simpson(y[:, :8], x=x[:8])
si.simpson(y[:, :8])
si.simpson(y, axis=0)
si.simpson(v[:2])
si.simpson(v[:1])
si.simpson(i, dx=s)
si.cumulative_trapezoid(y)
si.cumulative_trapezoid(y, x, initial=0)
si.cumulative_trapezoid(i, axis=0)
si.cumulative_trapezoid(v[:1])
si.cumulative_simpson(y)
si.cumulative_simpson(y, dx=0.5, initial=0, axis=0)
si.cumulative_simpson(v[:2])
si.romb(y)
si.romb(v, dx=s)
si.romb(i)
si.romb(v[:2])
"""
WRONG = """
si.romb(y[:, :8])
si.simpson(y, x=x[:3])
si.simpson(y, x=x[None, None])
si.cumulative_trapezoid(y, initial=1)
si.cumulative_trapezoid(y, x[:3])
si.cumulative_trapezoid(v[:0])
si.cumulative_simpson(y, axis=4)
si.trapezoid(y, axis=2)
sd.cdist(a, b[:, :2])
sd.cdist(a[0], b)
sd.cdist(a, b, 'none')
sd.cdist(a + 1j, b)
sd.pdist(v)
sd.squareform(v)
"""
METRICS = """
euclidean sqeuclidean cityblock chebyshev hamming canberra braycurtis cosine correlation e cb h
minkowski
""".split()


def function(expression):
    scope = {"si": si, "sd": sd, "np": np}
    exec(f"def f({', '.join(ARGUMENTS)}): return {expression}", scope)
    return scope["f"]


def check(f, *args, compile=False):
    found = met(f, *args, compile=compile)
    if found is None:
        return
    got, want = found
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    rtol = 1e-6 if got.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-15)


@pytest.mark.parametrize("expression", INTEGRALS.strip().split("\n"))
def test_integrals(expression):
    check(function(expression), *ARGUMENTS.values())


@pytest.mark.parametrize("expression", WRONG.strip().split("\n"))
def test_what_scipy_raises(expression):
    assert isinstance(outcome(function(expression), *ARGUMENTS.values()), type)
    check(function(expression), *ARGUMENTS.values())


def integrals(y, x):
    return si.cumulative_simpson(y, x=x) + si.simpson(y, x=x)[:, None]


@pytest.mark.parametrize("compile", [False, True])
def test_places_must_increase(compile):
    y, x = ARGUMENTS["y"], ARGUMENTS["x"]
    check(integrals, y, x, compile=compile)
    check(integrals, y, -x, compile=compile)


@pytest.mark.parametrize("metric", METRICS)
def test_distances(metric):
    for rows in ("a", "a[:2]", "a[:1]", "a[:, :1]", "a.astype('f')", "a > 0", "a[::-1]"):
        others = "b[:, 1:2]" if rows == "a[:, :1]" else "a"
        check(function(f"sd.cdist({rows}, {others}, {metric!r})"), *ARGUMENTS.values())
        if rows != "a[:1]":
            check(function(f"sd.pdist({rows}, {metric!r})"), *ARGUMENTS.values())


@pytest.mark.parametrize("expression", [
    "sd.cdist(a, b, 'minkowski', p=3)", "sd.cdist(a, b, 'minkowski', p=1)",
    "sd.cdist(a, b, 'minkowski', p=np.inf)", "sd.squareform(sd.pdist(a))",
    "sd.squareform(i[:6])", "sd.cdist(a, b[:0])", "sd.cdist(np.where(a > 1, np.nan, a), b, 'ch')",
    "sd.cdist(np.where(a > 1, np.nan, a), b, 'canberra')",
])  # fmt: skip
def test_more_distances(expression):
    check(function(expression), *ARGUMENTS.values())


def pairs(x, y):
    return sd.squareform(sd.pdist(x)).sum(0) + sd.cdist(x, y, "cosine")[:, 0]


@pytest.mark.parametrize("n", [2, 3, 200])
def test_compiled(n):
    x = RNG.normal(size=(n, 4))
    check(pairs, x, x[:2], compile=True)


def test_a_metric_of_ones_own_is_a_host_call():
    def f(a):
        return sd.cdist(a, a, lambda u, v: np.abs(u - v).max()) + 1

    with pytest.warns(tracejit.UnsupportedWarning):
        got = tracejit.function(f, on_unsupported="warn")(ARGUMENTS["b"])
    np.testing.assert_array_equal(got, f(ARGUMENTS["b"]))


def test_derivatives():
    y, x, a = ARGUMENTS["y"], ARGUMENTS["x"], ARGUMENTS["b"]
    with tracejit.config(compile=False):
        check_grads(lambda y, x: si.simpson(y, x=x), [y, x], rtol=1e-5, atol=1e-4)
        check_grads(lambda a: sd.cdist(a, a[:2] + 1), [a], rtol=1e-5, atol=1e-5)
