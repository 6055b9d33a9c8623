"""When matrix products are computed, and the memory that temporaries share."""

from __future__ import annotations

import itertools

import numpy as np

import tracejit
from tracejit.lower import driver

WIDTHS = (3, 7, 6, 5, 2)


def cost(weights, x, y):
    for w in weights[:-1]:
        x = np.tanh(x @ w)
    return ((x @ weights[-1] - y) ** 2).mean()


def network(batch):
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in itertools.pairwise(WIDTHS)]
    return weights, rng.normal(size=(batch, WIDTHS[0])), rng.normal(size=(batch, WIDTHS[-1]))


def test_a_weights_gradient_is_computed_before_the_next_layers():
    f = tracejit.function(lambda *args: tracejit.grad(cost)(*args), on_unsupported="error")
    args = network(9)
    f(*args)
    calls = [line.split("#")[0].strip() for line in f.source(*args).splitlines()]
    products = [c[:-1].split("(")[1].split(", ") for c in calls if c.startswith("matmul_d(")]
    kinds = []
    for left, right, _ in products:
        kinds.append("slope" if ".T" in left else "back" if ".T" in right else "forward")
    assert kinds == ["forward"] * 4 + ["slope", "back"] * 3 + ["slope"]


def test_large_temporaries_of_several_shapes_share_memory(monkeypatch):
    """They hold what they should at the time, whichever way they are allocated."""
    args = network(50)
    plain = tracejit.grad(cost)(*args)
    monkeypatch.setattr(driver, "LARGE", 0)
    sizes = []
    empty = np.empty

    def counted(shape, dtype):
        sizes.append(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return empty(shape, dtype)

    monkeypatch.setattr(np, "empty", counted)
    shared = tracejit.grad(cost)(*args)
    for a, b in zip(plain, shared, strict=True):
        np.testing.assert_array_equal(a, b)
    results = sum(w.nbytes for w in args[0])
    activations = 50 * sum(WIDTHS[1:]) * 8
    assert sum(sizes) - results <= activations + 2 * 50 * max(WIDTHS) * 8
