"""Programs of loops, compiled: their numbers are those of NumPy, and no step is Python's."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.sandbox.rng_mrg import MRG_RandomStreams
from tracejit.scan_module import until
from tracejit.tensor.shared_randomstreams import RandomStreams

RNG = np.random.default_rng(3)


def compiled(f, loops=1):
    """Whether what has run is one compiled program, with so many loops of steps at least."""
    found = re.findall(r"^    (?:for \w+ in range|while True)", f.source(), re.MULTILINE)
    assert len(found) >= loops, f.source()
    assert f.stats.traces == len(f.program.paths)


def test_powers():
    a, k = T.dvector("a"), T.iscalar("k")
    found, updates = tracejit.scan(
        lambda before, a: before * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k
    )
    f = tracejit.function([a, k], found[-1], updates=updates)
    for steps in (1, 2, 7):
        np.testing.assert_allclose(f(np.arange(10.0), steps), np.arange(10.0) ** steps)
    compiled(f)
    assert f.stats.traces == 1


def test_polynomial():
    coefficients, x = T.vector("coefficients"), T.scalar("x")
    terms, _ = tracejit.scan(
        lambda c, power, x: c * (x**power), sequences=[coefficients, T.arange(1000)],
        outputs_info=None, non_sequences=x,
    )  # fmt: skip
    f = tracejit.function([coefficients, x], terms.sum())
    assert f(np.array([1.0, 0.0, 2.0]), 3.0) == 19.0
    compiled(f)


def test_fibonacci():
    n = T.iscalar("n")
    found, _ = tracejit.scan(
        lambda a, b: a + b, n_steps=n,
        outputs_info={"initial": T.constant(np.array([0, 1])), "taps": [-2, -1]},
    )  # fmt: skip
    f = tracejit.function([n], found)
    assert f(10).tolist() == [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]
    compiled(f)


def rnn(x, h, u, w, v):
    """A simple recurrent net: its states, its cost, and the gradients through time."""
    states, outputs = [h], []
    for row in x:
        states.append(np.tanh(row @ u + states[-1] @ w))
        outputs.append(states[-1] @ v)
    cost = sum((o**2).sum() for o in outputs)
    du, dw, dv, dh = np.zeros_like(u), np.zeros_like(w), np.zeros_like(v), np.zeros_like(h)
    for k in reversed(range(len(x))):
        do = 2 * outputs[k]
        dv += np.outer(states[k + 1], do)
        da = (dh + v @ do) * (1 - states[k + 1] ** 2)
        du += np.outer(x[k], da)
        dw += np.outer(states[k], da)
        dh = w @ da
    return np.array(outputs), cost, [dh, du, dw, dv]


def test_recurrent_net():
    u, w, v = (T.dmatrix(n) for n in "uwv")
    x, h0 = T.dmatrix("x"), T.dvector("h0")

    def step(x, h, u, w, v):
        h = T.tanh(T.dot(x, u) + T.dot(h, w))
        return h, T.dot(h, v)

    (_, y), _ = tracejit.scan(step, x, [h0, None], [u, w, v])
    cost = (y**2).sum()
    f = tracejit.function([x, h0, u, w, v], [y, cost, *T.grad(cost, [h0, u, w, v])])
    values = [RNG.normal(size=s) for s in ((6, 3), 4, (3, 4), (4, 4), (4, 2))]
    for count in (6, 1):
        outputs, c, gradients = f(values[0][:count], *values[1:]), None, None
        want, c, gradients = rnn(values[0][:count], *values[1:])
        for found, expected in zip(outputs, [want, c, *gradients], strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-10)
    compiled(f, 2)
    assert f.stats.traces == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lstm_with_masks(dtype):
    """As sentences are read: steps beyond a sentence's end change nothing."""
    n = 5
    w, u, b = (
        tracejit.shared(RNG.normal(size=s).astype(dtype) * 0.3)
        for s in ((n, 4 * n), (n, 4 * n), 4 * n)
    )
    x, mask = T.tensor(dtype, (False,) * 3, "x"), T.tensor(dtype, (False, False), "mask")

    def part(p, k):
        return p[:, k * n : (k + 1) * n]

    def step(m, x, h, c):
        p = T.dot(h, u) + x
        i, forget, o = (T.nnet.sigmoid(part(p, k)) for k in range(3))
        new = forget * c + i * T.tanh(part(p, 3))
        new = m[:, None] * new + (1.0 - m)[:, None] * c
        out = o * T.tanh(new)
        return m[:, None] * out + (1.0 - m)[:, None] * h, new

    zero = T.alloc(np.asarray(0, dtype), x.shape[1], n)
    (h, _), _ = tracejit.scan(step, [mask, T.dot(x, w) + b], [zero, zero], name="lstm")
    f = tracejit.function([x, mask], [h, *T.grad(h[-1].sum(), [w, u, b])])
    values = RNG.normal(size=(4, 3, n)).astype(dtype)
    masks = (np.arange(4)[:, None] < [4, 2, 3]).astype(dtype)
    found, *gradients = f(values, masks)

    def run(w, u, b):
        def sigmoid(v):
            return 1 / (1 + np.exp(-v))

        state, cell, rows = np.zeros((3, n)), np.zeros((3, n)), []
        for row, m in zip(values, masks[..., None], strict=True):
            i, forget, o, c = np.split(state @ u + row @ w + b, 4, 1)
            new = sigmoid(forget) * cell + sigmoid(i) * np.tanh(c)
            cell = m * new + (1 - m) * cell
            state = m * sigmoid(o) * np.tanh(cell) + (1 - m) * state
            rows.append(state)
        return np.array(rows)

    weights = [s.get_value().astype("float64") for s in (w, u, b)]
    tolerance = {"float32": 1e-4, "float64": 1e-10}[dtype]
    np.testing.assert_allclose(found, run(*weights), rtol=tolerance, atol=tolerance)
    for k, gradient in enumerate(gradients):
        assert gradient.dtype == dtype
        along = RNG.normal(size=gradient.shape)
        moved = [
            [p + s * 1e-6 * along if j == k else p for j, p in enumerate(weights)] for s in (1, -1)
        ]
        difference = sum(s * run(*m)[-1].sum() for s, m in zip((1, -1), moved, strict=True)) / 2e-6
        np.testing.assert_allclose((gradient * along).sum(), difference, rtol=1e-3, atol=1e-3)
    compiled(f, 2)


