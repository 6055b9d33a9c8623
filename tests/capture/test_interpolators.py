"""Objects of ``scipy.interpolate`` that were made outside are evaluated in compiled code."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate as si

import tracejit
from tracejit.testing import check_grads

RNG = np.random.default_rng(0)
X = np.sort(RNG.random(12))
Y, Z, V = np.sin(6 * X), RNG.normal(size=(2, 12, 3)), RNG.normal(size=(12, 3))
PERIODIC = np.append(Y[:-1], Y[0])
GRID = (X, np.arange(3.0))
OBJECTS = {
    "cubic": si.CubicSpline(X, Y), "bounded": si.CubicSpline(X, V, extrapolate=False),
    "axis": si.CubicSpline(X, Z, axis=1),
    "periodic": si.CubicSpline(X, PERIODIC, bc_type="periodic"),
    "pchip": si.PchipInterpolator(X, Y), "akima": si.Akima1DInterpolator(X, Y),
    "piecewise": si.PPoly(RNG.normal(size=(2, 11)), X),
    "line": si.interp1d(X, Y, fill_value="extrapolate"), "strict": si.interp1d(X, Y),
    "filled": si.interp1d(X, Y, bounds_error=False, fill_value=(1, 2)),
    "lines": si.interp1d(X, Z, axis=1, bounds_error=False),
    "rows": si.interp1d(X, V, axis=0, fill_value="extrapolate"),
    "grid": si.RegularGridInterpolator(GRID, V),
    "open": si.RegularGridInterpolator(GRID, V, bounds_error=False),
    "beyond": si.RegularGridInterpolator(GRID, V, bounds_error=False, fill_value=None),
    "cube": si.RegularGridInterpolator((np.arange(2.0), *GRID), Z),
    "nearest": si.interp1d(X, Y, kind="nearest"),
    "quadratic": si.RegularGridInterpolator((X, X), np.outer(Y, Y), method="cubic"),
}  # fmt: skip
P = np.concatenate([RNG.random(20) * 2 - 0.5, X, [np.nan]])
Q = X[0] + (X[-1] - X[0]) * RNG.random((3, 4))
R = np.stack([Q[0], RNG.random(4) * 2], axis=-1)
R2 = np.vstack([R, [[5, 1]], [[np.nan, 1]]])
R3 = np.concatenate([RNG.random((4, 1)), R], axis=1)

CALLS = """
cubic(P)  cubic(Q)  cubic(Q, 1)  cubic(P, 2)  cubic(P, extrapolate=False)  cubic(0.5) + P
bounded(P)  axis(Q)  axis(P)  periodic(P)  pchip(P)  akima(P)  piecewise(P)  piecewise(P, 1)
line(P)  filled(P)  strict(Q)  lines(P)  lines(Q)  rows(P)  rows(Q[0, 0])  grid(R)  open(R2)
beyond(R2)  cube(R3)  grid((Q, Q))  cubic((9 * Q).astype(int))  line(Q.astype('f'))
"""


def function(expression):
    scope = dict(OBJECTS)
    exec(f"def f(P, Q, R, R2, R3): return {expression}", scope)
    return scope["f"]


def check(f, compile=False):
    args = P, Q, R, R2, R3
    want = f(*args)
    with tracejit.config(compile=compile):
        got = tracejit.function(f, on_unsupported="error")(*args)
    assert type(got) is type(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("expression", CALLS.replace("\n", "  ").strip().split("  "))
def test_evaluation(expression):
    check(function(expression))


@pytest.mark.parametrize("expression", ["cubic(P)", "axis(Q)", "lines(P)", "open(R2)", "cube(R3)"])
def test_compiled(expression):
    check(function(expression), compile=True)


@pytest.mark.parametrize("expression", ["strict(P)", "grid(R2)", "cube(R)", "cubic(Q, -1)"])
def test_what_scipy_raises(expression):
    f = function(expression)
    with pytest.raises(ValueError):
        f(P, Q, R, R2, R3)
    with tracejit.config(compile=False), pytest.raises((ValueError, tracejit.UnsupportedError)):
        tracejit.function(f, on_unsupported="error")(P, Q, R, R2, R3)


def test_arrays_are_read_at_each_call():
    spline = si.CubicSpline(X, Y)
    f = tracejit.function(lambda x: spline(x), on_unsupported="error")
    with tracejit.config(compile=False):
        f(P)
        spline.c[...] *= 2
        np.testing.assert_allclose(f(P), spline(P), rtol=1e-12)


@pytest.mark.parametrize("expression", [
    "nearest(Q) + 1", "cubic.derivative()(Q) + 1", "quadratic(R[:, [0, 0]]) + 1", "cubic.c + 1",
])  # fmt: skip
def test_what_is_a_host_call(expression):
    f = function(expression)
    with pytest.warns(tracejit.UnsupportedWarning):
        got = tracejit.function(f, on_unsupported="warn")(P, Q, R, R2, R3)
    np.testing.assert_array_equal(got, f(P, Q, R, R2, R3))


def test_derivatives():
    with tracejit.config(compile=False):
        for expression in ("cubic(x)", "pchip(x)", "line(x)"):
            scope = dict(OBJECTS)
            exec(f"def f(x): return {expression}", scope)
            check_grads(scope["f"], [Q], order=1, rtol=1e-4, atol=1e-4)
