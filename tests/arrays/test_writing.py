"""Writes into a function's own arrays: what NumPy leaves in the array and in every view of it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from devices import on_cpu
from hypothesis import given, settings
from hypothesis import strategies as st

import tracejit
from tracejit.errors import UnsupportedError

THOROUGH = os.environ.get("TRACEJIT_TEST_PROFILE") == "thorough"
M = np.random.default_rng(0).normal(size=(6, 5))
V = M[0].copy()


def agrees(f: Any, *args: Any, compiled: bool = True) -> tracejit.Function:
    """`f` gives NumPy's results, all compiled, and leaves its arguments alone."""
    g = tracejit.function(f, on_unsupported="error")
    before = [a.copy() for a in args]
    want = f(*args)
    with tracejit.config(compile=compiled):
        got = g(*args)
    for a, b in zip(before, args, strict=True):
        np.testing.assert_array_equal(a, b)
    if not isinstance(want, tuple):
        got, want = (got,), (want,)
    for x, y in zip(got, want, strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=1e-13, atol=1e-13)
    return g


def by_slices(x):
    y = np.zeros_like(x)
    y[1:-1] = x[2:] - x[:-2]
    y[0], y[-1] = x[0], x[-1]
    y[:, 2] *= 3
    return y


def through_views(x):
    y = x.copy()
    v = y[1:, ::2]
    v += 10
    w = v.T
    w[0] = 7
    y[::-1][0, 1] = -5
    y[y > 9.5] = -1
    return y, v, w


def by_arrays(x):
    y = x * 2
    y[[0, 2, 2]] = 5
    y[np.array([1, 3]), np.array([0, 4])] += 100
    y[y > 50] -= y[y > 50]
    return y


def one_by_one(v):
    out, last = np.empty(len(v)), 0.0
    for k in range(len(v)):
        last = last * 0.5 + v[k]
        out[k] = last
    return out


def reshaped(v):
    y = v * 1
    a = y.reshape(5, 1)
    a[2] = 9
    y.ravel()[:2] = -3
    z = np.zeros((5, 2))
    z.reshape(-1)[::3] = v[:4]
    return y, a, z


def seen_by_read_only_views(x):
    y = x[:, :1] * 1
    wide, real = np.broadcast_to(y, (6, 4)), (y + 0j).real
    diagonal = np.diagonal(y)
    y += 1
    y[0] = 5
    return wide, real, diagonal


def rows(x):
    y = x.copy()
    for row in y:
        row /= np.abs(row).sum()
    return y


def methods(x):
    h = np.zeros(4)
    np.add.at(h, (np.abs(x).astype(int) % 4).ravel(), x.ravel())
    np.subtract.at(h, [0, 0], 1.0)
    y = x.copy()
    np.fill_diagonal(y, 1.0)
    y.sort(0)
    np.copyto(y, 0, where=y < 0)
    z = np.zeros(3, np.int8)
    z.fill(7)
    z[1] = 2.9
    return h, y, z


