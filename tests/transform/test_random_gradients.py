"""Random programs, differentiated: along a random direction, against a complex step through NumPy.

A program keeps a pool of arrays, all bounded by a tanh now and then, and adds to it by operations
drawn from `STEPS`; its cost weighs them all. NumPy orders complex numbers by their real parts, so
sorts, maxima and writes take complex steps too.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracejit


def apart(a):
    """Without ties, of which every element has the whole derivative."""
    return (
        a * (1 + np.arange(a.size).reshape(a.shape) / 97) + np.arange(a.size).reshape(a.shape) / 89
    )


STEPS = {
    "sin": lambda a, b: np.sin(a),
    "tanh": lambda a, b: np.tanh(a * 2),
    "exp": lambda a, b: np.exp(-a * a),
    "log": lambda a, b: np.log(1 + a * a),
    "sigmoid": lambda a, b: 1 / (1 + np.exp(-a)),
    "root": lambda a, b: np.sqrt(a * a + 1),
    "power": lambda a, b: a**3 - a,
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - 2 * b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / (b * b + 1),
    "maximum": lambda a, b: np.maximum(a, b),
    "where": lambda a, b: np.where(np.real(a) > 0.1, a, b),
    "rows": lambda a, b: a - a.mean(axis=-1, keepdims=True),
    "softmax": lambda a, b: np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True),
    "total": lambda a, b: a.sum() * b,
    "product": lambda a, b: np.prod(a / 2 + 1, axis=0) + b * 0,
    "largest": lambda a, b: apart(a).max(axis=0) * b,
    "smallest": lambda a, b: a - apart(a).min(),
    "running": lambda a, b: np.cumsum(a, axis=0) / 3,
    "sorted": lambda a, b: np.sort(a, axis=-1) * b,
    "turned": lambda a, b: a[::-1] * b,
    "shifted": lambda a, b: np.concatenate([a[1:], b[:1]]),
    "picked": lambda a, b: a[[0, 2, 2, 1]][:3] + b,
    "matrix": lambda a, b: (a @ b.T @ b if a.ndim == b.ndim == 2 else a * b) / 4,
    "reshaped": lambda a, b: a.reshape(-1)[::-1].reshape(a.shape) - b,
    "transposed": lambda a, b: (a.T * np.arange(a.T.shape[-1])).T,
    "norm": lambda a, b: b / np.sqrt((a * a).sum() + 1),
}


def written(a, b):
    y = a * 1
    y[1:] = b[:-1] * 2
    y[0] += y[1]
    y[..., 0] *= 0.5
    return y


STEPS["written"] = written
step = st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9))


def cost_of(steps):
    def cost(x, v):
        pool = [x, v]
        for name, i, j in steps:
            pool.append(STEPS[name](pool[-1 - i % len(pool)], pool[-1 - j % len(pool)]))
        return sum((np.tanh(a) * (k + 1)).sum() for k, a in enumerate(pool))

    return cost


def check(steps, seed):
    rng = np.random.default_rng(seed)
    cost = cost_of(steps)
    x, v = rng.normal(size=(3, 4)), rng.normal(size=4)
    dx, dv = rng.normal(size=(3, 4)), rng.normal(size=4)
    with np.errstate(all="ignore"):
        try:
            want = cost(x + 1e-30j * dx, v + 1e-30j * dv).imag / 1e-30
        except (ValueError, IndexError):  # shapes that do not fit
            with pytest.raises((ValueError, IndexError)):
                tracejit.function(cost)(x, v)
            return
    gx, gv = tracejit.grad(cost, argnums=(0, 1))(x, v)
    backward = (gx * dx).sum() + (gv * dv).sum()
    _, forward = tracejit.jvp(cost, (x, v), (dx, dv))
    scale = np.abs(gx * dx).sum() + np.abs(gv * dv).sum() + 1e-3
    np.testing.assert_allclose(backward, want, rtol=1e-9, atol=1e-11 * scale)
    np.testing.assert_allclose(forward, want, rtol=1e-9, atol=1e-11 * scale)


@given(st.lists(step, min_size=1, max_size=8), st.integers(0, 99))
def test_interpreted(steps, seed):
    with tracejit.config(compile=False):
        check(steps, seed)


@pytest.mark.parametrize("seed", range(6))
def test_compiled(seed):
    rng = np.random.default_rng(seed)
    names = rng.choice(sorted(STEPS), 8)
    check([(str(n), *map(int, rng.integers(0, 9, 2))) for n in names], seed)


@pytest.mark.parametrize("name", sorted(STEPS))
def test_second_derivatives_are_symmetric(name):
    """The product of a Hessian with two directions does not depend on their order."""
    rng = np.random.default_rng(3)
    v = rng.normal(size=4)
    cost = cost_of([(name, 1, 1), ("tanh", 0, 0)])
    x, d, e = (rng.normal(size=(3, 4)) for _ in range(3))
    slope = tracejit.grad(cost)
    with tracejit.config(compile=False):
        _, along_d = tracejit.jvp(slope, (x, v), (d, np.zeros(4)))
        _, along_e = tracejit.jvp(slope, (x, v), (e, np.zeros(4)))
    np.testing.assert_allclose((along_d * e).sum(), (along_e * d).sum(), rtol=1e-9)
