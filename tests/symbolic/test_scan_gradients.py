"""Derivatives of loops: by everything that a step is given, through time, truncated, twice."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.gradient import DisconnectedInputError, NullTypeGradError
from tracejit.scan_module import until
from tracejit.tensor.shared_randomstreams import RandomStreams

RS = np.random.RandomState
X, W, H = np.array([0.5, -1.0, 2.0, 0.3]), np.array(0.7), np.array([0.2, -0.4])


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False, check=True):
        yield


def outputs(*args, **kwargs):
    return tracejit.scan(*args, **kwargs)[0]


LOOPS = {
    "sum": (lambda x: outputs(lambda v, h: h + v * v, x, T.zeros(())), [X]),
    "map": (lambda x, w: tracejit.map(lambda v, w: T.tanh(v * w), x, w)[0], [X, W]),
    "captured": (lambda x, w: outputs(lambda v: T.exp(v * w) + T.sin(w), x), [X, W]),
    "start": (lambda h: outputs(lambda h: T.tanh(h * 1.3), None, h, n_steps=4), [H]),
    "last": (
        lambda x, w: outputs(lambda v, h, w: T.tanh(h * w + v), x, T.zeros(()), w)[-1], [X, W],
    ),
    "rows": (
        lambda x, w: outputs(
            lambda r, h, w: T.tanh(T.dot(w, h) + r), x, T.zeros_like(x[0]), w
        ),
        [np.outer(X, H), np.array([[0.5, 0.1], [-0.3, 0.8]])],
    ),
    "taps": (
        lambda x, h: outputs(
            lambda a, b, p, q: a * p - b * T.sin(q),
            {"input": x, "taps": [-1, 1]}, {"initial": h, "taps": [-2, -1]},
        ),
        [X, H],
    ),
    "backwards": (
        lambda x, w: outputs(lambda v, h: h * w + v, x, T.zeros(()), go_backwards=True), [X, W],
    ),
    "several": (
        lambda x, w: T.stack(outputs(lambda v, a, b: (a * w + b, T.cos(b) * v), x,
                                     [T.ones(()), T.ones(())])).sum(0), [X, W],
    ),
    "nested": (
        lambda x, w: outputs(
            lambda r, h: outputs(lambda v, g: T.tanh(g * w + v), r, h)[-1], x, T.zeros(())
        ),
        [np.outer(X, H), W],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_gradients(name):
    loop, points = LOOPS[name]
    T.verify_grad(loop, points, rng=RS(0), abs_tol=1e-5, rel_tol=1e-5)


@pytest.mark.parametrize("name", ["map", "captured", "last", "taps", "nested"])
def test_second_derivatives(name):
    """The gradient of the gradient, and Rop against Lop."""
    loop, points = LOOPS[name]

    def gradient(*values):
        values = [T.as_tensor_variable(v) for v in values]
        found = T.grad((loop(*values) ** 2).sum(), values)
        return sum((g**2).sum() for g in found)

    T.verify_grad(gradient, points, rng=RS(0), abs_tol=1e-4, rel_tol=1e-4)


@pytest.mark.parametrize("name", LOOPS)
def test_rop_is_lop_turned_around(name):
    loop, points = LOOPS[name]
    inputs = [T.TensorType("float64", (False,) * p.ndim)() for p in points]
    cost = loop(*inputs)
    rng = RS(1)
    along = [T.constant(rng.normal(size=p.shape)) for p in points]
    across = T.constant(rng.normal(size=tracejit.function(inputs, cost)(*points).shape))
    along = [T.unbroadcast(a, *range(a.ndim)) for a in along]
    across = T.unbroadcast(across, *range(across.ndim)) if cost.ndim else across
    forwards = (T.Rop(cost, inputs, along) * across).sum()
    backwards = sum((g * a).sum() for g, a in zip(T.Lop(cost, inputs, across), along, strict=True))
    a, b = tracejit.function(inputs, [forwards, backwards])(*points)
    np.testing.assert_allclose(a, b, rtol=1e-10)


def test_of_what_is_in_between():
    """A gradient by a value that is computed around the loop, and only read in it."""
    x = T.dvector("x")
    w = T.exp(x.sum())
    found = outputs(lambda v: v * w, x)
    f = tracejit.function([x], T.grad(found.sum(), w))
    np.testing.assert_allclose(f(X), X.sum())


def test_jacobian_by_a_loop():
    x, m = T.dvector("x"), T.dmatrix("m")
    y = T.dot(m, x) ** 2
    rows, updates = tracejit.scan(
        lambda i, y, x: T.grad(y[i], x), T.arange(y.shape[0]), non_sequences=[y, x]
    )
    matrix = np.arange(8.0).reshape(2, 4)
    f = tracejit.function([m, x], rows, updates=updates)
    np.testing.assert_allclose(f(matrix, X), 2 * (matrix @ X)[:, None] * matrix)


def test_hessian_by_a_loop():
    x = T.dvector("x")
    g = T.grad((x**3).sum() + x.prod(), x)
    rows, _ = tracejit.scan(
        lambda i, g, x: T.grad(g[i], x), T.arange(g.shape[0]), non_sequences=[g, x]
    )
    want = np.full((4, 4), X.prod()) / np.outer(X, X)
    want[np.diag_indices(4)] = 6 * X
    np.testing.assert_allclose(tracejit.function([x], rows)(X), want)


@pytest.mark.parametrize("last", [-1, 1, 2, 3, 4, 7])
def test_truncated(last):
    """Of the last steps alone: what comes from before them is a constant."""
    x, w, h = T.dvector("x"), T.dscalar("w"), T.dscalar("h")
    found = outputs(lambda v, h, w: v + h * w, x, h, w, truncate_gradient=last)
    f = tracejit.function([x, w, h], [found, *T.grad(found[-1], [x, w, h])])
    rows = [0.5]
    for v in X:
        rows.append(v + rows[-1] * 0.7)
    steps = 4 if last < 0 else min(last, 4)
    want_x = np.array([0.7**k if k < steps else 0.0 for k in range(4)])[::-1]
    want_w = sum(0.7**k * rows[3 - k] for k in range(steps))
    stacks, by_x, by_w, by_h = f(X, 0.7, 0.5)
    np.testing.assert_allclose(stacks, rows[1:])
    np.testing.assert_allclose(by_x, want_x)
    np.testing.assert_allclose(by_w, want_w)
    np.testing.assert_allclose(by_h, 0.7**4 if steps == 4 else 0.0)


def test_truncated_of_all_rows():
    x = T.dvector("x")
    found = outputs(lambda v, h: h + v**2, x, T.zeros(()), truncate_gradient=2)
    f = tracejit.function([x], T.grad(found.sum(), x))
    np.testing.assert_allclose(f(X), 2 * X * [0, 0, 2, 1])


def test_until():
    x = T.dscalar("x")
    found = outputs(lambda h, x: (h * x, until(h * x > 30)), None, T.ones(()), x, n_steps=100)
    f = tracejit.function([x], [found[-1], T.grad(found[-1], x), T.grad(found.sum(), x)])
    np.testing.assert_allclose(f(2.0), [32.0, 80.0, sum(k * 2.0 ** (k - 1) for k in range(1, 6))])
    np.testing.assert_allclose(f(7.0), [49.0, 14.0, 15.0])


@pytest.mark.parametrize("last", [1, 3, 10])
def test_truncated_until(last):
    x, h = T.dscalar("x"), T.dscalar("h")
    found = outputs(
        lambda h, x: (h * x, until(h * x > 30)), None, h, x, n_steps=100, truncate_gradient=last
    )
    f = tracejit.function([x, h], [found[-1], *T.grad(found[-1], [x, h])])
    steps = min(last, 5)
    np.testing.assert_allclose(f(2.0, 1.0), [32.0, steps * 16.0, 32.0 * (steps == 5)])


def test_integers_beside():
    """Counters and places have no gradient, and stop none."""
    x = T.dvector("x")
    (_, found), _ = tracejit.scan(
        lambda k, n, h: (n + 1, h + x[k] * n), T.arange(4), [np.int64(0), T.zeros(())]
    )
    f = tracejit.function([x], T.grad(found[-1], x))
    assert f(X).tolist() == [0.0, 1.0, 2.0, 3.0]


def test_what_is_not_connected():
    x, w, n = T.dvector("x"), T.dscalar("w"), T.lscalar("n")
    a, b = tracejit.scan(lambda v, h: (h + v, v * w), x, [T.zeros(()), None], n_steps=n)[0]
    with pytest.raises(DisconnectedInputError):
        T.grad(a.sum(), w)
    with pytest.raises(DisconnectedInputError):
        T.grad(a.sum(), n)
    with pytest.raises(DisconnectedInputError):
        T.grad(outputs(lambda v: T.disconnected_grad(v) + w, x).sum(), x)
    T.grad(b.sum(), w)
    # By way of another output, in a later step.
    c, d = tracejit.scan(lambda p, q: (q, p * w), None, [T.ones(()), T.ones(())], n_steps=3)[0]
    f = tracejit.function([w], T.grad(c.sum() + 0 * d.sum(), w))
    assert f(3.0) == 2.0  # 1, w, w


def test_what_is_not_defined():
    x, p = T.dvector("x"), T.dscalar("p")
    streams = RandomStreams(1)
    found = outputs(lambda v: v * streams.binomial((), p=p, dtype="float64"), x)
    with pytest.raises(NullTypeGradError):
        T.grad(found.sum(), p)
    T.grad(found.sum(), x)


def test_what_is_drawn_has_a_gradient_beside():
    x, w = T.dvector("x"), T.dscalar("w")
    streams = RandomStreams(5)
    found, updates = tracejit.scan(lambda v: v * w * streams.uniform(()), x)
    f = tracejit.function([x, w], [found, T.grad(found.sum(), w)], updates=updates)
    rows, gradient = f(X, 2.0)
    np.testing.assert_allclose(gradient, rows.sum() / 2.0)
    rows, gradient = f(X, 3.0)
    np.testing.assert_allclose(gradient, rows.sum() / 3.0)


def test_by_results():
    """By a stack, and by its last row, which is what the loop carries."""
    x = T.dvector("x")
    found = outputs(lambda v, h: h * 0.5 + v, x, T.zeros(()))
    last = found[-1]
    f = tracejit.function([x], [T.grad(last**2, v) for v in (last, found, x)])
    by_last, by_stack, by_x = f(np.array([1.0, 2.0]))
    assert (float(by_last), by_stack.tolist(), by_x.tolist()) == (5.0, [0.0, 5.0], [2.5, 5.0])
    rows = outputs(lambda v, h: h + v, T.stack([x, x * 2]), T.zeros_like(x))
    last = rows[-1]
    f = tracejit.function([x], [T.grad(last[0] ** 2, v) for v in (last, rows)])
    by_last, by_rows = f(np.array([1.0, 2.0]))
    assert (by_last.tolist(), by_rows.tolist()) == ([6.0, 0.0], [[0.0, 0.0], [6.0, 0.0]])


@pytest.mark.parametrize("every", [1, 3, 4, 20])
def test_checkpoints(every):
    x, w = T.dmatrix("x"), T.dscalar("w")

    def step(v, h, w):
        return T.tanh(h * w + v), h.sum()

    given = step, [x], [T.zeros_like(x[0]), None], [w]
    kept, whole = (
        loop[0]
        for loop in (
            tracejit.scan_checkpoints(*given, save_every_N=every),
            tracejit.scan(*given),
        )
    )
    results = [[*found, T.grad(found[0][-1].sum(), w)] for found in (kept, whole)]
    found = tracejit.function([x, w], results[0] + results[1])(np.outer(np.arange(10.0), H), 0.7)
    rows = sorted({*range(every - 1, 10, every), 9})
    np.testing.assert_allclose(found[0], found[3][rows])
    np.testing.assert_allclose(found[1], found[4][rows])
    np.testing.assert_allclose(found[2], found[5])
    with pytest.raises(RuntimeError, match="taps"):
        tracejit.scan_checkpoints(step, [{"input": x, "taps": [0]}])