def test_printed_draws():
    """The ten rows that Theano's tutorial of loops prints: a state goes from step to step."""
    w = tracejit.shared(np.ones((3, 2)), "W")
    draw = RandomStreams(1234).binomial(size=w[1].shape)
    found, updates = tracejit.scan(lambda: draw, n_steps=10)
    f = tracejit.function([], found, updates=updates)
    masks = "10 01 00 11 10 01 01 01 00 11".split()
    with tracejit.config(compile=False):  # Gibbs chains compile draws
        assert ["".join(map(str, row)) for row in f().tolist()] == masks
        assert ["".join(map(str, row)) for row in f().tolist()] != masks
    assert list(updates) == [draw.rng]


def test_draws_of_many_streams():
    streams, x = MRG_RandomStreams(seed=123), T.dvector("x")
    found, updates = tracejit.scan(lambda v: v + streams.uniform((2,)), x)
    f = tracejit.function([x], found, updates=updates)
    other = tracejit.function([], MRG_RandomStreams(seed=123).uniform((2,)))
    want = [other() for _ in range(5)]
    np.testing.assert_array_equal(f(np.zeros(3)), want[:3])
    np.testing.assert_array_equal(f(np.zeros(2)), want[3:])
    compiled(f)


def gibbs(w, b, c, visible, hidden_draws, visible_draws, steps):
    """A chain of a restricted Boltzmann machine, by NumPy's own generators."""

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    rows = []
    for _ in range(steps):
        hidden = hidden_draws.binomial(1, sigmoid(visible @ w + c))
        visible = visible_draws.binomial(1, sigmoid(hidden @ w.T + b))
        rows.append(visible)
    return np.array(rows)


