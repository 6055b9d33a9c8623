"""Symbolic functions: what a call, one with state, a minibatch, a copy, a large graph cost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import tracejit
import tracejit.tensor as T
from benchmarks.rows import Figure
from benchmarks.timing import interleaved

NODES = (500, 1_000, 2_500, 5_000)


def accumulator() -> tuple[Any, Any]:
    """The tutorial page's: a scalar in, a scalar state updated, its old value out."""
    state = tracejit.shared(0)
    inc = T.iscalar("inc")
    return tracejit.function([inc], state, updates=[(state, state + inc)]), state


def measure_accumulator() -> Figure:
    add, state = accumulator()
    (seconds,) = interleaved([add], (1,), repeat=41, inner=20_000)
    calls = int(state.get_value())
    assert calls == 41 * 20_000, calls
    return Figure(seconds * 1e6, {"call_s": seconds})


def measure_call() -> Figure:
    """Microseconds above the decorated function, on two vectors of eight numbers."""
    x, y = T.dvectors("x", "y")
    symbolic = tracejit.function([x, y], 1 / (1 + T.exp(-x)) + y)
    traced = tracejit.function(lambda x, y: 1 / (1 + np.exp(-x)) + y, on_unsupported="error")
    rng = np.random.default_rng(1)
    args = rng.standard_normal(8), rng.standard_normal(8)
    np.testing.assert_allclose(symbolic(*args), traced(*args), rtol=1e-14)
    ours, other = interleaved([symbolic, traced], args, repeat=41, inner=20_000)
    return Figure((ours - other) * 1e6, {"symbolic_s": ours, "decorated_s": other})


def measure_copy() -> Figure:
    """Milliseconds of ``copy(swap=…)`` and the first call of the copy, which compiles nothing."""
    add, state = accumulator()
    add(1)
    compiles = add.stats.compiles
    times = []
    for _ in range(31):
        other = tracejit.shared(0)
        start = time.perf_counter()
        copy = add.copy(swap={state: other})
        copy(5)
        times.append(time.perf_counter() - start)
        assert int(other.get_value()) == 5 and add.stats.compiles == compiles
    return Figure(median(times) * 1e3, {"copy_s": median(times), "max_s": max(times)})


def expression(nodes: int) -> tuple[list[Any], Any]:
    """A random expression of so many elementwise nodes, an eighth of them hyperbolic tangents."""
    choose = random.Random(nodes)
    x, y = T.dvectors("x", "y")
    pool = [x * y, x + y]
    steps: list[tuple[int, Callable[[Any, Any], Any]]] = [
        (1, lambda a, b: a + b),
        (2, lambda a, b: a * 0.5 - b),
        (2, lambda a, b: T.tanh(a) * b),
        (2, lambda a, b: T.maximum(a, b) * 0.25),
        (4, lambda a, b: T.sqr(a) / (2 + T.sqr(b))),
    ]
    count = 2
    while count < nodes:
        size, step = choose.choice(steps)
        pool.append(step(pool[-1], choose.choice(pool[-8:])))
        count += size
    return [x, y], pool[-1]


def measure_nodes() -> Figure:
    """Seconds to build, thread and compile 5,000 nodes, and smaller graphs to show the growth."""
    args = np.linspace(-1, 1, 100), np.linspace(0, 1, 100)
    parts: dict[str, float] = {}
    with tracejit.config(cache=False):
        tracejit.function(*expression(20))(*args)  # warms the process up
        for nodes in NODES:
            start = time.perf_counter()
            inputs, output = expression(nodes)
            f = tracejit.function(inputs, output)
            f(*args)
            parts[f"nodes_{nodes}_s"] = time.perf_counter() - start
            assert f.stats.compiles == 1 and f.stats.fallbacks == 0
    return Figure(parts[f"nodes_{NODES[-1]}_s"], parts)


def measure_minibatch() -> Figure:
    """Microseconds of a step of a logistic regression on rows that `givens` slices by an index."""
    size, rate = 100, 0.1
    rng = np.random.default_rng(1)
    data = rng.standard_normal((2_000, 20))
    labels = (rng.random(2_000) > 0.5).astype(np.int32)
    rows, marks = tracejit.shared(data), tracejit.shared(labels)
    w, b = tracejit.shared(np.zeros(20)), tracejit.shared(0.0)
    i, x, y = T.lscalar("i"), T.dmatrix("x"), T.ivector("y")
    p = 1 / (1 + T.exp(-T.dot(x, w) - b))
    cost = (-y * T.log(p) - (1 - y) * T.log(1 - p)).mean()
    gw, gb = T.grad(cost, [w, b])
    part = slice(i * size, (i + 1) * size)
    step = tracejit.function(
        [i],
        cost,
        updates=[(w, w - rate * gw), (b, b - rate * gb)],
        givens={x: rows[part], y: marks[part]},
    )
    weights, bias = np.zeros(20), 0.0

    def by_hand(i: int) -> Any:
        nonlocal weights, bias
        x, y = data[i * size : (i + 1) * size], labels[i * size : (i + 1) * size]
        p = 1 / (1 + np.exp(-(x @ weights) - bias))
        cost = (-y * np.log(p) - (1 - y) * np.log(1 - p)).mean()
        error = (p - y) / size
        weights, bias = weights - rate * (error @ x), bias - rate * error.sum()
        return cost

    for k in range(20):
        np.testing.assert_allclose(step(k), by_hand(k), rtol=1e-12)
    assert step.stats.compiles == 1 and step.stats.fallbacks == 0
    ours, numpys = interleaved([step, by_hand], (7,), repeat=41, inner=500)
    return Figure(ours * 1e6, {"step_s": ours, "numpy_s": numpys})


def measure(which: str) -> Figure:
    figures = {
        "accumulator": measure_accumulator,
        "call": measure_call,
        "copy": measure_copy,
        "minibatch": measure_minibatch,
        "nodes": measure_nodes,
    }
    return figures[which]()
