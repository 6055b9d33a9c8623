"""The public check of derivatives finds what is wrong, and passes what is right."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit
from tracejit.testing import check_grads


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False):
        yield


FUNCTIONS = {
    "elementwise": (lambda x, y: np.tanh(x * y) + np.exp(-x), np.linspace(0.1, 1, 4), 2.0),
    "structure": (
        lambda p: {"a": (p["w"] @ p["w"].T).sum(axis=0), "b": np.sqrt(p["v"])},
        {"w": np.linspace(0, 1, 6).reshape(3, 2), "v": np.ones(2)},
    ),
    "indexing": (lambda x: x[[0, 2, 2]] * x[1:4], np.linspace(1, 2, 4)),
    "layers": (
        lambda w, b, x: np.maximum(x @ w + b, 0.01 * (x @ w + b)).mean(axis=0),
        np.linspace(-1, 1, 6).reshape(2, 3), np.array([0.1, -0.2, 0.3]),
        np.linspace(-2, 2, 10).reshape(5, 2),
    ),
    "softmax": (
        lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(), np.array([0.3, -0.2, 1.0]),
    ),
    "contraction": (
        lambda a, b: np.einsum("ij,jk,k->i", a, b, b[0]),
        np.linspace(0, 1, 6).reshape(2, 3), np.linspace(1, 2, 9).reshape(3, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_derivatives_pass_to_second_order(name):
    f, *args = FUNCTIONS[name]
    check_grads(f, args)


@pytest.mark.parametrize("mode, text", [("fwd", "jvp"), ("rev", "vjp")])
def test_a_wrong_derivative_is_found(monkeypatch, mode, text):
    from tracejit.ir import derivatives

    monkeypatch.setitem(derivatives.RULES, "sin", "g * (cos(a) + 0.01)")
    with pytest.raises(AssertionError, match=text):
        check_grads(lambda x: np.sin(x), (np.linspace(0, 1, 3),), order=1, modes=(mode,))


def test_a_wrong_second_derivative_is_found_at_order_two_only(monkeypatch):
    from tracejit.ir import derivatives

    monkeypatch.setitem(derivatives.RULES, "cos", "g * sin(a)")
    args = (np.linspace(0, 1, 3),)
    check_grads(lambda x: np.sin(x), args, order=1)
    with pytest.raises(AssertionError):
        check_grads(lambda x: np.sin(x), args, order=2)


def test_modes():
    with pytest.raises(ValueError, match="'fwd' and 'rev'"):
        check_grads(np.sin, (1.0,), modes=("forward",))
