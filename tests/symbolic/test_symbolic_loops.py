"""A symbolic function and the decorated one of the same expression are the same loops."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.tensor.nnet import softmax

X = np.random.default_rng(0).normal(size=(6, 5))
V = np.arange(5.0)

PAIRS = {
    "logistic": (lambda x, v: 1 / (1 + T.exp(-x)), lambda x, v: 1 / (1 + np.exp(-x))),
    "several": (
        lambda x, v: [x - v, abs(x - v), (x - v) ** 2],
        lambda x, v: [x - v, abs(x - v), (x - v) ** 2],
    ),
    "row sums": (lambda x, v: (x * v).sum(axis=1), lambda x, v: (x * v).sum(axis=1)),
    "softmax": (
        lambda x, v: (
            T.exp(x - x.max(axis=1, keepdims=True))
            / T.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
        ),
        lambda x, v: (
            np.exp(x - x.max(axis=1, keepdims=True))
            / np.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
        ),
    ),
    "stencil": (lambda x, v: x[1:] - x[:-1], lambda x, v: x[1:] - x[:-1]),
    "product": (lambda x, v: T.dot(x, v) + 1, lambda x, v: np.dot(x, v) + 1),
    "choice": (lambda x, v: T.switch(x > 0, x, v), lambda x, v: np.where(x > 0, x, v)),
}


def nests(source):
    """The loops of a source, with the operations in them; names and checks left out."""
    lines = source[source.index("def entry") :].splitlines()
    start = next(k for k, line in enumerate(lines) if line.strip().startswith("for "))
    text = "\n".join(line.split("#")[0].rstrip() for line in lines[start:])
    names: dict[str, str] = {}
    return re.sub(r"\b[vi]\d+\b", lambda m: names.setdefault(m[0], f"n{len(names)}"), text)


@pytest.mark.cpu
@pytest.mark.parametrize("name", PAIRS)
def test_the_same_loops(name):
    symbolic, plain = PAIRS[name]
    x, v = T.dmatrix("x"), T.dvector("v")
    f = tracejit.function([x, v], symbolic(x, v), on_unused_input="ignore")
    g = tracejit.function(plain)
    with tracejit.change_flags(stabilise=False):  # formulas as they are written
        results = f(X, V)
    for a, b in zip(_listed(results), _listed(g(X, V)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    assert nests(f.source()) == nests(g.source(X, V))
    assert (f.stats.loops, f.stats.passes, f.stats.temporaries) == (
        g.stats.loops, g.stats.passes, g.stats.temporaries,
    )  # fmt: skip


def _listed(result):
    return result if isinstance(result, list) else [result]


def test_softmax_is_one_row_loop():
    x = T.dmatrix("x")
    f = tracejit.function([x], softmax(x))
    f(X)
    assert (f.stats.loops, f.stats.temporaries) == (1, 0), f.source()


def test_very_large_expressions_are_cut_into_several_loops():
    x = T.dvector("x")
    y = x
    for k in range(400):
        y = T.tanh(y + 0.001 * k) * 1.01
    f = tracejit.function([x], y)
    want = V.copy()
    for k in range(400):
        want = np.tanh(want + 0.001 * k) * 1.01
    np.testing.assert_allclose(f(V), want, rtol=1e-9)
    assert 3 <= f.stats.loops <= 8 and f.stats.temporaries < f.stats.loops
