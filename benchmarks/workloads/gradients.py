"""Gradients: a training step, the price of a gradient, building one, and its memory."""

from __future__ import annotations

import itertools
import random
import time
from typing import Any

import numpy as np

import tracejit
import tracejit.tensor as T
from benchmarks.memory import peak_above
from benchmarks.rows import Figure
from benchmarks.timing import interleaved, wait_for_compiler

Array = np.ndarray[Any, np.dtype[Any]]
#: Of the network whose gradient is measured.
BATCH, WIDTHS = 4_096, (784, 1_024, 1_024, 1_024, 10)


def tutorial_step(w0: Array) -> tuple[Any, Any]:
    """The training function of the tutorial's logistic regression, and its weights."""
    x, y = T.dmatrix("x"), T.dvector("y")
    w, b = tracejit.shared(w0.copy(), name="w"), tracejit.shared(0.0, name="b")
    p = 1 / (1 + T.exp(-T.dot(x, w) - b))
    xent = -y * T.log(p) - (1 - y) * T.log(1 - p)
    cost = xent.mean() + 0.01 * (w**2).sum()
    gw, gb = T.grad(cost, [w, b])
    updates = ((w, w - 0.1 * gw), (b, b - 0.1 * gb))
    return tracejit.function([x, y], [p > 0.5, xent], updates=updates), w


def measure_training() -> Figure:
    """How many times faster a step is than one written by hand in NumPy, gradient and all."""
    rng = np.random.RandomState(0)
    x, y = rng.randn(400, 784), rng.randint(size=400, low=0, high=2).astype(float)
    w, b = rng.randn(784), 0.0
    train, shared = tutorial_step(w)

    def by_hand(x: Array, y: Array) -> Any:
        nonlocal w, b
        z = x @ w + b
        p = 1 / (1 + np.exp(-z))
        xent = np.logaddexp(0, z) - y * z
        slope = (p - y) / len(y)
        w = w - 0.1 * (x.T @ slope + 0.02 * w)
        b = b - 0.1 * slope.sum()
        return p > 0.5, xent

    with np.errstate(over="ignore"):
        for _ in range(20):
            np.testing.assert_allclose(train(x, y)[1], by_hand(x, y)[1], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(shared.get_value(), w, rtol=1e-9)
        wait_for_compiler()
        ours, numpys = interleaved([train, by_hand], (x, y), repeat=41, inner=50)
    return Figure(numpys / ours, {"step_s": ours, "numpy_s": numpys, "loops": train.stats.loops})


def measure_elementwise() -> Figure:
    """The gradient's time, in times of the cost."""

    def cost(x: Array) -> Any:
        return np.sum(np.exp(-x * x) * np.sin(x) + x)

    value = tracejit.function(cost, on_unsupported="error")
    gradient = tracejit.grad(cost)
    x = np.random.default_rng(5).standard_normal(10_000_000)
    point = x[:5]
    want = np.exp(-point * point) * (np.cos(point) - 2 * point * np.sin(point)) + 1
    np.testing.assert_allclose(gradient(x)[:5], want, rtol=1e-12)
    value(x)
    ours, base = interleaved([gradient, value], (x,), repeat=9)
    return Figure(ours / base, {"gradient_s": ours, "cost_s": base})


def measure_graph() -> Figure:
    """Seconds to build and trace the gradient of a symbolic cost of 2,000 nodes."""
    choose = random.Random(2_000)
    x, y = T.dvectors("x", "y")
    pool = [x * y, x + y]
    while len(pool) < 2_000:
        a, b = choose.choice(pool[-20:]), choose.choice(pool[-20:])
        pool.append(T.tanh(a) if len(pool) % 8 == 0 else choose.choice([a + b, a * b, a - b]))
    cost = pool[-1].sum()
    start = time.perf_counter()
    slopes = T.grad(cost, [x, y])
    function = tracejit.function([x, y], slopes, mode="FAST_COMPILE")
    small = np.full(3, 0.01)
    function(small, small)  # traced at the first call; this mode compiles nothing
    return Figure(time.perf_counter() - start, {"nodes": len(pool)})


def measure_memory() -> Figure:
    """The peak of a network's gradient, in times of all its activations."""

    def cost(weights: list[Array], x: Array, y: Array) -> Any:
        for w in weights[:-1]:
            x = np.tanh(x @ w)
        return ((x @ weights[-1] - y) ** 2).mean()

    gradient = tracejit.grad(cost)
    rng = np.random.default_rng(6)
    weights = [rng.standard_normal(s) / 30 for s in itertools.pairwise(WIDTHS)]
    x, y = rng.standard_normal((BATCH, WIDTHS[0])), rng.standard_normal((BATCH, WIDTHS[-1]))
    gradient(weights, x[:9], y[:9])
    peak = peak_above(lambda: gradient(weights, x, y))
    results = sum(w.nbytes for w in weights) / 1e6
    activations = BATCH * sum(WIDTHS[1:]) * 8 / 1e6
    return Figure(
        (peak - results) / activations,
        {"peak_megabytes": peak, "gradients_megabytes": results, "activations": activations},
    )


def diffusion_1d(start: Array, r: float, steps: int) -> Any:
    """The energy that an explicit diffusion on a line ends with."""
    u = start.copy()
    for _ in range(steps):
        u[1:-1] += r * (u[2:] - 2 * u[1:-1] + u[:-2])
    return (u**2).sum()


def diffusion_2d(start: Array, r: float, steps: int) -> Any:
    """The same on a plate."""
    u = start.copy()
    for _ in range(steps):
        u[1:-1, 1:-1] += r * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )
    return (u**2).sum()


def _measure_loop(run: Any, start: Array, steps: int) -> Figure:
    """The time of a gradient by the start of a loop, in times of the loop's."""
    forward = tracejit.function(run, on_unsupported="error")
    gradient = tracejit.grad(run)
    args = (start, 0.1, steps)
    np.testing.assert_allclose(forward(*args), run(*args), rtol=1e-12)
    # A quadratic form's gradient along the start is twice its value.
    np.testing.assert_allclose((gradient(*args) * start).sum(), 2 * run(*args), rtol=1e-10)
    wait_for_compiler()
    ours, base = interleaved([gradient, forward], args, repeat=9)
    return Figure(ours / base, {"gradient_s": ours, "loop_s": base})


def measure_diffusion_1d() -> Figure:
    """On a line of 10,000 points."""
    return _measure_loop(diffusion_1d, np.random.default_rng(7).random(10_000), 1_000)


def measure_diffusion_2d() -> Figure:
    """On a plate of 200 × 200 points."""
    return _measure_loop(diffusion_2d, np.random.default_rng(7).random((200, 200)), 1_000)


def measure(argument: str) -> Figure:
    figure: Figure = globals()[f"measure_{argument}"]()
    return figure