def relaxation(x):
    u = x.copy()
    for _ in range(3):
        u[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
    return u


def overlapping(v):
    y, z = v.copy(), v.copy()
    y[1:] = y[:-1]
    z[:] = z[::-1]
    return y, z


def stacked(x):
    y = np.zeros((2, *x.shape))
    y[0] = x
    y[1, ...] = x**2
    y[:, 0, 0] = [1, 2]
    a, b = y[0], y[1]
    a -= b
    b[...] = a
    return y


def halves(x):
    y = x.copy()
    a, b = np.split(y, 2)
    a[...] = b * 2
    y[..., 0] = 0
    np.negative(b, out=b)
    return y, a, b


@pytest.mark.parametrize("f, x, temporaries", [
    (by_slices, M, 0),
    (through_views, M, 0),
    (by_arrays, M, 1),
    (one_by_one, V, 0),
    (reshaped, V, 2),
    (seen_by_read_only_views, M, 0),
    (rows, M, 0),
    (methods, M, 3),
    (relaxation, M, 2),
    (overlapping, V, 0),
    (stacked, M, 1),
    (halves, M, 0),
])  # fmt: skip
def test_programs(f, x, temporaries):
    g = agrees(f, x)
    assert (g.stats.compiles, g.stats.fallbacks) == (1, 0)
    if on_cpu():
        assert g.stats.temporaries == temporaries


def test_a_chain_of_writes_fills_one_array():
    """No copy between the writes: the array is filled once, and an element is one statement."""
    g = agrees(one_by_one, V)
    if on_cpu():
        assert g.source(V).count("for ") == 1


def test_it_follows_shapes():
    g = tracejit.function(by_slices, on_unsupported="error")
    for n in (5, 6, 9):
        x = np.arange(4.0 * n).reshape(n, 4)
        np.testing.assert_array_equal(g(x), by_slices(x))
    assert g.stats.traces == 1


def test_gradients_go_through_writes():
    cost = lambda x: (by_slices(x) ** 2).sum() + rows(x)[0, 0] + relaxation(x)[2, 2]  # noqa: E731
    with tracejit.config(compile=False):
        tracejit.testing.check_grads(cost, (M + 3.0,), order=1)

    def overwritten(x):
        y = x * 2
        y[:2] = 0
        y[3] += x[0] ** 2
        return y.sum()

    g = tracejit.grad(overwritten)(V)
    np.testing.assert_allclose(g, [2 * V[0], 0, 2, 2, 2])


@pytest.mark.parametrize("key, value", [
    (0, np.ones(3)),
    (slice(0, 2), np.ones((3, 5))),
    (9, 1),
    ((0, 0), [1, 2]),
    ((0, 0), 1j),
    (np.array([0, 1]), np.ones((3, 5))),
    ((0, 0, 0), 1),
    (slice(None), "text"),
    (np.ones((2, 5), bool), 1.0),
    (1.5, 1.0),
])  # fmt: skip
def test_numpys_exceptions(key, value):
    def f(x):
        y = x * 1
        y[key] = value
        return y

    try:
        f(M)
    except Exception as error:
        kind = type(error)
    else:
        raise AssertionError("NumPy allows it")
    with pytest.raises((kind, UnsupportedError)):
        tracejit.function(f, on_unsupported="error")(M)


@pytest.mark.parametrize("value, error", [(300, OverflowError), (np.nan, ValueError)])
def test_numbers_that_do_not_fit(value, error):
    def f(x):
        y = x.astype(np.int8)
        y[0] = value
        return y

    for g in (f, tracejit.function(f, on_unsupported="error")):
        with pytest.raises(error):
            g(V)


def test_numpy_scalars_take_no_items():
    def f(x):
        s = x.sum()
        s[0] = 1
        return s

    with pytest.raises(TypeError, match=r"'numpy\.float64' object does not support item assign"):
        tracejit.function(f, on_unsupported="error")(V)


@pytest.mark.parametrize("body", [
    "y = x * 1; z = y.T.reshape(-1); z[0] = 1; return y",
    "y = x * 1; z = y.ravel(); y[0] = 1; return z",
    "y = np.zeros_like(x); z = y.ravel(); y[0] = 1; return z",
    "y = np.zeros((3, 4)); z = y[:, 1:].reshape(-1); z[0] = 1; return y, z",
    "y = x * 1; y[0] = y * 1j",
])  # fmt: skip
def test_what_is_refused(body):
    """Arguments, read-only views, and what may be a view or a copy by the memory's layout."""
    scope: dict[str, Any] = {"np": np}
    exec("def f(x):\n  " + body.replace("; ", "\n  "), scope)
    with pytest.raises(UnsupportedError):
        tracejit.function(scope["f"], on_unsupported="error")(M)


# Random programs -------------------------------------------------------------------------------

entry = st.one_of(
    st.integers(-4, 3),
    st.builds(
        slice,
        st.one_of(st.none(), st.integers(-4, 4)),
        st.one_of(st.none(), st.integers(-4, 4)),
        st.sampled_from([None, 1, 2, -1, -2]),
    ),
    st.just(...),
    st.none(),
)
step = st.tuples(
    st.sampled_from(["view", "turn", "set", "number", "add", "mask", "pick", "out", "fill"]),
    st.integers(0, 9),
    st.lists(entry, min_size=1, max_size=2).filter(lambda e: sum(k is ... for k in e) < 2),
    st.lists(st.integers(0, 2), min_size=1, max_size=3),
)


def check_random(steps, compiled):
    """Views of views, writes through each, in any order."""

    def program(x):
        handles = [x * 1]
        for what, which, key, picks in steps:
            y = handles[which % len(handles)]
            try:
                if what == "view":
                    handles.append(y[tuple(key)])
                elif what == "turn":
                    handles.append(y.T[::-1])
                elif what == "set":
                    y[tuple(key)] = y[tuple(key)] * 2 + which
                elif what == "number":
                    y[tuple(key)] = which
                elif what == "add":
                    y += which
                elif what == "mask":
                    y[y > which] = -which
                elif what == "pick" and y.ndim and len(y) > 2:
                    y[picks] = y[picks[::-1]] - 1
                elif what == "fill":
                    y.fill(which)
                elif what == "out":
                    np.multiply(y, 3, out=y)
            except (IndexError, TypeError):  # of NumPy scalars, and beyond an axis
                continue
            handles = [h for h in handles if isinstance(h, np.ndarray) or hasattr(h, "memory")]
        return tuple(h for h in handles if h.ndim)

    x = np.arange(12.0).reshape(4, 3)
    want = program(x)
    g = tracejit.function(program, on_unsupported="error")
    with tracejit.config(compile=compiled):
        got = g(x)
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


@given(st.lists(step, min_size=1, max_size=10))
def test_random_writes(steps):
    check_random(steps, compiled=False)


@settings(max_examples=200 if THOROUGH else 10)
@given(st.lists(step, min_size=4, max_size=10))
def test_random_writes_compiled(steps):
    check_random(steps, compiled=True)
