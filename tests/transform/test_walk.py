"""Gradients by name and by transform are one walk: they compile to the same loops."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from devices import on_cpu

import tracejit
import tracejit.tensor as T

RNG = np.random.default_rng(0)
X, W, V = RNG.random((5, 4)), RNG.random((5, 4)), RNG.random((5, 4))


def cost(xp: Any, x: Any, w: Any) -> Any:
    return (xp.tanh(x * w) * xp.where(w > 0.5, w, x)).sum()


def by_transform(name: str) -> Any:
    def f(x: Any, w: Any) -> Any:
        return cost(np, x, w)

    def row(x: Any) -> Any:
        return np.tanh(x) * x.sum()

    return {
        "grad": (lambda x, w: tracejit.grad(f, (0, 1))(x, w), (X, W)),
        "push": (lambda x, w, v: tracejit.jvp(lambda x: np.tanh(x * w), (x,), (v,))[1], (X, W, V)),
        "rows": (lambda x: tracejit.jacobian(row)(x), (X[0],)),
        "pull": (lambda x, w, v: tracejit.vjp(lambda x: np.exp(x * w), x)[1](v)[0], (X, W, V)),
    }[name]


def by_name(name: str) -> Any:
    x, w, v, row = T.dmatrix("x"), T.dmatrix("w"), T.dmatrix("v"), T.dvector("row")
    return {
        "grad": ([x, w], lambda: T.grad(cost(T, x, w), [x, w])),
        "push": ([x, w, v], lambda: T.Rop(T.tanh(x * w), x, v)),
        "rows": ([row], lambda: T.jacobian(T.tanh(row) * row.sum(), row)),
        "pull": ([x, w, v], lambda: T.Lop(T.exp(x * w), x, v)),
    }[name]


def loops(source: str) -> str:
    """The loops of an emitted program, without the user's lines and the numbers of names."""
    code = re.sub(r" *#.*", "", source[source.index("\n    for ") :])
    names: dict[str, str] = {}
    return re.sub(r"\b[a-z]+\d+\b", lambda m: names.setdefault(m[0], f"n{len(names)}"), code)


@pytest.mark.parametrize("name", ["grad", "push", "rows", "pull"])
def test_both_compile_to_the_same_loops(name: str) -> None:
    plain, args = by_transform(name)
    f = tracejit.function(plain, on_unsupported="error")
    inputs, make = by_name(name)
    g = tracejit.function(inputs, make())
    for a, b in zip(np.atleast_1d(f(*args)), np.atleast_1d(g(*args)), strict=True):
        np.testing.assert_array_equal(a, b)
    if on_cpu():
        assert "for " in loops(g.source()) and loops(f.source(*args)) == loops(g.source())


def test_a_tangent_has_the_shape_of_its_argument() -> None:
    x, v = T.dvector("x"), T.dvector("v")
    f = tracejit.function([x, v], T.Rop(x * 2.0, x, v))
    assert f(np.ones(3), np.arange(3.0)).tolist() == [0, 2, 4]
    with pytest.raises(ValueError, match="shape"):
        f(np.ones(3), np.arange(4.0))