def test_gibbs_chain_and_contrastive_divergence():
    w, b, c = (tracejit.shared(RNG.normal(size=s)) for s in ((6, 4), 6, 4))
    v = T.dmatrix("v")
    streams = RandomStreams(89)

    def step(v):
        hidden = T.nnet.sigmoid(T.dot(v, w) + c)
        h = streams.binomial(size=hidden.shape, n=1, p=hidden, dtype="float64")
        mean = T.nnet.sigmoid(T.dot(h, w.T) + b)
        return mean, streams.binomial(size=mean.shape, n=1, p=mean, dtype="float64")

    def energy(v):
        return -T.dot(v, b) - T.log(1 + T.exp(T.dot(v, w) + c)).sum(axis=1)

    (_, chain), updates = tracejit.scan(
        lambda v: step(v), outputs_info=[None, v], n_steps=5, name="gibbs"
    )
    end = T.disconnected_grad(chain[-1])
    cost = T.mean(energy(v)) - T.mean(energy(end))
    gradients = T.grad(cost, [w, b, c], consider_constant=[end])
    f = tracejit.function([v], [chain, *gradients], updates=updates)
    start = RNG.integers(0, 2, (3, 6)).astype(float)
    seeds = np.random.RandomState(89)
    draws = [np.random.RandomState(seeds.randint(2**30)) for _ in range(2)]
    for _ in range(2):  # and on from where the first call has left the states
        found, dw, db, dc = f(start)
        weights = [s.get_value() for s in (w, b, c)]
        rows = gibbs(*weights, start, *draws, 5)
        np.testing.assert_array_equal(found, rows)
        mean = [1 / (1 + np.exp(-(x @ weights[0] + weights[2]))) for x in (start, rows[-1])]
        np.testing.assert_allclose(db, (rows[-1] - start).mean(0), atol=1e-12)
        np.testing.assert_allclose(dc, (mean[1] - mean[0]).mean(0), atol=1e-12)
        np.testing.assert_allclose(dw, (rows[-1].T @ mean[1] - start.T @ mean[0]) / 3, atol=1e-12)
    compiled(f)


def test_until_a_number_is_reached():
    most = T.dscalar("most")
    found, _ = tracejit.scan(
        lambda before, most: (before * 2, until(before * 2 > most)),
        outputs_info=T.constant(np.float64(1)), non_sequences=most, n_steps=1024,
    )  # fmt: skip
    f = tracejit.function([most], [found, T.grad(found[-1], found)])
    assert f(45.0)[0].tolist() == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    assert f(1.0)[0].tolist() == [2.0]
    compiled(f)
    assert f.stats.traces == 1


def test_newton_until_it_converges():
    x = T.dscalar("x")

    def step(r, x):
        new = (r + x / r) / 2
        return new, until(abs(new - r) < 1e-12)

    roots, _ = tracejit.scan(step, outputs_info=x, non_sequences=x, n_steps=100)
    f = tracejit.function([x], [roots[-1], T.grad(roots[-1], x)])
    for value in (2.0, 100.0):
        np.testing.assert_allclose(f(value), [np.sqrt(value), 0.5 / np.sqrt(value)], rtol=1e-9)
    compiled(f, 2)


def test_loops_in_loops():
    x, w = T.dmatrix("x"), T.dscalar("w")

    def row(r, w):
        return tracejit.scan(lambda v, h, w: h * w + v, r, np.float64(0), w)[0][-1]

    found, _ = tracejit.scan(row, x, non_sequences=w)
    f = tracejit.function([x, w], [found, T.grad(found.sum(), w)])
    values = RNG.normal(size=(4, 6))
    powers = 0.9 ** np.arange(6)[::-1]
    slopes = np.arange(6)[::-1] * 0.9 ** (np.arange(6)[::-1] - 1.0)
    rows, gradient = f(values, 0.9)
    np.testing.assert_allclose(rows, values @ powers)
    np.testing.assert_allclose(gradient, (values @ slopes).sum())
    compiled(f, 2)


def test_matrix_elements_are_set():
    """The tutorial's loop over locations."""
    at, values, model = T.imatrix("at"), T.vector("values"), T.matrix("model")
    found, _ = tracejit.scan(
        lambda at, value, model: T.set_subtensor(T.zeros_like(model)[at[0], at[1]], value),
        sequences=[at, values], non_sequences=model,
    )  # fmt: skip
    f = tracejit.function([at, values, model], found)
    result = f(np.array([[1, 1], [2, 3]], "int32"), np.array([42.0, 50.0]), np.zeros((5, 5)))
    want = np.zeros((2, 5, 5))
    want[0, 1, 1], want[1, 2, 3] = 42.0, 50.0
    np.testing.assert_array_equal(result, want)
    compiled(f)


def test_shared_state_by_updates():
    a, k = tracejit.shared(1), T.iscalar("k")
    _, updates = tracejit.scan(lambda: {a: a + 1}, n_steps=k)
    f = tracejit.function([k], [], updates=updates)
    f(5)
    f(0)
    assert a.get_value() == 6


def test_running_the_same_program_for_any_length():
    """Lengths and numbers of steps are no part of what is compiled."""
    x = T.dmatrix("x")
    found, _ = tracejit.scan(lambda r, h: T.tanh(r + h), x, T.zeros_like(x[0]))
    f = tracejit.function([x], T.grad(found[-1].sum(), x))
    for count in (2, 50, 500, 1):
        assert f(RNG.normal(size=(count, 3))).shape == (count, 3)
    assert (f.stats.traces, f.stats.compiles) == (1, 1)
